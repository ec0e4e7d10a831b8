"""A refund survives whoever was about to decide it, to send it or to write down what WeChat said: it is made once."""

import asyncio
import secrets
from typing import Any

import aiohttp
import pytest

from tests.faults.promises import Journal, assert_kept
from tests.faults.rig import Rig
from tests.faults.test_money import on_its_way_back, ordered
from tests.support.buyer import Answer, Buyer, Crowd
from tests.support.engine import OnSale
from tests.support.proxy import Hold


@pytest.fixture
async def sale(rig: Rig) -> OnSale:
    return await rig.sell({"floor": 10}, per_buyer_max=2)


@pytest.fixture
async def paid_order(rig: Rig, crowd: Crowd, sale: OnSale, journal: Journal) -> tuple[Buyer, str]:
    """Two units, 200 fen."""
    buyer = await crowd.ready_buyer(sale.sale_id)
    order_no = await ordered(buyer, sale, journal)
    await buyer.pay(order_no)
    await buyer.wait_for_state(order_no, "paid")
    return buyer, order_no


async def refund(rig: Rig, crowd: Crowd, order_no: str, *, worker: int = 0, key: str = "", reason: str = "x") -> Answer:
    headers = {"Authorization": f"Bearer {rig.engine.admin_key}", "Idempotency-Key": key or secrets.token_hex(8)}
    address = f"{rig.engine.admin_urls[worker]}/admin/v1/orders/{order_no}/refunds"
    return await crowd.ask("POST", address, body={"whole": True, "reason": reason}, headers=headers)


async def assert_refunded_once(rig: Rig, sale: OnSale, paid_order: tuple[Buyer, str], journal: Journal) -> None:
    buyer, order_no = paid_order
    await buyer.wait_for_state(order_no, "refunded")
    assert on_its_way_back(rig, order_no) == 200
    assert len(await rig.rows("select 1 from refunds")) == 1
    await rig.until(lambda: rig.shelves(sale)[sale.skus[0]]["free"] == 10)
    await assert_kept(rig, sale, journal)


async def test_jobs_killed_before_wechat_heard_refund_once(
    rig: Rig, crowd: Crowd, sale: OnSale, paid_order: tuple[Buyer, str], journal: Journal
) -> None:
    with rig.trap_wechat(b"POST /v3/refund/domestic/refunds", hold=Hold.MESSAGE) as trap:
        assert (await refund(rig, crowd, paid_order[1])).status == 201
        (await rig.caught(trap)).kill()
    assert on_its_way_back(rig, paid_order[1]) == 0
    await rig.mend()
    await assert_refunded_once(rig, sale, paid_order, journal)


async def test_jobs_killed_while_they_write_wechats_answer_refund_once(
    rig: Rig, crowd: Crowd, sale: OnSale, paid_order: tuple[Buyer, str], journal: Journal
) -> None:
    await rig.set_luck(callback_loss=1.0)
    # Nothing but what WeChat answered is written about a refund by its number.
    number = f"R{paid_order[1]}-1".encode()
    with rig.trap_postgres(number, hold=Hold.MESSAGE, processes=["jobs"]) as trap:
        assert (await refund(rig, crowd, paid_order[1])).status == 201
        (await rig.caught(trap)).kill()
    assert on_its_way_back(rig, paid_order[1]) == 200
    await rig.mend()
    await assert_refunded_once(rig, sale, paid_order, journal)


@pytest.mark.parametrize("hold", [Hold.MESSAGE, Hold.REPLY])
async def test_a_worker_killed_around_the_decision_decides_once_under_its_key(
    rig: Rig, crowd: Crowd, sale: OnSale, paid_order: tuple[Buyer, str], journal: Journal, hold: Hold
) -> None:
    ask: dict[str, Any] = {"key": secrets.token_hex(8), "reason": f"storm {secrets.token_hex(8)}"}
    with rig.trap_postgres(ask["reason"].encode(), hold=hold, processes=["web-0"]) as trap:
        asking = asyncio.create_task(refund(rig, crowd, paid_order[1], **ask))
        (await rig.caught(trap)).kill()
        with pytest.raises(aiohttp.ClientError):
            await asking
    assert (await refund(rig, crowd, paid_order[1], worker=1, **ask)).status == 201
    await rig.mend()
    await assert_refunded_once(rig, sale, paid_order, journal)
