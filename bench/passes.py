"""Passes in bulk: buyers are let through before the clock starts, so that a round measures what comes after.

What is written is what the claim script writes for each of them; only joining and waiting are left out, which have
figures of their own. The sales of the bench bound nobody's number at the till, and their passes outlive every run.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

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
            some = passes[at : at + AT_ONCE]
            kept = [part for one in some for part in (one.buyer, one.nonce + b"%d%d" % (END_MS, one.lane))]
            ends = [part for one in some for part in (END_MS, one.buyer)]
            client.execute_command("HSET", keys.passes, *kept)
            client.execute_command("ZADD", keys.admitted, *ends)
    return passes
