"""One merchant account of WeChat Pay: its keys, its quota, its conversation, and the verbs of the port.

Three rules keep the money right. A request whose answer was lost is sent again with the same number and the same
fields, never with new ones. A refund is queried before it is sent again. And nothing but a signed answer makes a trade
paid, unpaid or closed; everything else is UNKNOWN, a value the caller must resolve by asking.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from multidict import MultiMapping

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
from engine.payments.wechat import notifications, requests
from engine.payments.wechat.answers import (
    Answer,
    Silence,
    close_result,
    is_refusal,
    prepaid_or_refusal,
    redirect_report,
    refund_report,
    refused_refund,
    trade_report,
    unknown_refund,
)
from engine.payments.wechat.certificates import Certificates, Refreshed
from engine.payments.wechat.endpoints import CERTIFICATES_PATH, ECHO_PATH, ORDER_PATH, REFUND_PATH
from engine.payments.wechat.gateway import PAUSE_S, Gateway
from engine.payments.wechat.keys import MerchantKey, VerifyingKeys
from engine.payments.wechat.messages import payment_message
from engine.payments.wechat.quotas import Quotas
from engine.payments.wechat.signer import Signer
from engine.payments.wechat.transport import Transport
from engine.payments.wechat.trust import Trust

PREPAY_VALID_S = 2 * 3600 - 300  # 2 h by contract; less what a repeat may have lost on the way
REFUND_TRIES_MAX = 2  # WeChat Pay allows 6 failing refund requests a second; the job comes back anyway


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What all accounts of a process have in common. Clock, nonces and jitter are given, so that tests can."""

    appid: str
    notify_url: str
    refund_notify_url: str
    transport: Transport
    signer: Signer
    quotas: Quotas
    timeout_s: float
    certificates_every_s: float
    now_s: Callable[[], float]
    nonce: Callable[[], str]
    jitter: Callable[[], float]
    offers_fapiao: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What makes a merchant. public_key_id: the key among `keys` that WeChat Pay is asked to sign with, or None.

    certificates: whether platform certificates are downloaded and believed.
    """

    mchid: str
    api_v3_key: bytes
    key: MerchantKey
    keys: VerifyingKeys
    public_key_id: str | None
    certificates: bool = False
    takes_orders: bool = True


class Account:
    """Serves one event loop."""

    def __init__(self, credentials: Credentials, shared: Shared) -> None:
        public_key_id, keys = credentials.public_key_id, credentials.keys
        if public_key_id is not None and not keys.knows(public_key_id, shared.now_s()):
            raise ValueError(f"there is no verifying key for {public_key_id}")
        self.mchid = credentials.mchid
        self.takes_orders = credentials.takes_orders
        self.keys = keys
        self.key = credentials.key
        self._api_v3_key = credentials.api_v3_key
        self._shared = shared
        self._quota = shared.quotas.of(credentials.mchid)
        self.certificates: Certificates | None = None
        if credentials.certificates:
            self.certificates = Certificates(
                keys,
                lambda keys_in: self.gateway.bootstrap(CERTIFICATES_PATH, keys_in),
                mchid=credentials.mchid,
                api_v3_key=credentials.api_v3_key,
                now_s=shared.now_s,
                every_s=shared.certificates_every_s,
            )
        self._trust = Trust(keys=keys, certificates=self.certificates, public_key_id=public_key_id)
        self.gateway = Gateway(
            transport=shared.transport,
            mchid=credentials.mchid,
            key=credentials.key,
            signer=shared.signer,
            trust=self._trust,
            quota=self._quota,
            now_s=shared.now_s,
            nonce=shared.nonce,
            jitter=shared.jitter,
            timeout_s=shared.timeout_s,
        )

    def now_s(self) -> float:
        """The clock that certificates and signatures go by."""
        return self._shared.now_s()

    def close(self) -> None:
        """Ends what runs in the background."""
        self._quota.close()
        if self.certificates is not None:
            self.certificates.close()

    async def create(self, request: PrepayRequest) -> Prepaid | ProviderRefusal:
        asked_at_s = self._shared.now_s()
        body = requests.prepay_body(
            request,
            appid=self._shared.appid,
            notify_url=self._shared.notify_url,
            offers_fapiao=self._shared.offers_fapiao,
        )
        settled = await self.gateway.repeat("POST", ORDER_PATH, body)
        return prepaid_or_refusal(
            settled.answer,
            valid_until=min(datetime.fromtimestamp(asked_at_s + PREPAY_VALID_S, UTC), request.expires_at),
            maybe_created=settled.maybe_done,
        )

    async def client_parameters(self, prepay_id: str) -> Mapping[str, str]:
        """The arguments of wx.requestPayment; all strings, signed for this second."""
        timestamp, nonce, package = str(int(self._shared.now_s())), self._shared.nonce(), f"prepay_id={prepay_id}"
        message = payment_message(self._shared.appid, timestamp, nonce, package)
        return {
            "timeStamp": timestamp,
            "nonceStr": nonce,
            "package": package,
            "signType": "RSA",
            "paySign": await self._shared.signer.sign(self.key, message),
        }

    async def query(self, order_no: str) -> TradeReport:
        path = requests.query_path(order_no, self.mchid)
        return trade_report((await self.gateway.repeat("GET", path)).answer, order_no)

    async def close_order(self, order_no: str) -> CloseResult:
        body = b'{"mchid":"%b"}' % self.mchid.encode()
        return close_result((await self.gateway.repeat("POST", requests.close_path(order_no), body)).answer)

    async def refund(self, request: RefundRequest) -> RefundReport:
        """Sends the refund at most twice, and never twice without a query in between that found nothing."""
        number = request.out_refund_no
        body = requests.refund_body(request, notify_url=self._shared.refund_notify_url)
        if request.sent_before:
            report = await self.query_refund(number)
            if report.state is not RefundState.UNKNOWN_REFUND:
                return report
        doubtful = request.sent_before
        for attempt in range(REFUND_TRIES_MAX):
            if attempt:
                await asyncio.sleep(PAUSE_S)
            answer = await self._send_refund(body)
            sent = refund_report(answer, number)
            if sent.state not in (RefundState.UNKNOWN, RefundState.UNKNOWN_REFUND):
                return sent
            if answer is Silence.HELD_BACK or (is_refusal(answer) and answer.status == 401):
                return unknown_refund(answer, number)  # not sent; or a query would be turned away as well
            found = await self.query_refund(number)
            if found.state is not RefundState.UNKNOWN_REFUND:
                return found
            if is_refusal(answer):
                # After a lost first try a refusal proves nothing: that try may still arrive.
                return unknown_refund(answer, number) if doubtful else refused_refund(answer, number)
            doubtful = True
        return unknown_refund(answer, number)

    async def _send_refund(self, body: bytes) -> Answer | Silence:
        await self._quota.failures_paid()
        answer = await self.gateway.once("POST", REFUND_PATH, body)
        if isinstance(answer, Answer) and answer.status >= 400:
            await self._quota.pay_failure()
        return answer

    async def query_refund(self, out_refund_no: str) -> RefundReport:
        path = requests.query_refund_path(out_refund_no)
        return refund_report((await self.gateway.repeat("GET", path)).answer, out_refund_no)

    async def redirect_refund(self, request: RedirectRequest) -> RefundReport:
        """Sent once: a second time, with a card sealed anew, would be another request."""
        path = requests.redirect_path(request.refund_id)
        if self.certificates is not None:
            await self.certificates.ready()
        if self._trust.asked_for(self._shared.now_s()) is None:
            return unknown_refund(Silence.NOT_SENT, request.out_refund_no)
        answer = await self.gateway.once("POST", path, requests.redirect_body(request, self.sealed))
        return redirect_report(answer, request.out_refund_no)

    async def echo(self, message: str) -> Answer | Silence:
        """WeChat Pay's test of itself and of us: signatures both ways and, where there is a key, encryption."""
        sealed = None
        if self._trust.asked_for(self._shared.now_s()) is not None:
            sealed = self.sealed(message)
        return await self.gateway.once("POST", ECHO_PATH, requests.echo_body(message, sealed))

    def sealed(self, text: str) -> str:
        """A personal field, encrypted for the key that requests name. Raises ValueError without any key."""
        serial = self._trust.asked_for(self._shared.now_s())
        if serial is None:
            raise ValueError("there is no key of WeChat Pay to encrypt with yet")
        return self.keys.sealed(serial, text)

    async def refresh_keys(self) -> Refreshed | None:
        """Downloads the certificates now; None if this account uses none."""
        return None if self.certificates is None else await self.certificates.refresh()

    def read_notification(self, headers: MultiMapping[str], raw_body: bytes, now_s: float) -> Notice:
        return notifications.read_notification(
            headers, raw_body, keys=self.keys, api_v3_key=self._api_v3_key, now_s=now_s
        )
