"""Notices of paid orders, signed and encrypted as WeChat does, for a test to send when and as often as it likes."""

import secrets
import time
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from engine.simulator.keys import crypto
from engine.simulator.keys.credentials import Credentials, ensure
from engine.simulator.pay import notices
from engine.simulator.pay.orders import Order, TradeState
from engine.simulator.processes.authorization import SCHEME
from tests.faults.rig import Rig
from tests.support.buyer import Answer, Crowd

Notice = tuple[dict[str, str], bytes]


def paid_notice(rig: Rig, order_no: str, **said: Any) -> Notice:
    """Headers and body of the notice about an order that WeChat knows; `said` differs from what is so."""
    (trade,) = [trade | said for trade in rig.engine.ledger() if trade["out_trade_no"] == order_no]
    merchant = ensure(rig.engine.folder / "simulator")
    notice = notices.paid(_order(trade, merchant), notice_id=secrets.token_hex(16), now_ms=_now_ms())
    body = notices.body(notice, AESGCM(merchant.api_v3_key.encode()), nonce=secrets.token_hex(6))
    timestamp, nonce = str(_now_ms() // 1000), secrets.token_hex(16)
    message = crypto.answer_message(timestamp=timestamp, nonce=nonce, body=body)
    headers = {
        "Content-Type": "application/json",
        "Wechatpay-Serial": merchant.public_key_id,
        "Wechatpay-Signature-Type": SCHEME,
        "Wechatpay-Timestamp": timestamp,
        "Wechatpay-Nonce": nonce,
        "Wechatpay-Signature": crypto.sign(_platform_key(rig), message),
    }
    return headers, body


async def send(crowd: Crowd, notice: Notice) -> Answer:
    """What the engine answers to it."""
    headers, body = notice
    return await crowd.ask("POST", "/wechatpay/notify", raw=body, headers=headers)


def _order(trade: dict[str, Any], merchant: Credentials) -> Order:
    return Order(
        mchid=merchant.mchid,
        appid=merchant.appid,
        out_trade_no=trade["out_trade_no"],
        openid=trade["openid"],
        total_fen=trade["total_fen"],
        attach=None,
        notify_url="",
        terms="",
        created_ms=_now_ms(),
        expires_ms=_now_ms(),
        prepay_id="",
        prepay_ms=_now_ms(),
        state=TradeState.SUCCESS,
        transaction_id=trade["transaction_id"] or "4200000000000000000000000000",
        paid_ms=_now_ms(),
    )


def _platform_key(rig: Rig) -> RSAPrivateKey:
    key = load_pem_private_key((rig.engine.folder / "simulator" / "platform_private_key.pem").read_bytes(), None)
    assert isinstance(key, RSAPrivateKey)
    return key


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
