"""An order that closes keeps its units until WeChat has no chance left to take its money."""

from engine.orders.states import Event
from tests.payments.settling.conftest import Desk


async def test_a_buyer_in_a_hurry_does_not_release_units_whose_prepay_may_be_on_its_way(desk: Desk) -> None:
    house = desk.shop.house
    order = await house.place("ann", floor=2)
    await desk.begin_payment(order)
    await house.book.start_closing([order.order_no], Event.CANCELLED)
    for _ in range(6):
        await house.ledger.hasten([(order.order_no, order.buyer)])
        await desk.ask_again()
    assert await desk.shop.state(order.order_no) == "closing"
    assert (await house.shelf()).held == 2


async def test_an_order_that_wechat_never_heard_of_is_released_once_every_call_has_ended(desk: Desk) -> None:
    house = desk.shop.house
    order = await house.place("ann", floor=2)
    await desk.begin_payment(order)
    await house.book.start_closing([order.order_no], Event.CANCELLED)
    await house.sql("update orders set changed_at = now() - interval '20 seconds' returning 1")
    await desk.ask_again()
    assert await desk.shop.state(order.order_no) == "released"
    assert (await house.shelf()).held == 0
