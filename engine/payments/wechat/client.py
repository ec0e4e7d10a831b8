"""WeChat Pay for one merchant and one mini program: the payment port over API v3 (JSAPI, direct merchant).

Three rules keep the money right. A request whose answer was lost is sent again with the same number and the
same fields, never with new ones. A refund is queried before it is sent again. And nothing but a signed answer
makes a trade paid, unpaid or closed; everything else is UNKNOWN, a value the caller must resolve by asking.

Wrong arguments (a number WeChat would not take, an amount below one fen, a time without a zone) are bugs of
the caller and raise ValueError before anything is sent.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from random import SystemRandom
from typing import Any
from urllib.parse import urljoin

import aiohttp
import orjson
from multidict import MultiMapping

from engine.config import Wechat
from engine.payments.port import (
    CloseResult,
    Notice,
    Prepaid,
    PrepayRequest,
    ProviderRefusal,
    RedirectRequest,
    RefundReport,
    RefundRequest,
    RefundState,
    TradeReport,
)
from engine.payments.wechat import notifications
from engine.payments.wechat.answers import (
    close_result,
    is_refusal,
    prepaid_or_refusal,
    refund_report,
    refused_refund,
    trade_report,
    unknown_refund,
)
from engine.payments.wechat.gateway import PAUSE_S, Gateway
from engine.payments.wechat.keys import KeyUnusable, MerchantKey, VerifyingKeys
from engine.payments.wechat.messages import payment_message
from engine.payments.wechat.signer import Signer

CHINA = timezone(timedelta(hours=8))
PREPAY_VALID_S = 2 * 3600 - 300  # 2 h by contract; less what a repeat may have lost on the way
ORDER_NO_LENGTHS = range(6, 33)
REFUND_NO_LENGTHS = range(1, 65)
DESCRIPTION_MAX = 127
REASON_MAX = 80
REFUND_TRIES_MAX = 2  # WeChat Pay allows 6 failing refund requests a second; the job comes back anyway


class WeChatPay:
    """Implements `engine.payments.port.PaymentProvider`. The caller closes the session."""

    def __init__(
        self,
        *,
        session: aiohttp.ClientSession,
        appid: str,
        mchid: str,
        api_v3_key: str,
        merchant_key: MerchantKey,
        keys: VerifyingKeys,
        answers_signed_by: str,
        gateway_urls: Sequence[str],
        notify_url: str,
        refund_notify_url: str,
        timeout_s: float,
        signer_count: int,
        now_s: Callable[[], float],
        nonce: Callable[[], str],
        jitter: Callable[[], float],
    ) -> None:
        """`answers_signed_by` names the key of `keys` that WeChat Pay is asked to sign its answers with."""
        self._appid = appid
        self._mchid = mchid
        self._api_v3_key = api_v3_key.encode()
        self._keys = keys
        self._notify_url = notify_url
        self._refund_notify_url = refund_notify_url
        self._now_s = now_s
        self._nonce = nonce
        self._close_body = orjson.dumps({"mchid": mchid})
        self._signer = Signer(merchant_key, thread_count=signer_count)
        self._gateway = Gateway(
            session=session,
            urls=gateway_urls,
            mchid=mchid,
            signer=self._signer,
            keys=keys,
            answers_signed_by=answers_signed_by,
            now_s=now_s,
            nonce=nonce,
            jitter=jitter,
            timeout_s=timeout_s,
        )

    @property
    def appid(self) -> str:
        return self._appid

    @property
    def mchids(self) -> frozenset[str]:
        return frozenset((self._mchid,))

    def merchant_for(self, order_no: str) -> str:
        return self._mchid

    def gateway_of(self, mchid: str) -> Gateway:
        """The signed conversation of one merchant, for what the port does not cover: bills and invoices."""
        if mchid != self._mchid:
            raise ValueError(f"no such merchant: {mchid}")
        return self._gateway

    def close_signer(self) -> None:
        """Ends the signing threads; call it after the last request."""
        self._signer.close()

    async def create(self, request: PrepayRequest) -> Prepaid | ProviderRefusal:
        asked_at_s = self._now_s()
        body = orjson.dumps(self._prepay_fields(request))
        settled = await self._gateway.repeat("POST", "/v3/pay/transactions/jsapi", body)
        return prepaid_or_refusal(
            settled.answer,
            valid_until=min(datetime.fromtimestamp(asked_at_s + PREPAY_VALID_S, UTC), request.expires_at),
            maybe_created=settled.maybe_done,
        )

    async def client_parameters(self, prepay_id: str, mchid: str) -> Mapping[str, str]:
        """The arguments of wx.requestPayment; all strings, signed for this second."""
        timestamp, nonce, package = str(int(self._now_s())), self._nonce(), f"prepay_id={prepay_id}"
        return {
            "timeStamp": timestamp,
            "nonceStr": nonce,
            "package": package,
            "signType": "RSA",
            "paySign": await self._signer.sign(payment_message(self._appid, timestamp, nonce, package)),
        }

    async def query(self, order_no: str, mchid: str) -> TradeReport:
        _require_number(order_no, ORDER_NO_LENGTHS)
        path = f"/v3/pay/transactions/out-trade-no/{order_no}?mchid={self._mchid}"
        return trade_report((await self._gateway.repeat("GET", path)).answer, order_no)

    async def close(self, order_no: str, mchid: str) -> CloseResult:
        _require_number(order_no, ORDER_NO_LENGTHS)
        path = f"/v3/pay/transactions/out-trade-no/{order_no}/close"
        return close_result((await self._gateway.repeat("POST", path, self._close_body)).answer)

    async def refund(self, request: RefundRequest) -> RefundReport:
        """Sends the refund at most twice, and never twice without a query in between that found nothing."""
        number = request.out_refund_no
        body = orjson.dumps(self._refund_fields(request))
        if request.sent_before:
            report = await self.query_refund(number, request.mchid)
            if report.state is not RefundState.UNKNOWN_REFUND:
                return report
        doubtful = request.sent_before
        for attempt in range(REFUND_TRIES_MAX):
            if attempt:
                await asyncio.sleep(PAUSE_S)
            answer = await self._gateway.once("POST", "/v3/refund/domestic/refunds", body)
            sent = refund_report(answer, number)
            if sent.state not in (RefundState.UNKNOWN, RefundState.UNKNOWN_REFUND):
                return sent
            if is_refusal(answer) and answer.status == 401:
                return unknown_refund(answer, number)  # a query would be turned away as well
            found = await self.query_refund(number, request.mchid)
            if found.state is not RefundState.UNKNOWN_REFUND:
                return found
            if is_refusal(answer):
                # After a lost first try a refusal proves nothing: that try may still arrive.
                return unknown_refund(answer, number) if doubtful else refused_refund(answer, number)
            doubtful = True
        return unknown_refund(answer, number)

    async def query_refund(self, out_refund_no: str, mchid: str) -> RefundReport:
        _require_number(out_refund_no, REFUND_NO_LENGTHS)
        path = f"/v3/refund/domestic/refunds/{out_refund_no}"
        return refund_report((await self._gateway.repeat("GET", path)).answer, out_refund_no)

    async def redirect_refund(self, request: RedirectRequest) -> RefundReport:
        return RefundReport(out_refund_no=request.out_refund_no, state=RefundState.UNKNOWN, detail="not sent")

    def read_notification(self, headers: MultiMapping[str], raw_body: bytes, now_s: float) -> Notice:
        return notifications.read_notification(
            headers, raw_body, keys=self._keys, api_v3_key=self._api_v3_key, now_s=now_s
        )

    def _prepay_fields(self, request: PrepayRequest) -> dict[str, Any]:
        _require_number(request.order_no, ORDER_NO_LENGTHS)
        if request.total_fen < 1:
            raise ValueError("WeChat Pay takes no order below one fen")
        if request.expires_at.tzinfo is None:
            raise ValueError("expires_at names no instant without its zone")
        return {
            "appid": self._appid,
            "mchid": self._mchid,
            "description": _sendable(request.description, DESCRIPTION_MAX),
            "out_trade_no": request.order_no,
            # In China's offset, as every example has it: whether Z is taken is not documented.
            "time_expire": request.expires_at.astimezone(CHINA).isoformat(timespec="seconds"),
            "notify_url": self._notify_url,
            "amount": {"total": request.total_fen, "currency": "CNY"},
            "payer": {"openid": request.openid},
        }

    def _refund_fields(self, request: RefundRequest) -> dict[str, Any]:
        _require_number(request.out_refund_no, REFUND_NO_LENGTHS)
        _require_number(request.order_no, ORDER_NO_LENGTHS)
        if not 1 <= request.refund_fen <= request.total_fen:
            raise ValueError("a refund is at least one fen and at most what was paid")
        return {
            "out_trade_no": request.order_no,
            "out_refund_no": request.out_refund_no,
            "reason": _sendable(request.reason, REASON_MAX),
            "notify_url": self._refund_notify_url,
            "amount": {"refund": request.refund_fen, "total": request.total_fen, "currency": "CNY"},
        }


def from_config(config: Wechat, session: aiohttp.ClientSession) -> WeChatPay:
    """Reads the key files; raises KeyUnusable, naming the file, when one cannot be used."""
    if config.public_key_id is None or config.public_key_file is None:
        raise KeyUnusable("wechat.public_key_id and wechat.public_key_file are missing")
    return WeChatPay(
        session=session,
        appid=config.appid,
        mchid=config.mchid,
        api_v3_key=config.api_v3_key.get_secret_value(),
        merchant_key=MerchantKey.load(config.certificate_serial, config.private_key_file),
        keys=VerifyingKeys.load({config.public_key_id: config.public_key_file}),
        answers_signed_by=config.public_key_id,
        gateway_urls=[config.gateway_url],
        notify_url=config.notify_url,
        refund_notify_url=urljoin(config.notify_url, "refund-notify"),
        timeout_s=config.timeout_s,
        signer_count=config.signers,
        now_s=time.time,
        nonce=lambda: secrets.token_hex(16),
        jitter=SystemRandom().random,
    )


def _require_number(number: str, lengths: range) -> None:
    """Only [0-9A-Za-z_-]: WeChat Pay takes more, but `|` and `*` are spelled differently in a path."""
    bare = number.replace("_", "0").replace("-", "0")
    if not (bare.isascii() and bare.isalnum() and len(bare) in lengths):
        raise ValueError(f"not a number WeChat Pay takes: {number!r}")


def _sendable(text: str, length_max: int) -> str:
    """Text for a buyer's eyes, made to fit: WeChat Pay takes no character beyond U+FFFF, and cuts nothing."""
    if not text.isascii():
        text = "".join(character for character in text if character <= "\uffff")
    return text[:length_max]
