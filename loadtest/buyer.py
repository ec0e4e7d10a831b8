"""One simulated buyer, from login to the end of their order, acting out a persona through a phone.

A buyer behaves like a person with a mini program: joins the line, looks at the shared document as its poll
policy says, taps when their turn comes, takes another tier or fewer units rather than nothing, trusts the
screen while every unit is held by others, and taps a last time when the screen says sold out. Whatever the
engine answers that no promise allows becomes a complaint in the journal; an outage is retried by the phone
underneath.

It refuses to know the other buyers, the stores or the verdict.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from loadtest.cdn import REFRESH_S, LineCache
from loadtest.journal import Journal, Stage
from loadtest.population import Behaviour, Persona
from loadtest.protocol import LineDocument, Order, Pass, Phone, Place, Refusal, Sale, Wallet
from loadtest.verdict import Told, reachable
from loadtest.wire import Outage

NONSENSE: tuple[object, ...] = (0, -1, 2**31, 2**63, 1.5, "1", True, None)
FOLLOW_FIRST_S = 0.4
FOLLOW_MAX_S = 2.0
PAY_ATTEMPTS = 3
FIRST_TRY = {Behaviour.NO_BALANCE: "no_balance", Behaviour.VANISHES: "pay_then_vanish"}
"""What these do in the cashier at first, in the simulator's words."""
SETTLED = frozenset({"paid", "refunded", "refund_failed"})


@dataclass(frozen=True, slots=True)
class Drop:
    """What all buyers of a run share. Times are those of the event loop, in seconds."""

    sale: Sale
    cache: LineCache
    journal: Journal
    opens_at: float
    clock: Callable[[], float]
    wall_ms: Callable[[], int]


