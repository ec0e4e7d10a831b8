"""Uses places and passes that were given to others: bought, begged or stolen. They are good for their owners alone."""

from __future__ import annotations

from loadtest.crowd.bots.robot import Trickster
from loadtest.crowd.protocol import Phone

TRIES_EVERY_S = 0.6


class Forwarder(Trickster):
    async def _act(self, phone: Phone) -> str:
        if (refusal := await phone.login()) is not None:
            return f"was refused: {refusal.code}"
        while not self._is_over:
            await self._use_a_pass(phone)
            await self._use_a_place(phone)
            await phone.rest(TRIES_EVERY_S * (0.5 + self._luck(1.0)))
        return "could use nothing of others"

    async def _use_a_pass(self, phone: Phone) -> None:
        spare = self._journal.spare_pass
        if spare is None or spare[0] == phone.openid:
            return
        items = [{"sku": self._bot.wishes[0], "quantity": self._bot.quantity}]
        answer = await phone.order(spare[1], key=self._key(), items=items)
        self._expect_refusal(answer, codes={"PASS_INVALID"}, what="an order with another's pass")

    async def _use_a_place(self, phone: Phone) -> None:
        witness = self._journal.witness
        if witness is None or witness[0].openid == phone.openid:
            return
        place = witness[1]
        match self._dice.randrange(3):
            case 0:
                answer: object = await phone.where(place)
            case 1:
                answer = await phone.claim(place)
            case _:
                answer = await phone.join(shown=place.seal)
        self._expect_refusal(answer, codes={"PLACE_INVALID"}, what="another's place")
