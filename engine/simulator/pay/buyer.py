"""The buyer's WeChat app: what happens after a mini program calls wx.requestPayment.

The app checks what the merchant signed (with the merchant's key and the appid of the order), that the
prepay_id belongs to this openid and is alive, and that the order can still be paid; only then money moves.
It tells the mini program `ok`, `cancel` or `fail <why>`, and that message proves nothing: two behaviours
pay and say otherwise. Pure.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from engine.simulator.keys import crypto
from engine.simulator.pay.orders import Order, TradeState

PREFIX = "prepay_id="
_SECONDS = re.compile(r"[0-9]{10}")


class Behaviour(StrEnum):
    PAY = "pay"
    CANCEL = "cancel"
    ABANDON = "abandon"  # Closes the app without paying; the mini program hears nothing.
    NO_BALANCE = "no_balance"
    WRONG_PASSWORD = "wrong_password"  # noqa: S105  # Fails once, then pays; takes twice as long.
    PAY_THEN_CANCEL = "pay_then_cancel"  # Pays, yet the mini program hears "cancel".
    PAY_THEN_VANISH = "pay_then_vanish"  # Pays, then the app is killed; the mini program hears nothing.
    OK_BEFORE_CALLBACK = "ok_before_callback"  # Pays; the callback is late, so that "ok" is there first.
    PAY_1S_BEFORE_EXPIRY = "pay_1s_before_expiry"
    PAY_AT_EXPIRY = "pay_at_expiry"  # The very last moment that counts.
    PAY_1S_AFTER_EXPIRY = "pay_1s_after_expiry"  # Is refused.
    RACE_CLOSE = "race_close"  # Pays in the moment in which the merchant closes; either may win.


RESULTS = {
    Behaviour.PAY: "ok",
    Behaviour.CANCEL: "cancel",
    Behaviour.ABANDON: "fail no result",
    Behaviour.NO_BALANCE: "fail 余额不足",
    Behaviour.WRONG_PASSWORD: "ok",
    Behaviour.PAY_THEN_CANCEL: "cancel",
    Behaviour.PAY_THEN_VANISH: "fail no result",
    Behaviour.OK_BEFORE_CALLBACK: "ok",
    Behaviour.PAY_1S_BEFORE_EXPIRY: "ok",
    Behaviour.PAY_AT_EXPIRY: "ok",
    Behaviour.PAY_1S_AFTER_EXPIRY: "ok",
    Behaviour.RACE_CLOSE: "ok",
}
PAYING = frozenset(Behaviour) - {Behaviour.CANCEL, Behaviour.ABANDON, Behaviour.NO_BALANCE}
OFFSETS_MS = {
    Behaviour.PAY_1S_BEFORE_EXPIRY: -1000,
    Behaviour.PAY_AT_EXPIRY: 0,
    Behaviour.PAY_1S_AFTER_EXPIRY: 1000,
}


def choose(shares: Mapping[str, float], *, draw: float) -> Behaviour:
    """The behaviour that a draw from [0, 1) picks by these shares; what they leave over pays."""
    for name, share in shares.items():
        draw -= share
        if draw < 0:
            return Behaviour(name)
    return Behaviour.PAY


@dataclass(frozen=True, slots=True)
class PaymentCall:
    """The parameters of wx.requestPayment (all texts) and who taps."""

    openid: str
    timestamp: str
    nonce: str
    package: str
    sign_type: str
    pay_sign: str

    @property
    def prepay_id(self) -> str:
        return self.package.removeprefix(PREFIX)


def objection(
    call: PaymentCall,
    order: Order | None,
    merchant_key: RSAPublicKey,
    *,
    now_ms: int,
    verify: crypto.Verify = crypto.verify,
) -> str | None:
    """Why the app refuses to show the cashier, or None. `order` is the one its prepay_id names.

    `verify` may be one that counts.
    """
    if call.sign_type != "RSA" or not call.package.startswith(PREFIX):
        return "fail 调用支付JSAPI缺少参数"
    if not _SECONDS.fullmatch(call.timestamp) or not 1 <= len(call.nonce) <= 32:
        return "fail 调用支付JSAPI缺少参数"
    if order is None:
        return "fail 支付验证签名失败"
    message = crypto.payment_message(
        appid=order.appid, timestamp=call.timestamp, nonce=call.nonce, package=call.package
    )
    if not verify(merchant_key, message, call.pay_sign):
        return "fail 支付验证签名失败"
    if call.openid != order.openid:
        return "fail 下单账号与支付账号不一致"
    if order.was_paid:
        return "fail 该订单已支付"
    if order.state is TradeState.CLOSED or now_ms > order.expires_ms:
        return "fail 该订单已失效"
    if not order.prepay_is_alive(call.prepay_id, now_ms=now_ms):
        return "fail prepay_id已过期"
    return None
