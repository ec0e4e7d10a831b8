"""A house whose orders are paid by a statement, and the refund book over it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from engine.infra.postgres import connection
from engine.orders.records import Order
from engine.payments.ledger import PaymentLedger, Settlement
from engine.payments.refunds.book import RefundBook
from tests.payments.refunds.wechat import Shop, Simulator, open_shop, running_simulator
from tests.support.house import Rooms

Paid = Callable[..., Awaitable[Order]]
MCHID = "1900000001"


@pytest.fixture
def refunds(house: Rooms) -> RefundBook:
    """No minute between two refunds of one order, unless a test is about that."""
    return RefundBook(house.pool, spacing_s=0)


@pytest.fixture
def paid(house: Rooms) -> Paid:
    """An order that is paid, with its money in the ledger: `await paid("ann", floor=2)`."""

    async def pay(buyer: str = "ann", key: str = "key-00001", **quantities: int) -> Order:
        order = await house.place(buyer, key, **quantities)
        settlement = Settlement(
            order_no=order.order_no,
            transaction_id=f"4200{order.order_no[:24]}",
            mchid=MCHID,
            buyer=order.buyer,
            total_fen=order.amount_fen,
            success_at=datetime.now(UTC),
            learned_by="test",
        )
        assert await PaymentLedger(house.pool, house.pool).settle([settlement])
        return order

    return pay


@pytest.fixture
def rows(house: Rooms) -> Callable[..., Awaitable[list[dict[str, Any]]]]:
    """The ledger's answer to a question."""

    async def ask(sql: str, *args: Any) -> list[dict[str, Any]]:
        async with connection(house.pool) as conn:
            return [dict(row) for row in await conn.fetch(sql, *args)]

    return ask


@pytest.fixture(scope="package")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with running_simulator(tmp_path_factory.mktemp("wechat")) as simulator:
        yield simulator


@pytest.fixture
async def shop(house: Rooms, simulator: Simulator) -> AsyncIterator[Shop]:
    """The house's buyers pay at the simulator, which behaves."""
    async with open_shop(house, simulator) as shop:
        yield shop
