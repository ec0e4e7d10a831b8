"""An order whose account is not in the settings begins no payment: nobody could ever close it."""

from engine.payments.ledger import PaymentWish
from tests.payments.settling.conftest import Desk


async def test_a_sale_that_names_an_account_outside_the_settings_does_not_tie_up_units(desk: Desk) -> None:
    house = desk.shop.house
    await house.sql("update sales set mchid = '1999999999' returning 1")
    order = await house.place("ann", floor=2)
    mchid = desk.shop.simulator.names["mchid"]
    wish = PaymentWish(order.order_no, order.buyer, 0, mchid)
    (started,) = await house.ledger.start_payments([wish], mchids=desk.shop.provider.mchids)
    assert started is not None
    assert started.mchid == "1999999999"
    assert await desk.shop.state(order.order_no) == "held"
    await house.lapse()
    await house.sweeper.run_once()
    assert await desk.shop.state(order.order_no) == "released"
