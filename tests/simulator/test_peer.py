"""The independent client `wechatpayv3` accepts what the simulator signs, and the simulator what it sends."""

import asyncio
import json
from typing import Any

from wechatpayv3 import WeChatPay

from tests.simulator.conftest import OPENID, Caller, Receiver


async def order(peer: WeChatPay, out_trade_no: str = "T00001") -> str:
    status, body = await asyncio.to_thread(
        peer.pay,
        description="音乐节 两日票",
        out_trade_no=out_trade_no,
        amount={"total": 100, "currency": "CNY"},
        payer={"openid": OPENID},
    )
    assert status == 200
    return str(json.loads(body)["prepay_id"])


async def pay(peer: WeChatPay, caller: Caller, out_trade_no: str = "T00001") -> str:
    package = f"prepay_id={await order(peer, out_trade_no)}"
    signature = peer.sign([caller.names.appid, "1700000000", "nonce", package])
    told = await caller.house(
        "POST",
        "/_buyer/pay",
        {
            "openid": OPENID,
            "timeStamp": "1700000000",
            "nonceStr": "nonce",
            "package": package,
            "signType": "RSA",
            "paySign": signature,
        },
    )
    assert told.json["result"] == "ok"
    return str(told.json["transaction_id"])


async def ask(call: Any, **arguments: Any) -> tuple[int, Any]:
    status, body = await asyncio.to_thread(call, **arguments)
    return status, json.loads(body) if body else None


async def test_peer_orders_and_reads_the_unpaid_order(peer: WeChatPay) -> None:
    await order(peer)
    status, found = await ask(peer.query, out_trade_no="T00001")
    assert (status, found["trade_state"]) == (200, "NOTPAY")


async def test_peer_reads_the_paid_order_by_either_number(peer: WeChatPay, caller: Caller) -> None:
    transaction_id = await pay(peer, caller)
    by_ours = await ask(peer.query, out_trade_no="T00001")
    by_theirs = await ask(peer.query, transaction_id=transaction_id)
    assert by_ours == by_theirs
    assert by_ours[1]["trade_state"] == "SUCCESS"


async def test_peer_closes_an_order(peer: WeChatPay) -> None:
    await order(peer)
    status, body = await asyncio.to_thread(peer.close, "T00001")
    assert (status, body) == (204, b"")


async def test_peer_reads_the_payment_callback(peer: WeChatPay, caller: Caller, receiver: Receiver) -> None:
    transaction_id = await pay(peer, caller)
    headers, body = (await receiver.wait(1))[0]
    notice = peer.callback(headers, body)
    assert notice["event_type"] == "TRANSACTION.SUCCESS"
    assert notice["resource"]["transaction_id"] == transaction_id
    assert notice["resource"]["amount"]["total"] == 100


async def test_peer_refunds_and_reads_the_refund_callback(peer: WeChatPay, caller: Caller, receiver: Receiver) -> None:
    await pay(peer, caller)
    await receiver.wait(1)
    status, accepted = await ask(
        peer.refund,
        out_refund_no="R1",
        out_trade_no="T00001",
        amount={"refund": 40, "total": 100, "currency": "CNY"},
    )
    assert (status, accepted["status"]) == (200, "PROCESSING")
    headers, body = (await receiver.wait(2))[1]
    notice = peer.callback(headers, body)
    assert notice["event_type"] == "REFUND.SUCCESS"
    assert notice["resource"]["refund_status"] == "SUCCESS"
    assert (await ask(peer.query_refund, out_refund_no="R1"))[1]["status"] == "SUCCESS"
    assert (await ask(peer.query, out_trade_no="T00001"))[1]["trade_state"] == "REFUND"


async def test_peer_is_told_when_an_order_does_not_exist(peer: WeChatPay) -> None:
    status, refusal = await ask(peer.query, out_trade_no="T00404")
    assert (status, refusal["code"]) == (404, "ORDER_NOT_EXIST")
