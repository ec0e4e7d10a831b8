"""Buyers with everything an order asks for.

For plain orders buyers are made from nothing: a random buyer, and a seal and a pass signed with the
bench's own keys by the engine's own code; Redis is told of the passes. A checkout needs somebody whom the
simulator knows, so those buyers log in over HTTP. All of that happens before the clock starts.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque

import orjson
import uvloop

from bench import requests
from bench.passes import admit
from bench.shoppers import Errand, connect
from bench.stack import PASS_S, Stack
from engine.infra.seals import Opened, Purpose, SealKeys
from engine.line.place import BUYER_BYTES, NONCE_BYTES, Cohort, Pass, Place, seal_pass, seal_place
from engine.web.buyers import Privacy

LOGINS_AT_ONCE = 32


def _keys(stack: Stack) -> SealKeys:
    return SealKeys({0: stack.secrets.seal_key.encode()}, 0)


def orders(stack: Stack, sale: str, count: int) -> list[bytes]:
    """One order each of so many new buyers who were let through."""
    return _orders(stack, sale, [secrets.token_bytes(BUYER_BYTES) for _ in range(count)])


def refused(stack: Stack, sale: str, count: int) -> list[bytes]:
    """The same of a sale that refuses everybody before it looks for their passes, which Redis therefore never knew."""
    passes = [
        Pass(secrets.token_bytes(BUYER_BYTES), sale, 0, 1, secrets.token_bytes(NONCE_BYTES)) for _ in range(count)
    ]
    return _sealed(stack, sale, passes)


def known_orders(stack: Stack, sale: str, count: int) -> tuple[list[bytes], dict[bytes, str]]:
    """One order each of so many new buyers, and the openid behind each buyer: for who has to name it to WeChat."""
    privacy = Privacy(stack.secrets.digest_key.encode(), bytes.fromhex(stack.secrets.openid_key))
    openids = {}
    for _ in range(count):
        openid = "o" + secrets.token_urlsafe(21)[:27]
        openids[privacy.buyer_of(openid)] = openid
    return _orders(stack, sale, list(openids)), openids


def joins(stack: Stack, sale: str, count: int) -> list[bytes]:
    """One join each of so many new buyers."""
    keys, expires_s = _keys(stack), int(time.time()) + PASS_S
    return [
        requests.join(sale, seal=keys.seal(Purpose.BUYER, secrets.token_bytes(BUYER_BYTES), expires_s=expires_s))
        for _ in range(count)
    ]


def positions(stack: Stack, sale: str, count: int) -> list[bytes]:
    """One look at the own place each of so many buyers, who stand anywhere among a million."""
    keys, expires_s = _keys(stack), int(time.time()) + PASS_S
    places = [
        Place(secrets.token_bytes(BUYER_BYTES), sale, 0, Cohort.LIVE, 1, secrets.randbelow(1_000_000))
        for _ in range(count)
    ]
    return [
        requests.position(
            sale,
            seal=keys.seal(Purpose.BUYER, place.buyer, expires_s=expires_s),
            place=seal_place(keys, place, expires_s=expires_s),
        )
        for place in places
    ]


def _orders(stack: Stack, sale: str, buyers: list[bytes]) -> list[bytes]:
    return _sealed(stack, sale, admit(stack, sale, buyers))


def _sealed(stack: Stack, sale: str, passes: list[Pass]) -> list[bytes]:
    keys, expires_s = _keys(stack), int(time.time()) + PASS_S
    return [
        requests.order(
            sale,
            seal=keys.seal(Purpose.BUYER, one.buyer, expires_s=expires_s),
            sale_pass=seal_pass(keys, one, expires_s=expires_s),
        )
        for one in passes
    ]


def errands(stack: Stack, sale: str, count: int) -> list[Errand]:
    """One checkout each of so many new buyers, logged in."""
    return uvloop.run(_errands(stack, sale, count))


async def _errands(stack: Stack, sale: str, count: int) -> list[Errand]:
    keys = _keys(stack)
    openids = deque("o" + secrets.token_urlsafe(21)[:27] for _ in range(count))
    seals: dict[bytes, tuple[str, str]] = {}

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
            seals[opened.payload[:BUYER_BYTES]] = seal, openid

    async with asyncio.TaskGroup() as group:
        for _ in range(LOGINS_AT_ONCE):
            group.create_task(log_in())
    # In a thread: the ledger is asked in a loop of its own.
    passes = await asyncio.to_thread(admit, stack, sale, list(seals))
    found = []
    for one in passes:
        seal, openid = seals[one.buyer]
        sale_pass = seal_pass(keys, one, expires_s=int(time.time()) + PASS_S)
        found.append(
            Errand(
                order=requests.order(sale, seal=seal, sale_pass=sale_pass),
                bearer=f"Bearer {seal}",
                openid=openid,
            )
        )
    return found
