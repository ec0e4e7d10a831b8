"""The provider port is open: the rooms take the money of a provider that has nothing in common with WeChat Pay."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from multidict import CIMultiDict

from engine.infra.outage import ProviderAway
from engine.orders.records import Order
from engine.orders.states import State
from engine.payments.closer import Closer
from engine.payments.ledger import NoticeRow
from engine.payments.port import NotificationRefused, PaidNotice, RefusalKind
from engine.payments.refunds.queue import RefundQueue
from engine.payments.refunds.refunder import Refunder
from engine.payments.settling import Settled, Settler
from engine.payments.starting import Starter
from engine.web.buyers import Privacy
from tests.payments.voucher_till import TILL, VoucherTill
from tests.support.house import Rooms, rooms

ANN = "voucher-holder-ann"


@dataclass(slots=True)
class Shop:
    """The rooms of one process, paid by vouchers."""

    house: Rooms
    till: VoucherTill
    privacy: Privacy
    began: list[float | None]  # how long each payment waited
    starter: Starter
    settler: Settler
    closer: Closer
    refunder: Refunder

    async def ordered(self) -> Order:
        order = await self.house.place("ann", floor=2)
        await self.house.sql("update orders set buyer = $1 returning 1", self.privacy.buyer_of(ANN))
        await self.house.sql(
            "insert into buyers (buyer, openid_sealed) values ($1, $2) returning 1",
            self.privacy.buyer_of(ANN),
            self.privacy.seal_openid(ANN, b"n" * 12),
        )
        parameters = await self.starter.start(order.order_no, self.privacy.buyer_of(ANN), now_ms=0)
        assert parameters == {"voucher": f"voucher-{order.order_no}", "till": TILL}
        return order

    async def told(self, headers: CIMultiDict[str], body: bytes) -> Settled | None:
        notice = self.till.read_notification(headers, body, time.time())
        assert isinstance(notice, PaidNotice)
        row = NoticeRow(
            digest=notice.digest,
            notice_id=notice.notice_id,
            event_type=notice.event_type,
            mchid=notice.paid.mchid,
            subject=notice.paid.order_no,
            body=body,
        )
        return await self.settler.keep_and_settle(notice.paid, row, patience_s=2)

    async def state_of(self, order: Order) -> State:
        found = await self.house.book.read(order.order_no)
        assert found is not None
        return found.state


@pytest.fixture
async def shop(clean_redis_url: str, database_url: str) -> AsyncIterator[Shop]:
    till, privacy = VoucherTill(b"a key of the till"), Privacy(b"d" * 32, b"o" * 32)
    began: list[float | None] = []
    async with rooms(clean_redis_url, database_url) as house:
        settler = Settler(
            house.board,
            house.stock,
            house.book,
            house.ledger,
            buyer_of=privacy.buyer_of,
            appid=till.appid,
            mchids=till.mchids,
        )
        yield Shop(
            house=house,
            till=till,
            privacy=privacy,
            began=began,
            starter=Starter(house.ledger, till, privacy, description="Tickets", began=began.append),
            settler=settler,
            closer=Closer(house.board, house.stock, house.book, house.ledger, till, settler),
            refunder=Refunder(RefundQueue(house.pool), till, monotonic_s=time.monotonic),
        )


async def test_a_voucher_pays_an_order(shop: Shop) -> None:
    order = await shop.ordered()
    assert await shop.told(*shop.till.pay(order.order_no)) is Settled.PAID
    assert await shop.state_of(order) is State.PAID


async def test_it_is_told_how_long_a_payment_waited(shop: Shop) -> None:
    await shop.ordered()
    assert [waited_s is not None and 0 < waited_s < 60 for waited_s in shop.began] == [True]


async def test_it_is_told_that_a_payment_could_not_begin(shop: Shop) -> None:
    shop.till.is_away = True
    with pytest.raises(ProviderAway):
        await shop.ordered()
    assert shop.began == [None]


async def test_a_refusal_that_decides_nothing_is_a_payment_that_could_not_begin(shop: Shop) -> None:
    shop.till.refuses_as = RefusalKind.RATE_LIMITED
    with pytest.raises(ProviderAway):
        await shop.ordered()
    assert shop.began == [None]


async def test_a_notice_that_the_till_did_not_sign_is_refused(shop: Shop) -> None:
    order = await shop.ordered()
    headers, body = shop.till.pay(order.order_no)
    with pytest.raises(NotificationRefused):
        await shop.told(headers, body + b" ")


async def test_a_voucher_whose_notice_was_lost_is_found_by_asking(shop: Shop) -> None:
    order = await shop.ordered()
    shop.till.pay(order.order_no)
    await shop.house.sql(
        "update orders set next_check_at = now() returning 1",
    )
    await shop.closer.run_once()
    assert await shop.state_of(order) is State.PAID


async def test_an_order_nobody_paid_is_closed_at_the_till_and_released(shop: Shop) -> None:
    order = await shop.ordered()
    await shop.house.lapse()
    await shop.house.sweeper.run_once()
    await shop.closer.run_once()
    assert await shop.state_of(order) is State.RELEASED
    assert (await shop.house.shelf()).free == 10


async def test_a_voucher_for_units_that_others_have_is_handed_back(shop: Shop) -> None:
    order = await shop.ordered()
    await shop.house.lapse()
    await shop.house.sweeper.run_once()
    await shop.closer.run_once()
    for n in range(3):
        await shop.house.place(f"other{n}", floor=3)
    assert await shop.told(*shop.till.pay(order.order_no)) is Settled.REFUNDING
    await shop.refunder.run_once()
    assert await shop.state_of(order) is State.REFUNDED
    assert shop.till.bills[order.order_no].refunded_fen == order.amount_fen
