"""HTTP answers that look like WeChat's: the header set, the five signature headers, the Request-ID.

Every 2xx is signed, with an empty third line when the body is empty. A refusal of authorization is never
signed; a business refusal is signed when the operator says so, because nobody outside WeChat knows whether
it is.
"""

from collections.abc import Callable, Mapping

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from multidict import CIMultiDict

from engine.simulator.keys import crypto
from engine.simulator.keys.signer import Signer
from engine.simulator.luck.fates import Flaw
from engine.simulator.pay.parcels import PROBE_PREFIX, STALE_S
from engine.simulator.pay.shapes import request_id
from engine.simulator.processes.authorization import SCHEME
from engine.simulator.processes.calls import JSON_TYPE, Page

KEEPALIVE_S = 8  # WeChat drops idle connections after 8 s; clients that keep them longer meet resets.

_COMMON = (
    ("Server", "nginx"),
    ("Connection", "keep-alive"),
    ("Keep-Alive", f"timeout={KEEPALIVE_S}"),
    ("Cache-Control", "no-cache, must-revalidate"),
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Language", "zh-CN"),
)
_JSON = ("Content-Type", JSON_TYPE)


class Answers:
    """Builds answers; `private` has the keys by the serials that may be asked to sign."""

    def __init__(
        self,
        *,
        signer: Signer,
        private: Mapping[str, RSAPrivateKey],
        now_ms: Callable[[], int],
        entropy: Callable[[int], bytes],
    ) -> None:
        self._signer = signer
        self._private = private
        self._now_ms = now_ms
        self._entropy = entropy
        self._signed = {
            serial: (*_COMMON, ("Wechatpay-Serial", serial), ("Wechatpay-Signature-Type", SCHEME)) for serial in private
        }

    async def signed(
        self, status: int, body: bytes, *, serial: str, number: int = 0, flaw: str = Flaw.NONE
    ) -> web.Response:
        """A signed answer, or one whose signature has the flaw that was asked for."""
        entropy = self._entropy(28)
        nonce = entropy[:16].hex()
        timestamp = str(self._now_ms() // 1000 - (STALE_S if flaw == Flaw.STALE else 0))
        message = crypto.answer_message(
            timestamp=timestamp, nonce=nonce, body=body + b" " if flaw == Flaw.BAD_SIGNATURE else body
        )
        signature = await self._signer.sign(self._private[serial], message)
        headers = CIMultiDict(self._signed[serial])
        headers["Request-ID"] = request_id(entropy[16:], number)
        headers["Wechatpay-Timestamp"] = timestamp
        headers["Wechatpay-Nonce"] = nonce
        headers["Wechatpay-Signature"] = PROBE_PREFIX + signature if flaw == Flaw.SIGNTEST else signature
        if not body:
            return web.Response(status=status, headers=headers)
        headers.add(*_JSON)
        return web.Response(status=status, body=body, headers=headers)

    def unsigned(self, status: int, body: bytes, *, number: int | None, content_type: str = JSON_TYPE) -> web.Response:
        """An answer without Wechatpay-* headers; `number` None also leaves out the Request-ID."""
        headers = CIMultiDict((*_COMMON, ("Content-Type", content_type)) if body else _COMMON)
        if number is not None:
            headers["Request-ID"] = request_id(self._entropy(12), number)
        return web.Response(status=status, body=body, headers=headers)


def empty(status: int) -> web.Response:
    """404 and 405 of WeChat have no body."""
    return web.Response(status=status, headers=CIMultiDict(_COMMON))


def page(told: Page) -> web.Response:
    """The answer to a visit outside the merchant API."""
    if not told.body:
        return empty(told.status)
    return web.Response(status=told.status, body=told.body, headers=CIMultiDict((("Content-Type", told.content_type),)))
