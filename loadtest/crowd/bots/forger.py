"""Shows places, passes and logins that it changed or invented, and uses what is used up. Nothing of it may work."""

from __future__ import annotations

from dataclasses import replace

from loadtest.crowd.answers import Order, Refusal
from loadtest.crowd.bots.forgeries import forgery
from loadtest.crowd.bots.robot import Trickster
from loadtest.crowd.line import Pass, Place
from loadtest.crowd.protocol import Phone
from loadtest.crowd.tapping import ANY_TIME

TRIES_EVERY_S = 0.4
AFTER_USE = frozenset({"PASS_SPENT", "BUYER_LIMIT", *ANY_TIME})


class Forger(Trickster):
    async def _act(self, phone: Phone) -> str:
        place = await self._join(phone)
        if isinstance(place, Refusal):
            return f"was refused: {place.code}"
        has_ordered = False
        while not self._is_over:
            await self._try_a_forgery(phone, place)
            if not has_ordered and self._drop.cache.newest().calls(place):
                has_ordered = await self._use_a_pass_twice(phone, place)
            elif place.position is None:
                place = await self._learn(phone, place)
            await phone.rest(TRIES_EVERY_S * (0.5 + self._luck(1.0)))
        return "found nothing that passes"

    async def _learn(self, phone: Phone, place: Place) -> Place:
        answer = await phone.where(place)
        return answer if isinstance(answer, Place) else place

    async def _try_a_forgery(self, phone: Phone, place: Place) -> None:
        other = self._journal.spare_pass
        forged = forgery(place.seal, self._dice, other=other[1].seal if other else phone.seal or "")
        match self._dice.randrange(5):
            case 0:
                answer: object = await phone.where(replace(place, seal=forged))
                self._expect_refusal(answer, codes={"PLACE_INVALID"}, what="a forged place")
            case 1:
                answer = await phone.claim(replace(place, seal=forged))
                self._expect_refusal(answer, codes={"PLACE_INVALID"}, what="a claim with a forged place")
            case 2:
                answer = await phone.join(shown=forged)
                self._expect_refusal(answer, codes={"PLACE_INVALID"}, what="a join with a forged place")
            case 3:
                # A place is no pass, whatever is done to it; nor is somebody's pass with a change.
                seal = forgery(other[1].seal, self._dice, other=place.seal) if other else place.seal
                answer = await phone.order(Pass(seal, 0), key=self._key(), items=self._items())
                self._expect_refusal(answer, codes={"PASS_INVALID"}, what="an order with a forged pass")
            case _:
                nobody = self._phone(phone.openid, seal=forgery(phone.seal or "", self._dice, other=place.seal))
                answer = await nobody.orders()
                self._expect_refusal(answer, codes={"LOGIN_REQUIRED"}, what="a forged login")

    async def _use_a_pass_twice(self, phone: Phone, place: Place) -> bool:
        """Once well, then again: a pass is good for one order."""
        admission = await phone.claim(place)
        if isinstance(admission, Refusal):
            return False
        order = await phone.order(admission, key=self._key(), items=self._items())
        if not isinstance(order, Order):
            return False
        self._journal.acknowledge(phone, order)
        again = await phone.order(admission, key=self._key(), items=self._items())
        self._expect_refusal(again, codes=AFTER_USE, what="a second order on one pass")
        return True

    def _items(self) -> list[dict[str, object]]:
        return [{"sku": self._bot.wishes[0], "quantity": 1}]
