"""Whatever happens at once and in whatever order, every fen ends as one paid order or one refund.

A few buyers, three tiers of two sessions, and a WeChat that is asked, tells late and twice, refuses and closes. Steps
are drawn by a seed and run a few at a time on real stores; tellings to Redis are forgotten as if their process had
died, and Redis loses everything now and then. At the end WeChat's word comes once more about everything.
"""

import asyncio
import random

import pytest

from engine.payments.cancelling.canceller import Canceller
from engine.payments.refunds.book import RefundBook
from tests.payments.cancelling.conftest import Clock, canceller, clock, two
from tests.payments.settling.world import World
from tests.support.house import Rooms

__all__ = ["canceller", "clock", "two"]

STEPS = 60
AT_ONCE = 3


@pytest.mark.parametrize("seed", range(8))
async def test_every_fen_is_one_paid_order_or_one_refund(
    two: Rooms, refunds: RefundBook, canceller: Canceller, clock: Clock, seed: int
) -> None:
    world = World(two, refunds, canceller, clock, random.Random(seed))
    for _ in range(STEPS):
        await asyncio.gather(*(world.step() for _ in range(AT_ONCE)))
    await world.come_to_rest()
    await world.check()
