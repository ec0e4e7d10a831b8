"""Deliveries: WeChat is told until it has heard, because the money stays frozen otherwise."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import REGISTRY

from engine.miniprogram.client import MiniProgramApi
from engine.miniprogram.duties import Duties
from engine.miniprogram.shipper import Shipper
from tests.miniprogram.conftest import Reply, Script
from tests.miniprogram.shop import Shop

UPLOAD = "/wxa/sec/order/upload_shipping_info"
TAKEN = Reply(json={"errcode": 0, "errmsg": "ok"})
DONE_BEFORE = 10060002

MakeShipper = Callable[..., Shipper]


@pytest.fixture
def make_shipper(api: MiniProgramApi, shop: Shop) -> MakeShipper:
    def make(**changed: Any) -> Shipper:
        settings: dict[str, Any] = {
            "item_desc": "{event} {tickets}",
            "done_errcodes": [DONE_BEFORE],
            "alarm_h": 12,
            "now": lambda: datetime(2026, 11, 22, 2, 0, 0, 123000, tzinfo=UTC),
        }
        return Shipper(Duties(shop.pool), api, shop.privacy, **settings | changed)

    return make


@pytest.fixture
def shipper(make_shipper: MakeShipper) -> Shipper:
    return make_shipper()


def refusal(errcode: int) -> Reply:
    return Reply(json={"errcode": errcode, "errmsg": "no"})


async def owed(shop: Shop, **order: Any) -> str:
    order_no = await shop.order(**order)
    await shop.owe("shipping", order_no)
    return order_no


def alarms(kind: str) -> float:
    return REGISTRY.get_sample_value("floodgate_alarms_total", {"kind": kind}) or 0.0


async def test_a_payment_is_reported_as_virtual_goods_delivered_at_once(
    shipper: Shipper, shop: Shop, script: Script
) -> None:
    script.always(UPLOAD, TAKEN)
    order_no = await owed(shop)
    await shipper.run_once()
    assert [request.json for request in script.asked(UPLOAD)] == [
        {
            "order_key": {"order_number_type": 2, "transaction_id": f"42000{order_no[:20]}"},
            "logistics_type": 3,
            "delivery_mode": 1,
            "shipping_list": [{"item_desc": "Spring Floor ×2, Stand ×1"}],
            "upload_time": "2026-11-22T02:00:00.123+00:00",
            "payer": {"openid": "oBuyer"},
        }
    ]
    assert await shop.duties("shipping") == [("done", "done")]


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (refusal(10060001), "unknown_order"),
        (refusal(-1), "unknown"),
        (Reply(drop=True), "unknown"),
        (Reply(500), "unknown"),
        (refusal(45009), "quota_spent"),
        (refusal(99999999), "other"),
    ],
    ids=["not known yet", "busy", "silence", "500", "quota", "a code nobody knows"],
)
async def test_a_report_that_was_not_taken_is_repeated_until_it_is(
    shipper: Shipper, shop: Shop, script: Script, reply: Reply, outcome: str
) -> None:
    script.always(UPLOAD, reply, reply, TAKEN)
    await owed(shop)
    for _ in range(2):
        await shipper.run_once()
        assert await shop.duties("shipping") == [("due", outcome)]
        await shop.let_time_pass()
    await shipper.run_once()
    assert await shop.duties("shipping") == [("done", "done")]


async def test_each_try_waits_longer_than_the_last(shipper: Shipper, shop: Shop, script: Script) -> None:
    script.always(UPLOAD, refusal(10060001))
    await owed(shop)
    waits = []
    for _ in range(9):
        await shipper.run_once()
        waits.append(await shop.pool.fetchval("select round(extract(epoch from due_at - changed_at)) from duties"))
        await shop.let_time_pass()
    assert waits == sorted(waits)
    assert waits[0] == 15
    assert waits[-1] == 6 * 3600


async def test_what_wechat_has_already_is_done(shipper: Shipper, shop: Shop, script: Script) -> None:
    script.always(UPLOAD, Reply(drop=True), refusal(DONE_BEFORE))
    await owed(shop)
    await shipper.run_once()
    await shop.let_time_pass()
    await shipper.run_once()
    assert await shop.duties("shipping") == [("done", "done_before")]


async def test_which_codes_mean_done_is_a_setting(make_shipper: MakeShipper, shop: Shop, script: Script) -> None:
    script.always(UPLOAD, refusal(DONE_BEFORE), refusal(77))
    await owed(shop)
    shipper = make_shipper(done_errcodes=[77])
    await shipper.run_once()
    assert await shop.duties("shipping") == [("due", "other")]
    await shop.let_time_pass()
    await shipper.run_once()
    assert await shop.duties("shipping") == [("done", "done_before")]


async def test_a_refunded_payment_needs_no_report(shipper: Shipper, shop: Shop, script: Script) -> None:
    await owed(shop, state="refunded")
    await shipper.run_once()
    assert (script.asked(UPLOAD), await shop.duties("shipping")) == ([], [("given_up", "refunded")])


async def test_a_payment_that_is_being_refunded_and_cannot_be_shipped_is_let_go(
    shipper: Shipper, shop: Shop, script: Script
) -> None:
    script.always(UPLOAD, refusal(10060004))
    await owed(shop, state="refunding")
    await shipper.run_once()
    assert await shop.duties("shipping") == [("given_up", "refunded")]


async def test_after_a_month_a_person_is_called(shipper: Shipper, shop: Shop) -> None:
    before = alarms("shipping_given_up")
    await owed(shop)
    await shop.sql("update duties set created_at = now() - interval '31 days'")
    await shipper.run_once()
    assert await shop.duties("shipping") == [("given_up", "too_old")]
    assert alarms("shipping_given_up") == before + 1


async def test_one_correction_is_told_in_the_words_of_now(
    shipper: Shipper, make_shipper: MakeShipper, shop: Shop, script: Script
) -> None:
    script.always(UPLOAD, TAKEN)
    order_no = await owed(shop)
    duties = Duties(shop.pool)
    assert not await duties.correct_shipment(order_no)  # it was not told at all yet
    await shipper.run_once()
    assert await duties.correct_shipment(order_no)
    await make_shipper(item_desc="Tickets").run_once()
    assert [request.json["shipping_list"] for request in script.asked(UPLOAD)][1] == [{"item_desc": "Tickets"}]
    assert await shop.duties("shipping") == [("done", "corrected")]
    assert not await duties.correct_shipment(order_no)


async def test_a_correction_whose_answer_was_lost_stays_a_correction(
    shipper: Shipper, shop: Shop, script: Script
) -> None:
    script.always(UPLOAD, TAKEN, Reply(drop=True), TAKEN)
    order_no = await owed(shop)
    await shipper.run_once()
    await Duties(shop.pool).correct_shipment(order_no)
    await shipper.run_once()
    await shop.let_time_pass()
    await shipper.run_once()
    assert await shop.duties("shipping") == [("done", "corrected")]


async def test_frozen_orders_are_measured_and_old_ones_raise_one_alarm(shipper: Shipper, shop: Shop) -> None:
    old, _, _ = [await owed(shop) for _ in range(3)]
    await shop.sql("update duties set created_at = now() - interval '13 hours' where subject = $1", old)
    before = alarms("shipping_overdue")
    await shipper.watch()
    await shipper.watch()
    assert REGISTRY.get_sample_value("floodgate_shipping_due") == 3
    assert (REGISTRY.get_sample_value("floodgate_shipping_oldest_seconds") or 0) > 12 * 3600
    assert alarms("shipping_overdue") == before + 1


async def test_payments_of_before_the_reports_were_switched_on_are_caught_up_once(
    shipper: Shipper, shop: Shop, script: Script
) -> None:
    script.always(UPLOAD, TAKEN)
    await shop.order()
    await shop.order("oRefunded", state="refunded")
    await owed(shop)
    await shipper.catch_up()
    await shipper.run_once()
    await shipper.catch_up()
    assert await shop.duties("shipping") == [("done", "done")] * 2
