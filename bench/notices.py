"""Notifications of payments, as WeChat Pay sends them: encrypted, signed, and made before the clock starts.

The orders are real and stand under payment; only WeChat's part is played here, with the simulator's own keys.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bench.requests import post
from bench.stack import Stack
from engine.simulator.keys import credentials, crypto
from engine.simulator.pay import notices
from engine.simulator.pay.orders import Order, TradeState
from engine.simulator.processes.authorization import SCHEME


def paid(stack: Stack, orders: Mapping[str, str], *, total_fen: int) -> list[bytes]:
    """One request per order: its number and the openid of its buyer."""
    merchant = credentials.ensure(stack.folder / "wechat")
    key = credentials.private_key(merchant.platform_private_key_file)
    cipher = AESGCM(merchant.api_v3_key.encode())
    now_ms = time.time_ns() // 1_000_000
    found = []
    for order_no, openid in orders.items():
        trade = Order(
            mchid=merchant.mchid,
            appid=merchant.appid,
            out_trade_no=order_no,
            openid=openid,
            total_fen=total_fen,
            attach=None,
            notify_url="",
            terms="",
            created_ms=now_ms,
            expires_ms=now_ms,
            prepay_id="",
            prepay_ms=now_ms,
            state=TradeState.SUCCESS,
            transaction_id=f"42{secrets.randbelow(10**26):026}",
            paid_ms=now_ms,
        )
        notice = notices.paid(trade, notice_id=secrets.token_hex(16), now_ms=now_ms)
        body = notices.body(notice, cipher, nonce=secrets.token_hex(6))
        timestamp, nonce = str(now_ms // 1000), secrets.token_hex(16)
        found.append(
            post(
                "/wechatpay/notify",
                body,
                Wechatpay_Serial=merchant.public_key_id,
                Wechatpay_Signature_Type=SCHEME,
                Wechatpay_Timestamp=timestamp,
                Wechatpay_Nonce=nonce,
                Wechatpay_Signature=crypto.sign(
                    key, crypto.answer_message(timestamp=timestamp, nonce=nonce, body=body)
                ),
            )
        )
    return found
