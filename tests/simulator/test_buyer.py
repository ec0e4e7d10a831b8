"""The buyer's app: what it refuses to pay, and what it tells the mini program."""

from typing import Any

import pytest

from tests.simulator.conftest import OPENID, Caller


async def tap(caller: Caller, document: dict[str, Any]) -> Any:
    return (await caller.house("POST", "/_buyer/pay", document)).json


@pytest.mark.parametrize(
    ("changed", "result"),
    [
        ({"signType": "MD5"}, "fail 调用支付JSAPI缺少参数"),
        ({"package": "wx1"}, "fail 调用支付JSAPI缺少参数"),
        ({"timeStamp": "soon"}, "fail 调用支付JSAPI缺少参数"),
        ({"nonceStr": "n" * 33}, "fail 调用支付JSAPI缺少参数"),
        ({"nonceStr": "n2"}, "fail 支付验证签名失败"),
        ({"timeStamp": "1700000000"}, "fail 支付验证签名失败"),
        ({"paySign": "WRONG"}, "fail 支付验证签名失败"),
        ({"package": "prepay_id=wx0"}, "fail 支付验证签名失败"),
        ({"openid": "o" * 28}, "fail 下单账号与支付账号不一致"),
    ],
)
async def test_a_wrong_call_is_not_paid(caller: Caller, changed: dict[str, Any], result: str) -> None:
    payment = caller.payment((await caller.order()).json["prepay_id"]) | changed
    assert await tap(caller, payment) == {"result": result}
    assert (await caller.query()).json["trade_state"] == "NOTPAY"


async def test_a_paid_order_is_not_paid_again(caller: Caller) -> None:
    payment = caller.payment((await caller.order()).json["prepay_id"])
    first, second = await tap(caller, payment), await tap(caller, payment)
    assert (first["result"], second["result"]) == ("ok", "fail 该订单已支付")


async def test_a_closed_order_is_not_paid(caller: Caller) -> None:
    payment = caller.payment((await caller.order()).json["prepay_id"])
    await caller.close()
    assert await tap(caller, payment) == {"result": "fail 该订单已失效"}


@pytest.mark.parametrize(
    ("behaviour", "result", "state"),
    [
        ("pay", "ok", "SUCCESS"),
        ("cancel", "cancel", "NOTPAY"),
        ("abandon", "fail no result", "NOTPAY"),
        ("no_balance", "fail 余额不足", "NOTPAY"),
        ("pay_then_cancel", "cancel", "SUCCESS"),
        ("pay_then_vanish", "fail no result", "SUCCESS"),
    ],
)
async def test_what_the_mini_program_hears_proves_nothing(
    caller: Caller, behaviour: str, result: str, state: str
) -> None:
    payment = caller.payment((await caller.order()).json["prepay_id"])
    assert (await tap(caller, payment | {"behaviour": behaviour}))["result"] == result
    assert (await caller.query()).json["trade_state"] == state


@pytest.mark.parametrize("changed", [{"behaviour": "dance"}, {"openid": 1}, {"paySign": None}])
async def test_a_call_that_is_no_call_is_refused(caller: Caller, changed: dict[str, Any]) -> None:
    payment = caller.payment("wx1", openid=OPENID) | changed
    assert (await caller.house("POST", "/_buyer/pay", payment)).status == 400
