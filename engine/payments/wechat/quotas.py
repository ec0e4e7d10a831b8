"""How much each merchant account may send to WeChat Pay, kept over all processes.

WeChat Pay counts per merchant, so every process spends from the same quotas, which Redis keeps: one script leases
tokens, as many as there are waiters and a few more, which are spent at once or lost. While Redis is away each process
takes a fixed share, counted by itself. Orders and queries have quotas of their own: finding out what was paid must go
on while buyers press.

A buyer's order waits a moment and is then refused; a job has time. Refusals of refunds have a quota, too: whoever was
refused pays a token of it, and until it is paid this process begins no other refund of that merchant.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum

from engine.infra.keys import quota_key
from engine.infra.outage import RedisAway
from engine.infra.redis import RedisStore, load_script
from engine.payments.wechat.codes import LeaseCode
from engine.payments.wechat.endpoints import Endpoint

VERBS = ("lease",)

DEPTH_S = 0.2  # so much of a second's quota may gather: WeChat Pay counts by the second
AHEAD_S = 0.02  # so much of it is leased beyond those that wait, and may be lost
LEASED_S = 0.25  # tokens not spent by then are lost: a quota must not be saved up
LEASE_EVERY_S = 0.02  # while a quota is empty, ask this often at most
LEASE_MOST_S = 0.25  # Redis that does not answer by then is counted as away: a buyer waits no longer than a second
AWAY_S = 1.0  # after Redis did not answer, this long is counted alone
JOB_PATIENCE_S = 60.0  # a job that was not let through by then comes back at its next turn


class Budget(StrEnum):
    """What WeChat Pay counts by itself; the values are the first part of its key in the settings."""

    ORDER = "order"
    QUERY = "query"
    CLOSE = "close"
    REFUND = "refund"
    REFUND_FAILURES = "refund_failures"
    QUERY_REFUND = "query_refund"
    BILL = "bill"
    CERTIFICATES = "certificates"


BUDGET_OF: Mapping[Endpoint, Budget] = {
    Endpoint.ORDER: Budget.ORDER,
    Endpoint.QUERY: Budget.QUERY,
    Endpoint.CLOSE: Budget.CLOSE,
    Endpoint.REFUND: Budget.REFUND,
    Endpoint.REDIRECT_REFUND: Budget.REFUND,
    Endpoint.QUERY_REFUND: Budget.QUERY_REFUND,
    Endpoint.BILL: Budget.BILL,
    Endpoint.CERTIFICATES: Budget.CERTIFICATES,
}

# Takes how many tokens are wanted; gives how many there are, and in how many seconds there may be more.
Lease = Callable[[int], Awaitable[tuple[int, float]]]


class TokenBucket:
    """One quota counted alone. Begins full; `at_s` never goes back by more than it gives nothing."""

    def __init__(self, rate_per_s: float, depth: float) -> None:
        self._rate_per_s = rate_per_s
        self._depth = self._tokens = max(1.0, depth)
        self._at_s: float | None = None

    def take(self, wanted: int, at_s: float) -> tuple[int, float]:
        """How many of `wanted` there are, and in how many seconds there is one again."""
        past_s = 0.0 if self._at_s is None else max(0.0, at_s - self._at_s)
        self._at_s = at_s
        self._tokens = min(self._depth, self._tokens + past_s * self._rate_per_s)
        taken = min(int(self._tokens), wanted)
        self._tokens -= taken
        return taken, 0.0 if taken else (1.0 - self._tokens) / self._rate_per_s


class Meter:
    """One quota in one process: who waits for a token, first come first served."""

    def __init__(self, lease: Lease, *, ahead: int) -> None:
        self._lease = lease
        self._ahead = ahead
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._tokens = 0
        self._tokens_until_s = 0.0
        self._leasing: asyncio.Task[None] | None = None

    async def take(self, patience_s: float) -> bool:
        """Waits for a token, at most `patience_s`; whether there was one."""
        loop = asyncio.get_running_loop()
        if not self._waiting and self._tokens and loop.time() < self._tokens_until_s:
            self._tokens -= 1
            return True
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append(turn)
        if self._leasing is None or self._leasing.done():
            self._leasing = asyncio.create_task(self._serve(), name="quota")
        try:
            done, _ = await asyncio.wait([turn], timeout=max(0.0, patience_s))
        finally:
            turn.cancel()  # without effect on one that has its token
        return bool(done)

    def close(self) -> None:
        if self._leasing is not None:
            self._leasing.cancel()

    async def _serve(self) -> None:
        while self._drop_gone():
            granted, wait_s = await self._lease(len(self._waiting) + self._ahead)
            while granted and self._drop_gone():
                self._waiting.popleft().set_result(None)
                granted -= 1
            self._tokens = granted
            self._tokens_until_s = asyncio.get_running_loop().time() + LEASED_S
            if self._waiting:
                await asyncio.sleep(max(wait_s, LEASE_EVERY_S))

    def _drop_gone(self) -> bool:
        """Forgets who has stopped waiting; whether anybody is left."""
        while self._waiting and self._waiting[0].done():
            self._waiting.popleft()
        return bool(self._waiting)


class Quota:
    """All quotas of one merchant."""

    def __init__(self, meters: Mapping[Budget, Meter]) -> None:
        self._meters = meters
        self._failures = 0
        self._paid = asyncio.Event()
        self._paid.set()

    async def take(self, endpoint: Endpoint, patience_s: float) -> bool:
        """Whether a request may be sent now, after waiting at most `patience_s`."""
        budget = BUDGET_OF.get(endpoint)
        return budget is None or await self._meters[budget].take(patience_s)

    async def failures_paid(self) -> None:
        """Waits while refused refunds are still being paid for."""
        await self._paid.wait()

    async def pay_failure(self) -> None:
        """A refund was refused: waits for the token that this costs."""
        self._failures += 1
        self._paid.clear()
        try:
            await self._meters[Budget.REFUND_FAILURES].take(JOB_PATIENCE_S)
        finally:
            self._failures -= 1
            if not self._failures:
                self._paid.set()

    def close(self) -> None:
        for meter in self._meters.values():
            meter.close()


class Quotas:
    """Makes the quota of each merchant. Without a store every process counts alone, and as if it were the only one."""

    def __init__(self, store: RedisStore | None, *, per_s: Mapping[Budget, float], share_alone: float) -> None:
        self._store = store
        self._per_s = per_s
        self._share_alone = share_alone if store is not None else 1.0

    def of(self, mchid: str) -> Quota:
        return Quota({budget: self._meter(mchid, budget) for budget in Budget})

    def _meter(self, mchid: str, budget: Budget) -> Meter:
        rate_per_s = self._per_s[budget]
        lease = _alone(rate_per_s * self._share_alone)
        if self._store is not None:
            lease = _shared(self._store, quota_key(mchid, budget), rate_per_s, lease)
        return Meter(lease, ahead=int(rate_per_s * AHEAD_S))


def _depth(rate_per_s: float) -> int:
    return max(1, math.floor(rate_per_s * DEPTH_S))


def _alone(rate_per_s: float) -> Lease:
    bucket = TokenBucket(rate_per_s, _depth(rate_per_s))

    async def lease(wanted: int) -> tuple[int, float]:
        return bucket.take(wanted, asyncio.get_running_loop().time())

    return lease


def _shared(store: RedisStore, key: str, rate_per_s: float, alone: Lease) -> Lease:
    script = load_script("payments", "lease")
    depth = _depth(rate_per_s)
    away_until_s = float("-inf")

    async def lease(wanted: int) -> tuple[int, float]:
        nonlocal away_until_s
        loop = asyncio.get_running_loop()
        if loop.time() < away_until_s:
            return await alone(wanted)
        try:
            async with asyncio.timeout(LEASE_MOST_S):
                code, leased, wait_ms = await store.run(script, [key], [repr(rate_per_s), depth, wanted])
        except (RedisAway, TimeoutError):
            away_until_s = loop.time() + AWAY_S
            return await alone(wanted)
        match LeaseCode(code):
            case LeaseCode.EMPTY:
                return 0, wait_ms / 1000
            case LeaseCode.LEASED:
                return leased, 0.0

    return lease
