"""What a body may say: every limit of the order and refund forms, through the real server."""

import json
from typing import Any

import pytest

from tests.simulator.conftest import OPENID, Caller

GOODS = {"merchant_goods_id": "g", "quantity": 1, "unit_price": 1}


@pytest.mark.parametrize(
    ("field", "changed"),
    [
        ("/appid", {"appid": None}),
        ("/mchid", {"mchid": None}),
        ("/mchid", {"mchid": "1900000000"}),
        ("/description", {"description": None}),
        ("/description", {"description": ""}),
        ("/description", {"description": "票" * 128}),
        ("/description", {"description": "票🎫"}),
        ("/out_trade_no", {"out_trade_no": "T0001"}),
        ("/out_trade_no", {"out_trade_no": "T" * 33}),
        ("/out_trade_no", {"out_trade_no": "T0000/1"}),
        ("/out_trade_no", {"out_trade_no": "T00001\n"}),
        ("/time_expire", {"time_expire": "2026-01-01 00:00:00"}),
        ("/time_expire", {"time_expire": "2026-01-01T00:00:00"}),
        ("/time_expire", {"time_expire": "2026-13-01T00:00:00+08:00"}),
        ("/attach", {"attach": "a" * 129}),
        ("/notify_url", {"notify_url": None}),
        ("/notify_url", {"notify_url": "http://shop.example/notify"}),
        ("/notify_url", {"notify_url": "https://shop.example/notify?a=1"}),
        ("/notify_url", {"notify_url": "https://shop.example/#a"}),
        ("/notify_url", {"notify_url": "shop.example/notify"}),
        ("/notify_url", {"notify_url": "https://[::1/notify"}),
        ("/notify_url", {"notify_url": "https://shop.example/" + "n" * 240}),
        ("/support_fapiao", {"support_fapiao": "true"}),
        ("/limit_pay/0", {"limit_pay": ["cash"]}),
        ("/amount", {"amount": None}),
        ("/amount/total", {"amount": {}}),
        ("/amount/total", {"amount": {"total": 0}}),
        ("/amount/total", {"amount": {"total": -1}}),
        ("/amount/total", {"amount": {"total": 1.0}}),
        ("/amount/total", {"amount": {"total": "1"}}),
        ("/amount/total", {"amount": {"total": True}}),
        ("/amount/total", {"amount": {"total": 2**63}}),
        ("/amount/currency", {"amount": {"total": 1, "currency": "USD"}}),
        ("/payer/openid", {"payer": {}}),
        ("/payer/openid", {"payer": {"openid": OPENID[:-1]}}),
        ("/payer/openid", {"payer": {"openid": "x" + OPENID[1:]}}),
        ("/detail/goods_detail/0/quantity", {"detail": {"goods_detail": [GOODS | {"quantity": 0}]}}),
        ("/scene_info/payer_client_ip", {"scene_info": {"device_id": "d"}}),
        ("/settle_info", {"settle_info": []}),
    ],
)
async def test_a_wrong_order_field_is_named(caller: Caller, field: str, changed: dict[str, Any]) -> None:
    refused = await caller.order(**changed)
    assert (refused.status, refused.json["code"]) == (400, "PARAM_ERROR")
    assert refused.json["detail"]["field"] == field


@pytest.mark.parametrize(
    "changed", [{"sign": "x"}, {"amount": {"total": 1, "fee": 1}}, {"payer": {"openid": OPENID, "id": "1"}}]
)
async def test_an_extra_field_is_refused(caller: Caller, changed: dict[str, Any]) -> None:
    refused = await caller.order(**changed)
    assert refused.json["message"] == "参数中含有非法的额外参数"
    assert refused.headers["Request-ID"].endswith("-270924358")


async def test_an_appid_of_somebody_else_is_refused(caller: Caller) -> None:
    refused = await caller.order(appid="wx0000000000000000")
    assert (refused.status, refused.json["code"]) == (400, "APPID_MCHID_NOT_MATCH")


async def test_the_longest_right_order_is_accepted(caller: Caller) -> None:
    placed = await caller.order(
        "Aa0_-|*" + "9" * 25,
        description="票" * 127,
        time_expire="2030-01-01T00:00:00.5+08:00",
        attach="a" * 128,
        notify_url="https://shop.example/notify",
        goods_tag="tag",
        support_fapiao=True,
        limit_pay=["no_credit"],
        detail={"cost_price": 1, "goods_detail": [GOODS]},
        scene_info={"payer_client_ip": "::1", "store_info": {"id": "1"}},
        settle_info={"profit_sharing": False},
    )
    assert placed.status == 200


@pytest.mark.parametrize("body", ["[]", '"x"', "null", "1"])
async def test_a_body_that_is_no_object_is_refused(caller: Caller, body: str) -> None:
    refused = await caller.send("POST", "/v3/pay/transactions/jsapi", json.loads(body))
    assert refused.status == 400


@pytest.mark.parametrize(
    ("field", "changed"),
    [
        ("/out_trade_no", {"out_trade_no": None}),
        ("/out_trade_no", {"transaction_id": "42"}),
        ("/out_refund_no", {"out_refund_no": None}),
        ("/out_refund_no", {"out_refund_no": "R" * 65}),
        ("/out_refund_no", {"out_refund_no": "R 1"}),
        ("/reason", {"reason": "票" * 81}),
        ("/notify_url", {"notify_url": "http://shop.example/n"}),
        ("/funds_account", {"funds_account": "MINE"}),
        ("/amount/currency", {"amount": {"refund": 1, "total": 100}}),
        ("/amount/refund", {"amount": {"refund": 0, "total": 100, "currency": "CNY"}}),
    ],
)
async def test_a_wrong_refund_field_is_named(caller: Caller, field: str, changed: dict[str, Any]) -> None:
    document = {
        "out_trade_no": "T00001",
        "out_refund_no": "R1",
        "amount": {"refund": 1, "total": 100, "currency": "CNY"},
    } | changed
    kept = {name: value for name, value in document.items() if value is not None}
    refused = await caller.send("POST", "/v3/refund/domestic/refunds", kept)
    assert (refused.status, refused.json["code"]) == (400, "PARAM_ERROR")
    assert refused.json["detail"]["field"] == field
