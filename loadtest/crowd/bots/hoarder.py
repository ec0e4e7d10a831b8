"""Several accounts of one owner that stand in the line as anybody does, reserve as much as they may, and never pay.

The limits of a buyer hold for each of them, and what they took is for sale again after the hold: whether it is, they
look themselves.
"""

from __future__ import annotations

from loadtest.crowd.answers import Order, Refusal
from loadtest.crowd.bots.robot import Trickster
from loadtest.crowd.line import Pass
from loadtest.crowd.protocol import Phone
from loadtest.crowd.tapping import ANY_TIME
from loadtest.crowd.told import Told
from loadtest.crowd.waiting import Left, Waiting
from loadtest.wires.port import Outage

BACK_WITHIN_S = 15.0
"""After the hold: the sweeper comes by, WeChat is asked and told to close; with processes killed meanwhile."""
LOOKS_EVERY_S = 1.0
AGAIN_S = 0.7


class Hoarder(Trickster):
    async def _act(self, phone: Phone) -> str:
        phones = [phone, *(self._phone(openid) for openid in self._bot.accounts)]
        taken = sum(await self._wire.together(*(self._hoard_if_served(one) for one in phones)))
        return "took units and paid none" if taken else "got nothing"

    async def _hoard_if_served(self, phone: Phone) -> int:
        """One account's outage is not the others'."""
        try:
            return await self._hoard(phone)
        except Outage:
            self._remember()
            return 0

    async def _hoard(self, phone: Phone) -> int:
        """One account; returns the units that it took for a while. Raises Outage."""
        if await phone.login() is not None:
            return 0
        waiting = self._waiting(phone)
        if await waiting.join() or await waiting.until_called():
            return 0
        held: list[Told] = []
        while not self._is_over:
            admission = await waiting.claim()
            if isinstance(admission, Left):
                break
            told = await self._take(phone, admission, waiting, room=self._drop.sale.per_buyer_max - _units(held))
            if told is None:
                break
            held.append(told)
            if self._dice.random() < 0.5:
                await phone.payment(told.order_no)
            if _units(held) >= self._drop.sale.per_buyer_max:
                break
        for told in held:
            await self._see_it_go(phone, told)
        return _units(held)

    async def _take(self, phone: Phone, admission: Pass, waiting: Waiting, *, room: int) -> Told | None:
        """As many as may be, of whatever there is."""
        quantity = min(self._bot.quantity, room)
        while not self._is_over:
            for sku in self._bot.wishes:
                items = [{"sku": sku, "quantity": quantity}]
                answer = await phone.order(admission, key=self._key(), items=items)
                if isinstance(answer, Order):
                    return self._journal.acknowledge(phone, answer)
                if answer.code in ("PASS_SPENT", "BUYER_LIMIT"):
                    return None
                if answer.code not in ANY_TIME:
                    self._journal.complain(f"an ordinary order was refused with {answer.status} {answer.code}")
                    return None
            quantity = max(1, quantity - 1)
            await phone.rest(AGAIN_S * (1 + self._luck(1.0)))
        return None

    async def _see_it_go(self, phone: Phone, told: Told) -> None:
        """The units of an unpaid hold are not kept from others for long."""
        await phone.rest(max(0.0, (told.deadline_ms - self._drop.wall_ms()) / 1000))
        until = phone.now() + BACK_WITHIN_S
        while told.state in ("held", "paying"):
            if phone.now() > until:
                self._journal.complain("an unpaid hold outlived its deadline", about=told.order_no)
                return
            await phone.rest(LOOKS_EVERY_S)
            order = await phone.read(told.order_no)
            if isinstance(order, Refusal):
                self._journal.complain(f"one's own order could not be read: {order.code}", about=told.order_no)
                return
            self._journal.update(told, order.state)


def _units(held: list[Told]) -> int:
    return sum(quantity for told in held for _, quantity in told.units)
