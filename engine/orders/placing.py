"""Placing an order: Redis decides, PostgreSQL commits, only then the buyer is told.

Two batches follow each other: the reservations of this moment go to Redis as one script, the winners to
PostgreSQL as one transaction. A buyer hears "yes" after the COMMIT. Nobody has a task while waiting: a request is a
future that travels with its claim from batch to batch, and the batch that knows the outcome tells it. When the
outcome of a COMMIT is unknown the same batch is committed again: order numbers make that harmless, and what is already
there is recognised.
"""

import asyncio
import enum
import os
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import structlog

from engine import telemetry
from engine.catalog.records import Sku
from engine.infra.batcher import Gatherer, fail, tell
from engine.infra.outage import Outage, Overloaded, PostgresAway, RedisAway
from engine.line.place import Pass
from engine.orders.book import NoUnitsLeft, OrderBook, Placement, StaleEpoch
from engine.orders.records import (
    ORDER_NO_RANDOM_BYTES,
    Order,
    Wanted,
    order_no_of,
    request_id_of,
)
from engine.orders.telling import tell_paid
from engine.stock.claim import Claim, Item
from engine.stock.codes import ReserveCode
from engine.stock.desk import StockDesk
from engine.stock.stock import Decision, Stock

log = structlog.get_logger(__name__)

RESERVE_SPACING_S = 0.002  # a call through the driver takes 91 microseconds of this worker, whatever the batch
COMMIT_SPACING_S = 0.005  # what a transaction costs beside its rows is shared by the batch
COMMIT_WAITS_S = (0.05, 0.4)  # between the tries of one batch: within the patience of one request
WANTED_COUNT_MAX = 1000  # different baskets whose meaning is remembered


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

Told: TypeAlias = "asyncio.Future[Order | Refused]"  # who waits for the outcome of a request


class Placer:
    """Places the orders of one sale in one worker."""

    def __init__(
        self,
        desk: StockDesk,
        stock: Stock,
        book: OrderBook,
        *,
        reserve_count_max: int,
        commit_count_max: int,
        queue_count_max: int,
        committed: Callable[[float], None] = lambda _: None,
    ) -> None:
        """`committed` is told how many seconds each group commit took, also one that failed."""
        self._committed = committed
        self._desk = desk
        self._stock = stock
        self._book = book
        self._wanted: dict[tuple[Item, ...], Wanted] = {}
        self._skus: Mapping[str, Sku] = {}
        self._asides: set[asyncio.Task[None]] = set()
        self._claims: Gatherer[tuple[Claim, Wanted, Told]] = Gatherer(
            self._reserve,
            batch_count_max=reserve_count_max,
            queue_count_max=queue_count_max,
            spacing_s=RESERVE_SPACING_S,
        )
        self._commits: Gatherer[tuple[Placement, Told]] = Gatherer(
            self._commit,
            batch_count_max=commit_count_max,
            queue_count_max=queue_count_max,
            spacing_s=COMMIT_SPACING_S,
        )

    def place(self, admission: Pass, idempotency_key: str, items: tuple[Item, ...]) -> Told:
        """The order of the pass' buyer, new or the one this key already got; or the refusal. A new one takes the pass.

        The future raises Outage when nothing can be promised now; the same request may then be sent again. It is done
        at once when nobody has to be asked. Raises Overloaded when too many wait.
        """
        buyer = admission.buyer
        told: Told = asyncio.get_running_loop().create_future()
        early = self._desk.rules_out(buyer, items)
        if early is not None:
            told.set_result(REFUSED[early])
            return told
        wanted = self._want(items)
        claim = Claim(
            request_id_of(buyer, idempotency_key),
            wanted.digest,
            buyer,
            order_no_of(os.urandom(ORDER_NO_RANDOM_BYTES)),
            items,
            admission.lane,
            admission.nonce,
        )
        self._claims.add((claim, wanted, told))
        return told

    def _want(self, items: tuple[Item, ...]) -> Wanted:
        """What follows from the items alone, found out once: most buyers ask for one of a few things."""
        skus = self._desk.live.skus
        if skus is not self._skus or len(self._wanted) > WANTED_COUNT_MAX:
            self._skus, self._wanted = skus, {}
        wanted = self._wanted.get(items)
        if wanted is None:
            wanted = self._wanted[items] = Wanted.of(items, [skus[item.sku_id].price_fen for item in items])
        return wanted

    async def _reserve(self, batch: list[tuple[Claim, Wanted, Told]]) -> None:
        """Redis decides; who is held goes on to the group commit."""
        try:
            decisions = await self._desk.reserve([claim for claim, _, _ in batch])
            for (claim, wanted, told), decision in zip(batch, decisions, strict=True):
                if decision.code is ReserveCode.HELD:
                    self._write(Placement(claim, decision.epoch, decision.deadline_ms, wanted), told)
                elif decision.code is ReserveCode.REPEATED:
                    self._aside(self._repeat(replace(claim, order_no=decision.order_no), wanted, decision, told), told)
                else:
                    tell(told, REFUSED[decision.code])
        except Exception as error:
            for _, _, told in batch:
                fail(told, error)

    def _write(self, placement: Placement, told: Told) -> None:
        try:
            self._commits.add((placement, told))
        except Overloaded as overloaded:
            fail(told, overloaded)  # the hold goes back at its deadline

    async def _commit(self, batch: list[tuple[Placement, Told]]) -> None:
        """The group commit; only now anybody hears of an order."""
        sale_id = self._desk.live.sale.sale_id
        try:
            outcomes = await self._commit_until_known([placement for placement, _ in batch])
            for (placement, told), outcome in zip(batch, outcomes, strict=True):
                if outcome is Committed.PLACED:
                    tell(told, placement.order(sale_id))
                else:
                    self._aside(self._explain(placement.claim, outcome, told), told)
        except Exception as error:
            for _, told in batch:
                fail(told, error)

    def _aside(self, answering: Coroutine[Any, Any, None], told: Told) -> None:
        """What is rare has a task of its own."""

        async def see_to_it() -> None:
            try:
                await answering
            except Exception as error:
                fail(told, error)

        task = asyncio.get_running_loop().create_task(see_to_it())
        self._asides.add(task)
        task.add_done_callback(self._asides.discard)

    async def _explain(self, claim: Claim, outcome: Committed, told: Told) -> None:
        """Redis gave units, but no new order was written."""
        match outcome:
            case Committed.REFUSED:
                telemetry.GUARD_REFUSALS.inc()
                await self._give_back(claim)
                tell(told, Refused(ReserveCode.TOO_FEW_LEFT))
            case Committed.STALE:
                self._desk.live.fence()
                tell(told, Refused(ReserveCode.FENCED))
            case Committed.KNOWN | Committed.PLACED:
                tell(told, await self._known(claim))

    async def _repeat(self, claim: Claim, wanted: Wanted, decision: Decision, told: Told) -> None:
        """The first request's order; or, when its worker died before the COMMIT, the same order written now."""
        order = await self._book.read(claim.order_no)
        if order is not None:
            tell(told, order)
        elif decision.deadline_ms == 0:
            raise RedisAway("the hold of this request has just lapsed; send it again")
        else:
            self._write(Placement(claim, decision.epoch, decision.deadline_ms, wanted), told)

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

    async def _commit_until_known(self, placements: list[Placement]) -> list[Committed]:
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
