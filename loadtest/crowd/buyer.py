"""One simulated buyer, from login to the end of their order, acting out a persona through a phone.

A buyer behaves like a person with a mini program: stands in the line until called (`waiting.py`), takes another tier
or fewer units rather than nothing, trusts the screen while every unit is held by others, taps a last time when the
screen says sold out, and claims a new pass when the old one is used up or lost. Whatever the engine answers that no
promise allows becomes a complaint in the journal; an outage is retried by the phone underneath.

It refuses to know the other buyers, the stores or the verdict.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from loadtest.crowd.answers import Order, Refusal, Sale
from loadtest.crowd.cdn import LineCache, Screen
from loadtest.crowd.journal import Journal, Stage
from loadtest.crowd.line import LineDocument, Pass
from loadtest.crowd.paying import Till
from loadtest.crowd.population import NOW, Behaviour, Persona
from loadtest.crowd.protocol import Phone
from loadtest.crowd.tapping import Tapping
from loadtest.crowd.told import Told
from loadtest.crowd.waiting import Left, Waiting
from loadtest.wires.port import Outage


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
    __slots__ = ("_drop", "_journal", "_luck_count", "_persona", "_phone", "_stage", "_tapping", "_till", "_waiting")

    def __init__(self, persona: Persona, phone: Phone, drop: Drop) -> None:
        self._persona = persona
        self._phone = phone
        self._drop = drop
        self._journal = drop.journal
        self._stage = Stage.COMING
        self._luck_count = 0
        self._tapping = Tapping(persona, phone, drop.journal)
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
        await self._tapping.try_what_must_fail(admission)
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
        self._luck_count += 1
        return scale * ((self._persona.whim * 2654435761 + self._luck_count * 40503) % 65536) / 65536

    # Ordering.

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
                answer = await self._tapping.tap(admission, sku=sku, quantity=quantity, sale=self._drop.sale)
                while isinstance(answer, Refusal) and answer.code == "TOO_FEW_LEFT" and quantity > 1:
                    quantity -= 1
                    answer = await self._tapping.tap(admission, sku=sku, quantity=quantity, sale=self._drop.sale)
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
                more = await self._tapping.grab_more(told, admission, waiting=self._waiting, sale=self._drop.sale)
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
