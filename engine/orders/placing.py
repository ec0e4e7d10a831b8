"""Placing an order: Redis decides, PostgreSQL commits, only then the buyer is told.

Two batches follow each other: the reservations of this moment go to Redis as one script, the winners to
PostgreSQL as one transaction. A buyer hears "yes" after the COMMIT. When the outcome of a COMMIT is unknown the
same batch is committed again: order numbers make that harmless, and what is already there is recognised.
"""

import asyncio
import enum
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import structlog

from engine import telemetry
from engine.infra.batcher import Batcher
from engine.infra.outage import Outage, PostgresAway, RedisAway
from engine.line.place import Pass
from engine.orders.book import NoUnitsLeft, OrderBook, Placement, StaleEpoch
from engine.orders.records import (
    ORDER_NO_RANDOM_BYTES,
    Order,
    body_digest_of,
    order_no_of,
    request_id_of,
)
from engine.orders.telling import tell_paid
from engine.stock.claim import Claim, Item
from engine.stock.codes import ReserveCode
from engine.stock.desk import StockDesk
from engine.stock.stock import Decision, Stock

log = structlog.get_logger(__name__)

COMMIT_SPACING_S = 0.005  # what a transaction costs beside its rows is shared by the batch
COMMIT_WAITS_S = (0.05, 0.4)  # between the tries of one batch: within the patience of one request


class Committed(enum.Enum):
    """What became of one placement."""

    PLACED = "placed"
    KNOWN = "known"
    REFUSED = "refused"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Refused:
    """No order, and why."""

    code: ReserveCode


REFUSED = {code: Refused(code) for code in ReserveCode}  # made once: most answers are one of these


class Placer:
    """Places the orders of one sale in one worker."""

    def __init__(
        self,
        desk: StockDesk,
        stock: Stock,
        book: OrderBook,
        *,
        commit_count_max: int,
        queue_count_max: int,
        committed: Callable[[float], None] = lambda _: None,
    ) -> None:
        """`committed` is told how many seconds each group commit took, also one that failed."""
        self._committed = committed
        self._desk = desk
        self._stock = stock
        self._book = book
        self._commits: Batcher[Placement, Committed] = Batcher(
            self._commit,
            batch_count_max=commit_count_max,
            queue_count_max=queue_count_max,
            spacing_s=COMMIT_SPACING_S,
        )

    async def place(self, admission: Pass, idempotency_key: str, items: tuple[Item, ...]) -> Order | Refused:
        """The order of the pass' buyer, new or the one this key already got; or the refusal. A new one takes the pass.

        Raises Outage when nothing can be promised now; the same request may then be sent again.
        """
        buyer = admission.buyer
        early = self._desk.rules_out(buyer, items)
        if early is not None:
            return REFUSED[early]
        claim = Claim(
            request_id_of(buyer, idempotency_key),
            body_digest_of(items),
            buyer,
            order_no_of(os.urandom(ORDER_NO_RANDOM_BYTES)),
            items,
            admission.lane,
            admission.nonce,
        )
        decision = await self._desk.reserve(claim)
        if decision.code is ReserveCode.HELD:
            return await self._write(claim, decision.epoch, decision.deadline_ms)
        if decision.code is ReserveCode.REPEATED:
            return await self._repeat(replace(claim, order_no=decision.order_no), decision)
        return REFUSED[decision.code]

    async def _write(self, claim: Claim, epoch: int, deadline_ms: int) -> Order | Refused:
        skus = self._desk.live.skus
        prices_fen = tuple(skus[item.sku_id].price_fen for item in claim.items)
        placement = Placement(claim, epoch, deadline_ms, prices_fen)
        match await self._commits.submit(placement):
            case Committed.PLACED:
                return placement.order(self._desk.live.sale.sale_id)
            case Committed.REFUSED:
                telemetry.GUARD_REFUSALS.inc()
                await self._give_back(claim)
                return Refused(ReserveCode.TOO_FEW_LEFT)
            case Committed.STALE:
                self._desk.live.fence()
                return Refused(ReserveCode.FENCED)
            case Committed.KNOWN:
                return await self._known(claim)

    async def _repeat(self, claim: Claim, decision: Decision) -> Order | Refused:
        """The first request's order; or, when its worker died before the COMMIT, the same order written now."""
        order = await self._book.read(claim.order_no)
        if order is not None:
            return order
        if decision.deadline_ms == 0:
            raise RedisAway("the hold of this request has just lapsed; send it again")
        return await self._write(claim, decision.epoch, decision.deadline_ms)

    async def _known(self, claim: Claim) -> Order | Refused:
        """The book had this order, or another one of the same request that Redis had forgotten."""
        order_no = claim.order_no
        order = await self._book.read(order_no)
        if order is None:
            found = await self._book.find_requests(self._desk.live.sale.sale_id, [claim.request_id])
            order_no = found.get(claim.request_id, order_no)
            order = await self._book.read(order_no)
            await self._give_back(claim)
        if order is None:
            raise PostgresAway(f"order {claim.order_no} was neither written nor found")
        return order if order.body_digest == claim.body_digest else Refused(ReserveCode.KEY_REUSED)

    async def _give_back(self, claim: Claim) -> None:
        """Return a hold that will never become an order. If Redis is away its deadline does the same."""
        try:
            await self._stock.release(self._desk.live.keys, self._desk.live.epoch, [claim.order_no], forget=True)
        except Outage as outage:
            log.warning("hold_left_to_its_deadline", reason=str(outage))

    async def _commit(self, placements: list[Placement]) -> list[Committed]:
        """The group commit."""
        for wait_s in (*COMMIT_WAITS_S, None):
            try:
                return await self._commit_once(placements)
            except PostgresAway:
                telemetry.COMMIT_RETRIES.inc()
                if wait_s is None:
                    raise
                await asyncio.sleep(wait_s)
        raise AssertionError("unreachable")

    async def _commit_once(self, placements: Sequence[Placement]) -> list[Committed]:
        """One transaction for every placement of the epoch in force. A hold of an older epoch is gone from Redis,
        so its order must not be written."""
        live = self._desk.live
        epoch = live.epoch
        current = [placement for placement in placements if placement.epoch == epoch]
        if not current:
            return [Committed.STALE] * len(placements)
        try:
            placed = await self._timed(self._book.place(live.sale.sale_id, epoch, current))
        except StaleEpoch:
            return [Committed.STALE] * len(placements)
        except NoUnitsLeft:
            if len(placements) == 1:
                return [Committed.REFUSED]
            # One bad row must not fail its neighbours: each gets its own transaction.
            return [(await self._commit_once([placement]))[0] for placement in placements]
        telemetry.COMMIT_ORDERS.observe(len(current))
        free = [one.claim.order_no for one in current if not one.amount_fen and one.claim.order_no in placed]
        if free:
            await tell_paid(live, self._stock, self._book, free)
        return [_outcome(placement, epoch, placed) for placement in placements]

    async def _timed(self, commit: Awaitable[set[str]]) -> set[str]:
        began_s = time.monotonic()
        try:
            with telemetry.COMMIT_SECONDS.time():
                return await commit
        finally:
            self._committed(time.monotonic() - began_s)


def _outcome(placement: Placement, epoch: int, placed: set[str]) -> Committed:
    if placement.epoch != epoch:
        return Committed.STALE
    return Committed.PLACED if placement.claim.order_no in placed else Committed.KNOWN
