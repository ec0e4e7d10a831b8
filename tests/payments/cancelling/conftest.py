"""A house of two sessions in one sale: `night` with floor and stand, `matinee` with early; and a canceller over it."""

import pytest

from engine.payments.cancelling.canceller import Canceller
from engine.payments.refunds.book import RefundBook
from tests.payments.refunds.conftest import Paid, paid, refunds, rows
from tests.support.house import Rooms

__all__ = ["Clock", "Paid", "paid", "refunds", "rows"]

MATINEE = """
insert into sessions values ('matinee', 'spring', 'Matinee', 'Hall', now() + interval '31 days');
insert into skus (sku_id, session_id, title, price_fen, capacity, per_order_max)
values ('early', 'matinee', 'Early', 3000, 10, 4);
insert into sale_skus values ('spring', 'early', 3);
"""


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def two(house: Rooms) -> Rooms:
    """The house with its second session on sale."""
    await house.sql(MATINEE)
    await house.follower.run_once()
    return house


@pytest.fixture
def canceller(two: Rooms, refunds: RefundBook, clock: Clock) -> Canceller:
    return Canceller(two.pool, two.board, two.stock, two.book, refunds, monotonic_s=clock, page_count=3)
