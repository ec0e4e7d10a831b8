"""Tickets that cost nothing: paid from the moment they are ordered, without WeChat, under every other promise."""

import asyncio

from tests.faults.promises import Journal, assert_kept
from tests.faults.rig import Rig, sha_of
from tests.support.buyer import Crowd
from tests.support.proxy import Hold


async def test_a_free_order_is_paid_at_once_and_its_units_are_sold(rig: Rig, crowd: Crowd, journal: Journal) -> None:
    sale = await rig.sell({"floor": 10}, price_fen=0)
    buyer = await crowd.ready_buyer(sale.sale_id)
    answer = await journal.insist(buyer, sale, {sale.skus[0]: 2})
    assert (answer.status, answer.json["state"], answer.json["amount_fen"]) == (201, "paid", 0)
    await rig.until(lambda: rig.shelves(sale)[sale.skus[0]] == {"capacity": 10, "free": 8, "held": 0, "sold": 2})
    await assert_kept(rig, sale, journal)


async def test_a_free_order_has_nothing_to_pay(rig: Rig, crowd: Crowd, journal: Journal) -> None:
    sale = await rig.sell({"floor": 10}, price_fen=0)
    buyer = await crowd.ready_buyer(sale.sale_id)
    answer = await journal.insist(buyer, sale, {sale.skus[0]: 1})
    assert (await buyer.start_payment(answer.json["order_no"])).code == "NOT_PAYABLE"


async def test_a_worker_killed_before_redis_heard_of_a_free_order_loses_nothing(
    rig: Rig, crowd: Crowd, journal: Journal
) -> None:
    sale = await rig.sell({"floor": 10}, price_fen=0)
    buyer = await crowd.ready_buyer(sale.sale_id)
    confirm = (sha_of("stock", "confirm"), sale.sale_id.encode())
    with rig.trap_redis(*confirm, hold=Hold.MESSAGE) as trap:
        ordering = asyncio.create_task(journal.insist(buyer, sale, {sale.skus[0]: 2}))
        (await rig.caught(trap)).kill()
    rig.relaunch()
    answer = await ordering
    assert answer.json["state"] == "paid"
    await rig.until(lambda: rig.shelves(sale)[sale.skus[0]]["sold"] == 2)
    await assert_kept(rig, sale, journal)
