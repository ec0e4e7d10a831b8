"""One simulated buyer, from login to the end of their order, acting out a persona through a phone.

A buyer behaves like a person with a mini program: stands in the line until called (`waiting.py`), takes another tier
or fewer units rather than nothing, trusts the screen while every unit is held by others, taps a last time when the
screen says sold out, and claims a new pass when the old one is used up or lost. Whatever the engine answers that no
promise allows becomes a complaint in the journal; an outage is retried by the phone underneath.

It refuses to know the other buyers, the stores or the verdict.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass

from loadtest.books.verdict import Told, reachable
from loadtest.crowd.cdn import LineCache, Screen
from loadtest.crowd.journal import Journal, Stage
from loadtest.crowd.line import LineDocument, Pass
from loadtest.crowd.paying import Till
from loadtest.crowd.population import NOW, Behaviour, Persona
from loadtest.crowd.protocol import Order, Phone, Refusal, Sale
from loadtest.crowd.waiting import Left, Waiting
from loadtest.wires.port import Outage

ANY_TIME = frozenset({"SOLD_OUT", "HELD_BY_OTHERS", "TOO_FEW_LEFT", "PAUSED"})
"""What may be answered to any order, because a worker looks at its snapshot before anything else."""
NONSENSE: tuple[object, ...] = (0, -1, 2**31, 2**63, 1.5, "1", True, None)


@dataclass(frozen=True, slots=True)
class Drop:
    """What all buyers of a process share. `opens_at` is a moment of the wire's clock, in seconds."""

    sale: Sale
    cache: LineCache
    screen: Screen
    journal: Journal
    opens_at: float
    wall_ms: Callable[[], int]


async def arrive(phone: Phone, drop: Drop, *, at_s: float) -> None:
    """Wait for one's moment, which counts from the opening, and set out; NOW is always now."""
    if at_s == NOW:
        drop.journal.arrive(lag_s=0.0)
        return
    moment_s = drop.opens_at + at_s
    await phone.until(moment_s)
    drop.journal.arrive(lag_s=max(0.0, phone.now() - moment_s))


