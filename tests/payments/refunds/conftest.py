"""A house whose orders are paid by a statement, and the refund book over it."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from engine.infra.postgres import connection
from engine.orders.records import Order
from engine.payments.ledger import PaymentLedger, Settlement
from engine.payments.refunds.book import RefundBook
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
