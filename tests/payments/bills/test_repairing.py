"""Money that only the bill knows: asked about at WeChat, and settled there as if the notification had come."""

import secrets
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.payments.bills.days import day_of
from engine.payments.bills.outcome import DayResult
from engine.payments.bills.reconciler import Reconciler
from engine.payments.bills.records import Difference
from engine.payments.bills.repairer import Repairer
from engine.payments.bills.store import BillStore
from engine.payments.ledger import PaymentLedger
from engine.payments.settling import Settler
from engine.payments.wechat.bills import WechatBills
from tests.payments.bills.test_simulator import pay
from tests.payments.refunds.wechat import Shop, Simulator, open_shop, running_simulator
from tests.support.house import Rooms


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with running_simulator(tmp_path_factory.mktemp("wechat")) as simulator:
        yield simulator


@pytest.fixture
async def shop(house: Rooms, simulator: Simulator) -> AsyncIterator[Shop]:
    async with open_shop(house, simulator) as shop:
        await shop.luck(bill_today=True)
        yield shop


class Clerk:
    """Reconciles today and repairs."""

    def __init__(self, shop: Shop, folder: Path, buyer: bytes) -> None:
        self._shop = shop
        self._folder = folder
        self._buyer = buyer

    async def work(self, order_no: str, *, strays: bool = False) -> list[Difference]:
        """What became of the differences about this order."""
        house, provider = self._shop.house, self._shop.provider
        source = WechatBills(
            provider.gateway_of, self._folder, hash_over="plain", now_s=lambda: datetime.now(UTC).timestamp()
        )
        reconciler = Reconciler(
            source, BillStore(house.pool), appid=provider.appid, fund_flow=False, clock=lambda: datetime.now(UTC)
        )
        trade = await provider.query(order_no, self._shop.simulator.names["mchid"])
        assert trade.paid is not None
        result = await reconciler.reconcile(trade.paid.mchid, day_of(trade.paid.success_at))
        assert isinstance(result, DayResult)
        settler = Settler(
            house.board,
            house.stock,
            house.book,
            PaymentLedger(house.pool, house.pool),
            buyer_of=lambda _: self._buyer,
            appid=provider.appid,
            mchids=provider.mchids,
            refund_strays=strays,
        )
        result.differences = [each for each in result.differences if each.order_no == order_no]
        await Repairer(provider, settler, strays=strays).repair(result)
        return result.differences


async def unheard(shop: Shop, order_no: str) -> None:
    """A payment whose notification never came."""
    await pay(shop.provider, shop.session, shop.simulator.url, order_no, shop.simulator.names["mchid"])


async def test_money_for_an_order_of_ours_makes_it_paid(shop: Shop, tmp_path: Path) -> None:
    order = await shop.house.place("ann")
    await unheard(shop, order.order_no)
    [difference] = await Clerk(shop, tmp_path, order.buyer).work(order.order_no)
    assert (difference.kind, difference.outcome, difference.repaired) == ("missing_here", "paid", True)
    assert await shop.state(order.order_no) == "paid"


async def test_money_for_an_order_of_another_price_goes_back(shop: Shop, tmp_path: Path) -> None:
    order = await shop.house.place("ann", floor=2)  # twice what was paid
    await unheard(shop, order.order_no)
    [difference] = await Clerk(shop, tmp_path, order.buyer).work(order.order_no)
    assert (difference.outcome, difference.repaired) == ("refunding", True)


async def test_money_for_no_order_is_left_alone_unless_strays_are_to_go_back(shop: Shop, tmp_path: Path) -> None:
    order_no = secrets.token_hex(16)
    await unheard(shop, order_no)
    [difference] = await Clerk(shop, tmp_path, bytes(16)).work(order_no)
    assert (difference.outcome, difference.repaired) == ("", False)
    assert await shop.house.sql("select count(*) from refunds where order_no = $1", order_no) == 0


async def test_money_for_no_order_goes_back_when_that_is_asked_for(shop: Shop, tmp_path: Path) -> None:
    order_no = secrets.token_hex(16)
    await unheard(shop, order_no)
    [difference] = await Clerk(shop, tmp_path, bytes(16)).work(order_no, strays=True)
    assert (difference.outcome, difference.repaired) == ("refunding", True)
    refund = await shop.house.sql("select cause::text from refunds where order_no = $1", order_no)
    assert refund == "unknown_order"


async def test_a_repaired_order_makes_no_difference_the_next_time(shop: Shop, tmp_path: Path) -> None:
    order = await shop.house.place("ann")
    await unheard(shop, order.order_no)
    clerk = Clerk(shop, tmp_path, order.buyer)
    await clerk.work(order.order_no)
    assert await clerk.work(order.order_no) == []
