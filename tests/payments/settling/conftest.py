"""A house whose buyers pay at the simulator, and a settler, a closer and an inbox over it."""

from dataclasses import dataclass

import pytest

from engine.orders.records import Order
from engine.payments.closer import Closer
from engine.payments.inbox import Inbox
from engine.payments.ledger import PaymentWish
from engine.payments.refunds.queue import Lane
from engine.payments.settling import Settler
from tests.payments.refunds.conftest import Paid, paid, refunds, rows, shop, simulator
from tests.payments.refunds.wechat import Shop

__all__ = ["Desk", "Paid", "paid", "refunds", "rows", "shop", "simulator"]


@dataclass(slots=True)
class Desk:
    """Everything that settles, over one shop."""

    shop: Shop
    settler: Settler
    closer: Closer
    inbox: Inbox

    async def begin_payment(self, order: Order) -> None:
        """The buyer has tapped; WeChat has not heard of it yet."""
        mchid = self.shop.simulator.names["mchid"]
        wish = PaymentWish(order.order_no, order.buyer, 0, mchid)
        (started,) = await self.shop.house.ledger.start_payments([wish], mchids=self.shop.provider.mchids)
        assert started is not None

    async def ask_again(self) -> None:
        """Every order under payment is due, and asked about."""
        await self.shop.house.sql("update orders set next_check_at = now() returning 1")
        await self.closer.run_once()


@pytest.fixture
def desk(shop: Shop) -> Desk:
    house = shop.house
    settler = Settler(
        house.board,
        house.stock,
        house.book,
        house.ledger,
        buyer_of=buyer_of,
        appid=shop.provider.appid,
        mchids=shop.provider.mchids,
    )
    return Desk(
        shop=shop,
        settler=settler,
        closer=Closer(house.board, house.stock, house.book, house.ledger, shop.provider, settler),
        inbox=Inbox(house.ledger, shop.provider, settler, shop.refunder(Lane.SINGLE)),
    )


def buyer_of(openid: str) -> bytes:
    """The shop pays every order with one openid; who it is, is not what these tests are about."""
    return b"ann".ljust(16, b"-")
