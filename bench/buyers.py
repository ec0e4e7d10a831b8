"""Buyers with everything an order asks for.

For plain orders buyers are made from nothing: a random buyer, and a seal and a pass signed with the
bench's own keys by the engine's own code. A checkout needs somebody whom the simulator knows, so those
buyers log in over HTTP; only their pass is made here. Both happen before the clock starts.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque

import orjson
import uvloop

from bench import requests
from bench.shoppers import Errand, connect
from bench.stack import PASS_S, Stack
from engine.infra.seals import Opened, Purpose, SealKeys
from engine.line.place import BUYER_BYTES, NONCE_BYTES, Pass, seal_pass
from engine.web.buyers import Privacy

LOGINS_AT_ONCE = 32


def _keys(stack: Stack) -> SealKeys:
    return SealKeys({0: stack.secrets.seal_key.encode()}, 0)


def _pass(buyer: bytes, sale: str) -> Pass:
    return Pass(buyer, sale, 0, 1, secrets.token_bytes(NONCE_BYTES))


def orders(stack: Stack, sale: str, count: int) -> list[bytes]:
    """One order each of so many new buyers."""
    keys, expires_s = _keys(stack), int(time.time()) + PASS_S
    found = []
    for _ in range(count):
        buyer = secrets.token_bytes(BUYER_BYTES)
        found.append(
            requests.order(
                sale,
                seal=keys.seal(Purpose.BUYER, buyer, expires_s=expires_s),
                sale_pass=seal_pass(keys, _pass(buyer, sale), expires_s=expires_s),
            )
        )
    return found


def known_orders(stack: Stack, sale: str, count: int) -> tuple[list[bytes], dict[bytes, str]]:
    """One order each of so many new buyers, and the openid behind each buyer: for who has to name it to WeChat."""
    keys, expires_s = _keys(stack), int(time.time()) + PASS_S
    privacy = Privacy(stack.secrets.digest_key.encode(), bytes.fromhex(stack.secrets.openid_key))
    found, openids = [], {}
    for _ in range(count):
        openid = "o" + secrets.token_urlsafe(21)[:27]
        buyer = privacy.buyer_of(openid)
        openids[buyer] = openid
        found.append(
            requests.order(
                sale,
                seal=keys.seal(Purpose.BUYER, buyer, expires_s=expires_s),
                sale_pass=seal_pass(keys, _pass(buyer, sale), expires_s=expires_s),
            )
        )
    return found, openids


def errands(stack: Stack, sale: str, count: int) -> list[Errand]:
    """One checkout each of so many new buyers, logged in."""
    return uvloop.run(_errands(stack, sale, count))


async def _errands(stack: Stack, sale: str, count: int) -> list[Errand]:
    keys = _keys(stack)
    openids = deque("o" + secrets.token_urlsafe(21)[:27] for _ in range(count))
    found: list[Errand] = []

    async def log_in() -> None:
        engine, simulator = await connect(stack.port), await connect(stack.simulator_port)
        while openids:
            openid = openids.popleft()
            _, body = await simulator.ask(requests.post("/_buyer/login", orjson.dumps({"openid": openid})))
            code = orjson.loads(body)["code"]
            status, body = await engine.ask(requests.post("/v1/login", orjson.dumps({"code": code})))
            if status != 200:
                raise RuntimeError(f"login {status}: {body.decode(errors='replace')}")
            seal = orjson.loads(body)["seal"]
            opened = keys.open(Purpose.BUYER, seal, now_s=int(time.time()))
            assert isinstance(opened, Opened)
            sale_pass = seal_pass(keys, _pass(opened.payload[:BUYER_BYTES], sale), expires_s=int(time.time()) + PASS_S)
            order = requests.order(sale, seal=seal, sale_pass=sale_pass)
            found.append(Errand(order=order, bearer=f"Bearer {seal}", openid=openid))

    async with asyncio.TaskGroup() as group:
        for _ in range(LOGINS_AT_ONCE):
            group.create_task(log_in())
    return found
