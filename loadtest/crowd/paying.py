"""What one buyer does with a held order: pays it in time, late, or never, or gives it back.

Each way ends with None, the order is paid, or with the reason why it is not. What no promise allows is a complaint.
"""

from __future__ import annotations

from collections.abc import Callable

from loadtest.crowd.answers import Order, Refusal, Wallet
from loadtest.crowd.journal import Journal
from loadtest.crowd.population import Behaviour, Persona
from loadtest.crowd.protocol import Phone
from loadtest.crowd.told import Told

FOLLOW_FIRST_S = 0.4
FOLLOW_MAX_S = 2.0
PAY_ATTEMPTS = 3
FIRST_TRY = {Behaviour.NO_BALANCE: "no_balance", Behaviour.VANISHES: "pay_then_vanish"}
"""What these do in the cashier at first, in the simulator's words."""
SETTLED = frozenset({"paid", "refunded", "refund_failed"})


class Till:
    """The cashier as one buyer meets it. `wall_ms` tells the time on the phone. Everything here may raise Outage."""

    __slots__ = ("_journal", "_persona", "_phone", "_wall_ms")

    def __init__(self, persona: Persona, phone: Phone, journal: Journal, *, wall_ms: Callable[[], int]) -> None:
        self._persona = persona
        self._phone = phone
        self._journal = journal
        self._wall_ms = wall_ms

    async def pay_in_time(self, told: Told) -> str | None:
        await self._phone.rest(self._persona.think_s)
        vanishes = self._persona.behaviour is Behaviour.VANISHES
        in_cashier = FIRST_TRY.get(self._persona.behaviour, "pay")
        for _ in range(PAY_ATTEMPTS):
            parameters = await self.begin_payment(told)
            if parameters is None:
                break
            wallet = await self._pay(told, parameters, in_cashier=in_cashier)
            if wallet.is_paid or vanishes:
                return await self._follow(told)
            in_cashier = "pay"
        # The order may be paid all the same (an earlier answer was lost), or has lapsed under an outage.
        await self._read(told)
        return None if told.state == "paid" else "could not pay"

    async def pay_late(self, told: Told) -> str | None:
        """WeChat may take the money or say that the order is closed; what counts is that the books agree."""
        parameters = await self.begin_payment(told)
        until_s = (told.deadline_ms - self._wall_ms()) / 1000 + self._persona.deadline_offset_s
        await self._phone.rest(max(0.0, until_s))
        if parameters is not None and (await self._pay(told, parameters)).is_paid:
            return await self._follow(told)
        return "came too late to pay"

    async def pay_after_release(self, told: Told) -> str | None:
        if await self.begin_payment(told) is None:
            return "could not pay"
        await self._phone.rest(max(0.0, (told.deadline_ms - self._wall_ms()) / 1000))
        while told.state not in SETTLED and told.state != "released":
            await self._phone.rest(FOLLOW_MAX_S)
            await self._read(told)
        wallet = await self._phone.pay_regardless(told.order_no)
        self._remember(told, wallet)
        return await self._follow(told) if wallet.is_paid else "could not pay"

    async def begin_payment(self, told: Told) -> dict[str, object] | None:
        parameters = await self._phone.payment(told.order_no)
        if isinstance(parameters, Refusal):
            if parameters.code != "NOT_PAYABLE" or self._wall_ms() < told.deadline_ms - 500:
                await self._read(told)
                if told.state != "paid":
                    what = f"a payment in time was refused with {parameters.code}"
                    self._journal.complain(what, about=told.order_no)
            return None
        return parameters

    async def cancel(self, told: Told) -> str:
        state = await self._phone.cancel(told.order_no)
        if isinstance(state, str):
            self._journal.update(told, state)
        elif state.code != "NOT_CANCELLABLE" or self._wall_ms() < told.deadline_ms - 500:
            self._journal.complain(f"a cancellation was refused with {state.code}", about=told.order_no)
        return "cancelled"

    async def _pay(self, told: Told, parameters: dict[str, object], *, in_cashier: str = "pay") -> Wallet:
        wallet = await self._phone.pay(parameters, behaviour=in_cashier)
        self._remember(told, wallet)
        return wallet

    def _remember(self, told: Told, wallet: Wallet) -> None:
        if wallet.transaction_id is not None:
            told.transactions.add(wallet.transaction_id)

    async def _follow(self, told: Told) -> str | None:
        """Read the order until the engine has decided about the money."""
        wait_s, began_s = FOLLOW_FIRST_S, self._phone.now()
        while told.state not in SETTLED:
            await self._phone.rest(wait_s)
            wait_s = min(1.5 * wait_s, FOLLOW_MAX_S)
            await self._read(told)
        if told.state == "paid":
            self._journal.paid(waited_s=self._phone.now() - began_s)
            return None
        return "paid too late, refunded"

    async def _read(self, told: Told) -> None:
        order = await self._phone.read(told.order_no)
        if isinstance(order, Order):
            self._journal.update(told, order.state)
        else:
            self._journal.complain(f"one's own order could not be read: {order.code}", about=told.order_no)
