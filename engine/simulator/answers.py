"""HTTP answers that look like WeChat's: the header set, the five signature headers, the Request-ID.

Every 2xx is signed, with an empty third line when the body is empty. A refusal of authorization is never
signed; a business refusal is signed when the operator says so, because nobody outside WeChat knows whether
it is.
"""

from collections.abc import Callable

import orjson
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from multidict import CIMultiDict

from engine.simulator import crypto
from engine.simulator.authorization import SCHEME
from engine.simulator.shapes import request_id
from engine.simulator.signer import Signer

KEEPALIVE_S = 8  # WeChat drops idle connections after 8 s; clients that keep them longer meet resets.
PROBE_PREFIX = "WECHATPAY/SIGNTEST/"

_COMMON = (
    ("Server", "nginx"),
    ("Connection", "keep-alive"),
    ("Keep-Alive", f"timeout={KEEPALIVE_S}"),
    ("Cache-Control", "no-cache, must-revalidate"),
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Language", "zh-CN"),
)
_JSON = ("Content-Type", "application/json; charset=utf-8")
# api.weixin.qq.com answers JSON under this type; clients that insist on application/json fail there too.
_LOGIN_JSON = ("Content-Type", "text/plain")


class Answers:
    """Builds answers with one platform key."""

    def __init__(
        self,
        *,
        signer: Signer,
        key: RSAPrivateKey,
        serial: str,
        now_ms: Callable[[], int],
        entropy: Callable[[int], bytes],
    ) -> None:
        self._signer = signer
        self._key = key
        self._now_ms = now_ms
        self._entropy = entropy
        self._signed = (*_COMMON, ("Wechatpay-Serial", serial), ("Wechatpay-Signature-Type", SCHEME))

    async def signed(self, status: int, body: bytes, *, number: int = 0, probe: bool = False) -> web.Response:
        """A signed answer; a probe carries a signature that is wrong on purpose."""
        entropy = self._entropy(28)
        nonce = entropy[:16].hex()
        timestamp = str(self._now_ms() // 1000)
        signature = await self._signer.sign(
            self._key, crypto.answer_message(timestamp=timestamp, nonce=nonce, body=body)
        )
        headers = CIMultiDict(self._signed)
        headers["Request-ID"] = request_id(entropy[16:], number)
        headers["Wechatpay-Timestamp"] = timestamp
        headers["Wechatpay-Nonce"] = nonce
        headers["Wechatpay-Signature"] = PROBE_PREFIX + signature if probe else signature
        if not body:
            return web.Response(status=status, headers=headers)
        headers.add(*_JSON)
        return web.Response(status=status, body=body, headers=headers)

    def unsigned(self, status: int, body: bytes, *, number: int | None) -> web.Response:
        """A refusal without Wechatpay-* headers; `number` None also leaves out the Request-ID."""
        headers = CIMultiDict((*_COMMON, _JSON))
        if number is not None:
            headers["Request-ID"] = request_id(self._entropy(12), number)
        return web.Response(status=status, body=body, headers=headers)


def empty(status: int) -> web.Response:
    """404 and 405 of WeChat have no body."""
    return web.Response(status=status, headers=CIMultiDict(_COMMON))


def login(document: object) -> web.Response:
    """Always 200: the truth of api.weixin.qq.com is in `errcode`."""
    return web.Response(body=orjson.dumps(document), headers=CIMultiDict((_LOGIN_JSON,)))


def plain(document: object, *, status: int = 200) -> web.Response:
    """JSON for the simulator's own buyer and admin calls."""
    return web.Response(
        status=status,
        body=orjson.dumps(document),
        headers=CIMultiDict((("Content-Type", "application/json"),)),
    )
