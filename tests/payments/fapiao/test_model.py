"""Whatever happens in whatever order: in the end exactly the money that was kept stands on one fapiao."""

from __future__ import annotations

import random

import pytest

from engine.payments.fapiao.desk import NoFapiao
from engine.payments.fapiao.states import FAILED, State
from tests.payments.fapiao.conftest import Shop
from tests.payments.fapiao.tax_office import Issued

STEPS = 25
EVENTS = ("USER_APPLIED", "ISSUED", "CARD_INSERTED", "REVERSED", "CARD_DISCARDED")


class Story:
    """One order's life, told by a seed."""

    def __init__(self, shop: Shop, order_no: str, seed: int) -> None:
        self.shop = shop
        self.order_no = order_no
        self.luck = random.Random(seed)
        self.kept_fen = 10_000

    async def step(self) -> None:
        office = self.shop.office
        match self.luck.randrange(10):
            case 0:
                office.decide(self.luck.choice(["ISSUED", "ISSUED", "ISSUE_FAILED"]))
            case 1:
                office.decide(self.luck.choice(["REVERSED", "REVERSED", "REVERSE_FAILED"]))
            case 2:
                office.lose_answers.append(self.luck.choice(["/fapiao-applications", "/reverse"]))
            case 3:
                office.refuse[self.luck.choice(["/fapiao-applications", "/reverse"])] = (500, "SYSTEM_ERROR")
            case 4:
                office.refuse.clear()
            case 5:
                await self.tell(self.luck.choice(EVENTS))
            case 6 if self.kept_fen > 2_000:
                await self.refund(self.luck.choice([1_000, 2_000, self.kept_fen]))
            case 7:
                await self.go_on()
            case _:
                await self.shop.turn()

    async def tell(self, event: str) -> None:
        for fapiao in await self.shop.fapiaos(self.order_no):
            await self.shop.notice(event, fapiao.apply_id)

    async def refund(self, amount_fen: int) -> None:
        self.kept_fen -= amount_fen
        state = "refunded" if self.kept_fen == 0 else "paid"
        await self.shop.refund(self.order_no, amount_fen, order_state=state)

    async def go_on(self) -> None:
        """Whoever has to act does: an operator retries, a buyer fills in the form again."""
        newest = await self.shop.newest(self.order_no)
        if newest.state in FAILED:
            await self.shop.desk.retry(newest.fapiao_id)
        elif newest.state is State.ASKED:
            found = await self.shop.desk.ask(self.order_no, self.shop.buyer)
            if not isinstance(found, NoFapiao):
                self.shop.office.fill_in(newest.apply_id)
                await self.tell("USER_APPLIED")

    async def end_well(self) -> None:
        """No more trouble: everybody does their part until nothing is left to do."""
        office = self.shop.office
        office.refuse.clear()
        office.lose_answers.clear()
        for _ in range(12):
            office.decide("ISSUED")
            office.decide("REVERSED")
            await self.go_on()
            await self.shop.turn(3)

    def standing(self) -> list[Issued]:
        held = [one for application in self.shop.office.applications.values() for one in application.values()]
        return [one for one in held if one.status not in ("ISSUE_FAILED", "REVERSED")]


@pytest.mark.parametrize("seed", range(8))
async def test_in_the_end_one_fapiao_says_what_was_kept(shop: Shop, seed: int) -> None:
    order_no = await shop.paid_order()
    await shop.apply(order_no)
    story = Story(shop, order_no, seed)
    for _ in range(STEPS):
        await story.step()
        assert len(story.standing()) <= 1
    await story.end_well()
    assert [one.content["total_amount"] for one in story.standing()] == [story.kept_fen] * (story.kept_fen > 0)
    mirrored = [fapiao.amount_fen for fapiao in await shop.fapiaos(order_no) if fapiao.state == "issued"]
    assert mirrored == [story.kept_fen] * (story.kept_fen > 0)