class Buyer:
    __slots__ = ("_drop", "_journal", "_key_count", "_persona", "_phone", "_stage")

    def __init__(self, persona: Persona, phone: Phone, drop: Drop) -> None:
        self._persona = persona
        self._phone = phone
        self._drop = drop
        self._journal = drop.journal
        self._stage = Stage.COMING
        self._key_count = 0

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
        arrives_at = self._drop.opens_at + self._persona.arrives_s
        await asyncio.sleep(arrives_at - self._drop.clock())
        self._journal.arrival_lag_s.append(max(0.0, self._drop.clock() - arrives_at))
        self._enter(Stage.WAITING)
        refusal = await self._phone.login()
        if refusal is not None:
            return self._leave(f"login refused: {refusal.code}")
        place = await self._phone.join()
        if isinstance(place, Refusal):
            return self._leave(f"place refused: {place.code}")
        if not await self._wait_for_turn(place):
            self._still_wants()
            return self._leave("sold out while in the line")
        admission = await self._claim(place)
        if isinstance(admission, Refusal):
            return self._leave(f"pass refused: {admission.code}")
        self._enter(Stage.ASKING)
        await self._try_it_on(admission)
        self._journal.spare_pass = (self._persona.openid, admission)
        told = await self._shop(admission)
        if told is not None:
            self._enter(Stage.HOLDING)
            await self._conclude(told, admission)
        return None

    # The line.

    async def _wait_for_turn(self, place: Place) -> bool:
        """Poll the shared document until the head reaches this place; False when all is sold before."""
        while True:
            document = self._drop.cache.look()
            if document.phase == "ended" or (document.is_sold_out and place.position > document.head):
                return False
            if document.phase == "open" and place.position <= document.head:
                return True
            opens_in_s = max(0.0, self._drop.opens_at - self._drop.clock())
            wait_s = self._look_again_s(document, eta_s=opens_in_s + document.eta_s(position=place.position))
            # Whoever counts down looks right after the opening, as soon as the CDN can know of it.
            at_opening_s = opens_in_s + REFRESH_S + 0.1 + self._luck(0.5)
            await asyncio.sleep(min(wait_s, at_opening_s) if opens_in_s else wait_s)

    async def _claim(self, place: Place) -> Pass | Refusal:
        while True:
            admission = await self._phone.claim(place)
            if isinstance(admission, Pass) or admission.code not in {"NOT_YOUR_TURN", "NOT_OPEN", "PAUSED"}:
                return admission
            await asyncio.sleep((admission.retry_after_ms or 500) / 1000)

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
            stolen = spare[1] if spare else Pass(admission.seal[:-2] + "AA", admission.expires_ms)
            answer = await self._phone.order(stolen, key=self._key(), items=[{"sku": sku, "quantity": 1}])
            self._expect_refusal(answer, status=403, what="an order with another's pass")
        elif self._persona.behaviour is Behaviour.BAD_QUANTITY:
            quantity = NONSENSE[self._persona.whim % len(NONSENSE)]
            items = [{"sku": sku, "quantity": quantity}]
            answer = await self._phone.order(admission, key=self._key(), items=items)
            self._expect_refusal(answer, status=422, what=f"a quantity of {quantity!r}")

    def _expect_refusal(self, answer: Order | Refusal, *, status: int, what: str) -> None:
        if isinstance(answer, Order):
            self._journal.acknowledge(self._phone, answer)
            self._journal.complain(f"{what} was accepted")
        elif answer.status != status:
            self._journal.complain(f"{what} was answered {answer.status} {answer.code}, not {status}")

    async def _shop(self, admission: Pass) -> Told | None:
        """Tap until an order is held, the sale is sold out, or patience ends."""
        journal, cache, clock = self._journal, self._drop.cache, self._drop.clock
        patience_ends = clock() + self._persona.patience_s
        quantity = self._persona.quantity
        open_wishes = list(self._persona.wishes)
        has_tapped = False
        while open_wishes:
            document = cache.look()
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
                    case "PAUSED" | "NOT_OPEN" | "NOT_YOUR_TURN":
                        await asyncio.sleep((answer.retry_after_ms or 500) / 1000)
                    case _:
                        journal.complain(f"an ordinary order was refused with {answer.status} {answer.code}")
                        self._leave(f"order refused: {answer.code}")
                        return None
            if not open_wishes:
                break
            if clock() > patience_ends:
                self._leave("gave up while others hold the rest")
                return None
            await asyncio.sleep(self._look_again_s(document, eta_s=0))
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
        both = await asyncio.gather(
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
        self._expect_refusal(await self._phone.order(admission, key=key, items=other), status=409, what="a reused key")

    def _key(self) -> str:
        self._key_count += 1
        return f"{self._persona.openid}-{self._key_count}"

    # After the order.

    async def _conclude(self, told: Told, admission: Pass) -> None:
        persona = self._persona
        match persona.behaviour:
            case Behaviour.ABANDONS:
                if persona.whim % 2:
                    await self._begin_payment(told)
                self._leave("let the hold lapse")
            case Behaviour.PAYS_NEAR_DEADLINE | Behaviour.PAYS_AFTER_DEADLINE:
                await self._pay_late(told)
            case Behaviour.MONEY_AFTER_RELEASE:
                await self._pay_after_release(told)
            case Behaviour.CANCELS_HELD:
                await asyncio.sleep(persona.think_s)
                await self._cancel(told)
            case Behaviour.CANCELS_PAYING:
                await asyncio.sleep(persona.think_s)
                await self._begin_payment(told)
                await self._cancel(told)
            case Behaviour.GREEDY:
                more = await self._grab_more(told, admission)
                await self._pay_in_time(told)
                if more is not None:
                    await self._pay_in_time(more)
            case (
                Behaviour.PAYS
                | Behaviour.REPEATS
                | Behaviour.DOUBLE_TAPS
                | Behaviour.FOREIGN_PASS
                | Behaviour.BAD_QUANTITY
                | Behaviour.NO_BALANCE
                | Behaviour.VANISHES
            ):
                await self._pay_in_time(told)

    async def _grab_more(self, told: Told, admission: Pass) -> Told | None:
        """One order more than the limit allows, then one that fits."""
        mine = sum(quantity for _, quantity in told.units)
        room = self._drop.sale.per_buyer_max - mine
        sku = told.units[0][0]
        most = next(row.per_order_max for row in self._drop.sale.skus if row.sku == sku)
        if room < most:
            answer = await self._phone.order(admission, key=self._key(), items=[{"sku": sku, "quantity": room + 1}])
            self._expect_refusal(answer, status=409, what="more than one buyer may have")
        if room < 1:
            return None
        answer = await self._phone.order(admission, key=self._key(), items=[{"sku": sku, "quantity": 1}])
        return self._journal.acknowledge(self._phone, answer) if isinstance(answer, Order) else None

    async def _pay_in_time(self, told: Told) -> None:
        await asyncio.sleep(self._persona.think_s)
        vanishes = self._persona.behaviour is Behaviour.VANISHES
        in_cashier = FIRST_TRY.get(self._persona.behaviour, "pay")
        for _ in range(PAY_ATTEMPTS):
            parameters = await self._begin_payment(told)
            if parameters is None:
                break
            wallet = await self._pay(told, parameters, in_cashier=in_cashier)
            if wallet.is_paid or vanishes:
                return await self._follow(told)
            in_cashier = "pay"
        # The order may be paid all the same (an earlier answer was lost), or has lapsed under an outage.
        await self._read(told)
        return self._enter(Stage.PAID) if told.state == "paid" else self._leave("could not pay")

    async def _pay_late(self, told: Told) -> None:
        """WeChat may take the money or say that the order is closed; what counts is that the books agree."""
        parameters = await self._begin_payment(told)
        until_s = (told.deadline_ms - self._drop.wall_ms()) / 1000 + self._persona.deadline_offset_s
        await asyncio.sleep(max(0.0, until_s))
        if parameters is not None and (await self._pay(told, parameters)).is_paid:
            return await self._follow(told)
        return self._leave("came too late to pay")

    async def _pay_after_release(self, told: Told) -> None:
        if await self._begin_payment(told) is None:
            return self._leave("could not pay")
        await asyncio.sleep(max(0.0, (told.deadline_ms - self._drop.wall_ms()) / 1000))
        while told.state not in SETTLED and told.state != "released":
            await asyncio.sleep(FOLLOW_MAX_S)
            await self._read(told)
        wallet = await self._phone.pay_regardless(told.order_no)
        self._remember(told, wallet)
        return await self._follow(told) if wallet.is_paid else self._leave("could not pay")

    async def _begin_payment(self, told: Told) -> dict[str, object] | None:
        parameters = await self._phone.payment(told.order_no)
        if isinstance(parameters, Refusal):
            if parameters.code != "NOT_PAYABLE" or self._drop.wall_ms() < told.deadline_ms - 500:
                await self._read(told)
                if told.state != "paid":
                    what = f"a payment in time was refused with {parameters.code}"
                    self._journal.complain(what, about=told.order_no)
            return None
        return parameters

    async def _pay(self, told: Told, parameters: dict[str, object], *, in_cashier: str = "pay") -> Wallet:
        wallet = await self._phone.pay(parameters, behaviour=in_cashier)
        self._remember(told, wallet)
        return wallet

    def _remember(self, told: Told, wallet: Wallet) -> None:
        if wallet.transaction_id is not None:
            told.transactions.add(wallet.transaction_id)

    async def _follow(self, told: Told) -> None:
        """Read the order until the engine has decided about the money."""
        wait_s = FOLLOW_FIRST_S
        while told.state not in SETTLED:
            await asyncio.sleep(wait_s)
            wait_s = min(1.5 * wait_s, FOLLOW_MAX_S)
            await self._read(told)
        if told.state == "paid":
            self._enter(Stage.PAID)
        else:
            self._leave("paid too late, refunded")

    async def _read(self, told: Told) -> None:
        order = await self._phone.read(told.order_no)
        if isinstance(order, Order):
            self._journal.update(told, order.state)
        else:
            self._journal.complain(f"one's own order could not be read: {order.code}", about=told.order_no)

    async def _cancel(self, told: Told) -> None:
        state = await self._phone.cancel(told.order_no)
        if isinstance(state, str):
            self._journal.update(told, state)
        elif state.code != "NOT_CANCELLABLE" or self._drop.wall_ms() < told.deadline_ms - 500:
            self._journal.complain(f"a cancellation was refused with {state.code}", about=told.order_no)
        self._leave("cancelled")

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