class Buyer:
    __slots__ = ("_drop", "_journal", "_key_count", "_persona", "_phone", "_stage", "_till", "_waiting")

    def __init__(self, persona: Persona, phone: Phone, drop: Drop) -> None:
        self._persona = persona
        self._phone = phone
        self._drop = drop
        self._journal = drop.journal
        self._stage = Stage.COMING
        self._key_count = 0
        self._till = Till(persona, phone, drop.journal, wall_ms=drop.wall_ms)
        self._waiting = Waiting(
            persona,
            phone,
            cache=drop.cache,
            screen=drop.screen,
            journal=drop.journal,
            opens_at=drop.opens_at,
            luck=self._luck,
        )

    async def act(self) -> None:
        """Live through the whole drop. Cancelled when the run ends, which counts as still asking."""
        try:
            await self._act()
        except Outage:
            self._journal.remember(self._phone)
            self._leave("met an outage too long")
        except asyncio.CancelledError:
            self._journal.remember(self._phone)
            if self._stage in (Stage.WAITING, Stage.ASKING):
                self._still_wants()
                self._leave("still asking at the end")
            raise

    async def _act(self) -> None:
        await arrive(self._phone, self._drop, at_s=self._persona.arrives_s)
        self._enter(Stage.WAITING)
        if not self._phone.is_logged_in and (refusal := await self._phone.login()) is not None:
            return self._leave(f"login refused: {refusal.code}")
        left = await self._waiting.join()
        if left is None and self._persona.stops_after == "line":
            return self._leave("went no further than the line")
        left = left or await self._waiting.until_called()
        if left is not None:
            return self._leave_line(left)
        admission = await self._waiting.claim()
        if isinstance(admission, Left):
            return self._leave_line(admission)
        self._enter(Stage.ASKING)
        await self._try_it_on(admission)
        self._journal.spare_pass = (self._persona.openid, admission)
        told = await self._shop(admission)
        if told is not None:
            self._enter(Stage.HOLDING)
            if self._persona.stops_after == "order":
                return self._leave("went no further than the order")
            await self._conclude(told, admission)
        return None

    def _leave_line(self, left: Left) -> None:
        if left.wanting:
            self._still_wants()
        self._leave(left.why)

    def _look_again_s(self, document: LineDocument, *, eta_s: float) -> float:
        return document.poll.wait_s(eta_s=eta_s, luck=self._luck(1.0))

    def _luck(self, scale: float) -> float:
        """Spreads buyers out, the same way in every run with the same seed."""
        self._key_count += 1
        return scale * ((self._persona.whim * 2654435761 + self._key_count * 40503) % 65536) / 65536

    # Ordering.

    async def _try_it_on(self, admission: Pass) -> None:
        """What must not work, tried before what should."""
        sku = self._persona.wishes[0]
        if self._persona.behaviour is Behaviour.FOREIGN_PASS:
            spare = self._journal.spare_pass
            stolen = spare[1] if spare else Pass(admission.seal[:-2] + "AA", admission.ends_ms)
            answer = await self._phone.order(stolen, key=self._key(), items=[{"sku": sku, "quantity": 1}])
            self._expect_refusal(answer, codes={"PASS_INVALID"}, what="an order with another's pass")
        elif self._persona.behaviour is Behaviour.BAD_QUANTITY:
            quantity = NONSENSE[self._persona.whim % len(NONSENSE)]
            items = [{"sku": sku, "quantity": quantity}]
            answer = await self._phone.order(admission, key=self._key(), items=items)
            self._expect_refusal(
                answer, codes={"ITEMS_INVALID", "QUANTITY_INVALID", "ORDER_LIMIT"}, what=f"a quantity of {quantity!r}"
            )

    def _expect_refusal(self, answer: Order | Refusal, *, codes: Collection[str], what: str) -> None:
        if isinstance(answer, Order):
            self._journal.acknowledge(self._phone, answer)
            self._journal.complain(f"{what} was accepted")
        elif answer.code not in codes:
            self._journal.complain(f"{what} was answered {answer.status} {answer.code}")

    async def _shop(self, admission: Pass) -> Told | None:
        """Tap until an order is held, the sale is sold out, or patience ends."""
        journal, phone = self._journal, self._phone
        patience_ends = phone.now() + self._persona.patience_s
        quantity = self._persona.quantity
        open_wishes = list(self._persona.wishes)
        has_tapped = False
        while open_wishes:
            document = await self._drop.screen.look(phone)
            is_last_tap = document.is_sold_out
            for sku in list(open_wishes):
                band = document.bands.get(sku, "plenty")
                if has_tapped and not is_last_tap and band in {"held", "none"}:
                    continue
                answer = await self._tap(admission, sku=sku, quantity=quantity)
                while isinstance(answer, Refusal) and answer.code == "TOO_FEW_LEFT" and quantity > 1:
                    quantity -= 1
                    answer = await self._tap(admission, sku=sku, quantity=quantity)
                has_tapped = True
                if isinstance(answer, Order):
                    return journal.acknowledge(self._phone, answer)
                match answer.code:
                    case "SOLD_OUT":
                        open_wishes.remove(sku)
                    case "HELD_BY_OTHERS" | "TOO_FEW_LEFT":
                        pass
                    case "PAUSED" | "NOT_OPEN" | "TOO_OFTEN" | "LANE_QUOTA":
                        await self._phone.rest((answer.retry_after_ms or 500) / 1000)
                    case "PASS_SPENT":
                        # It ran out while others held the rest, or was lost with Redis: the place is good for another.
                        again = await self._waiting.claim()
                        if isinstance(again, Left):
                            self._leave_line(again)
                            return None
                        admission = again
                    case _:
                        journal.complain(f"an ordinary order was refused with {answer.status} {answer.code}")
                        self._leave(f"order refused: {answer.code}")
                        return None
            if not open_wishes:
                break
            if phone.now() > patience_ends:
                self._leave("gave up while others hold the rest")
                return None
            await self._phone.rest(self._look_again_s(document, eta_s=0))
        self._still_wants()
        self._leave("told: sold out")
        return None

    async def _tap(self, admission: Pass, *, sku: str, quantity: int) -> Order | Refusal:
        key, items = self._key(), [{"sku": sku, "quantity": quantity}]
        match self._persona.behaviour:
            case Behaviour.DOUBLE_TAPS:
                return await self._tap_twice(admission, key=key, items=items)
            case Behaviour.REPEATS:
                answer = await self._tap_twice(admission, key=key, items=items)
                if isinstance(answer, Order):
                    await self._tap_again(admission, key=key, items=items, first=answer)
                return answer
            case _:
                return await self._phone.order(admission, key=key, items=items)

    async def _tap_twice(self, admission: Pass, *, key: str, items: object) -> Order | Refusal:
        """Two requests in flight under one key: one order, whatever overtakes what."""
        both = await self._phone.together(
            self._phone.order(admission, key=key, items=items),
            self._phone.order(admission, key=key, items=items),
        )
        # Which answer is the older one cannot be seen; the state with more future before it is.
        orders = sorted(
            (answer for answer in both if isinstance(answer, Order)), key=lambda order: -len(reachable(order.state))
        )
        for order in orders:
            self._journal.acknowledge(self._phone, order)
        if len({order.order_no for order in orders}) > 1:
            self._journal.complain("one key gave two orders", about=orders[0].order_no)
        return orders[-1] if orders else both[0]

    async def _tap_again(self, admission: Pass, *, key: str, items: object, first: Order) -> None:
        """After the answer: the same request gives the same order, another body under its key none."""
        again = await self._phone.order(admission, key=key, items=items)
        if isinstance(again, Refusal):
            self._journal.complain(f"a repeated order was refused with {again.code}", about=first.order_no)
        elif again.order_no != first.order_no:
            self._journal.acknowledge(self._phone, again)
            self._journal.complain("one key gave two orders", about=first.order_no)
        other = [{"sku": sku, "quantity": quantity % 4 + 1} for sku, quantity in first.units]
        self._expect_refusal(
            await self._phone.order(admission, key=key, items=other), codes={"KEY_REUSED"}, what="a reused key"
        )

    def _key(self) -> str:
        self._key_count += 1
        return f"{self._persona.openid}-{self._key_count}"

    # After the order.

    async def _conclude(self, told: Told, admission: Pass) -> None:
        persona, till = self._persona, self._till
        why: str | None
        match persona.behaviour:
            case Behaviour.ABANDONS:
                if persona.whim % 2:
                    await till.begin_payment(told)
                why = "let the hold lapse"
            case Behaviour.PAYS_NEAR_DEADLINE | Behaviour.PAYS_AFTER_DEADLINE:
                why = await till.pay_late(told)
            case Behaviour.MONEY_AFTER_RELEASE:
                why = await till.pay_after_release(told)
            case Behaviour.CANCELS_HELD:
                await self._phone.rest(persona.think_s)
                why = await till.cancel(told)
            case Behaviour.CANCELS_PAYING:
                await self._phone.rest(persona.think_s)
                await till.begin_payment(told)
                why = await till.cancel(told)
            case Behaviour.GREEDY:
                more = await self._grab_more(told, admission)
                why = await till.pay_in_time(told)
                if more is not None:
                    why = await till.pay_in_time(more)
            case (
                Behaviour.PAYS
                | Behaviour.REPEATS
                | Behaviour.DOUBLE_TAPS
                | Behaviour.FOREIGN_PASS
                | Behaviour.BAD_QUANTITY
                | Behaviour.NO_BALANCE
                | Behaviour.VANISHES
            ):
                why = await till.pay_in_time(told)
        if why is None:
            self._enter(Stage.PAID)
        else:
            self._leave(why)

    async def _grab_more(self, told: Told, admission: Pass) -> Told | None:
        """One order more than the pass allows, one more than the limit allows, then one that fits."""
        mine = sum(quantity for _, quantity in told.units)
        room = self._drop.sale.per_buyer_max - mine
        sku = told.units[0][0]
        most = next(row.per_order_max for row in self._drop.sale.skus if row.sku == sku)
        answer = await self._phone.order(admission, key=self._key(), items=[{"sku": sku, "quantity": 1}])
        self._expect_refusal(answer, codes={"PASS_SPENT", *ANY_TIME}, what="a second order on one pass")
        again = await self._waiting.claim()
        if isinstance(again, Left):
            return None
        if room < most:
            answer = await self._phone.order(again, key=self._key(), items=[{"sku": sku, "quantity": room + 1}])
            self._expect_refusal(
                answer, codes={"BUYER_LIMIT", "PASS_SPENT", *ANY_TIME}, what="more than one buyer may have"
            )
        if room < 1:
            return None
        answer = await self._phone.order(again, key=self._key(), items=[{"sku": sku, "quantity": 1}])
        return self._journal.acknowledge(self._phone, answer) if isinstance(answer, Order) else None

    # Where this buyer is.

    def _enter(self, stage: Stage) -> None:
        self._journal.move(self._stage, stage)
        self._stage = stage

    def _leave(self, why: str) -> None:
        self._journal.leavings[why] += 1
        self._enter(Stage.LEFT)

    def _still_wants(self) -> None:
        for sku in self._persona.wishes:
            self._journal.wanted[sku] += self._persona.quantity
