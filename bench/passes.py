"""Passes in bulk: buyers are let through before the clock starts, so that a round measures what comes after.

What is written is what the claim script writes for each of them; only joining and waiting are left out, which have
figures of their own. The sales of the bench bound nobody's number at the till, and their passes outlive every run.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from bench.stack import Stack
from engine.infra.keys import SaleKeys
from engine.line.place import NONCE_BYTES, Pass

END_MS = 10**9  # in serving time, which has only begun to pass
AT_ONCE = 2000


def admit(stack: Stack, sale: str, buyers: Sequence[bytes]) -> list[Pass]:
    """One pass for each buyer, known to Redis and not used yet."""
    keys = SaleKeys.of(sale)
    epoch = int(stack.ask_ledger("select epoch from sales where sale_id = $1", sale))
    passes = [Pass(buyer, sale, 0, epoch, secrets.token_bytes(NONCE_BYTES)) for buyer in buyers]
    with stack.valkey.client() as client:
        for at in range(0, len(passes), AT_ONCE):
            for command in written(keys, [(one.buyer, one.nonce) for one in passes[at : at + AT_ONCE]]):
                client.execute_command(*command)
    return passes


def written(keys: SaleKeys, passes: Sequence[tuple[bytes, bytes]]) -> tuple[list[Any], list[Any]]:
    """Two commands that write passes of the first lane: each a buyer and a nonce."""
    kept = [part for buyer, nonce in passes for part in (buyer, nonce + b"%d0" % END_MS)]
    ends = [part for buyer, _ in passes for part in (END_MS, buyer)]
    return ["HSET", keys.passes, *kept], ["ZADD", keys.admitted, *ends]
