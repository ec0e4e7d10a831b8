"""The mini program's calls, typed: one method for each thing that api.weixin.qq.com does for this shop.

What comes back is the answer or a Refused, which is WeChat's word. ProviderAway is raised when there is no such word;
NotReached among it when WeChat certainly did nothing. A stale access token is replaced and the call made once more.
Openids, phone numbers, tokens and message texts are neither logged nor part of an exception.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from engine import telemetry
from engine.infra.outage import Outage, ProviderAway
from engine.infra.reading import Unreadable, nested, read_object, text, whole
from engine.miniprogram.access_token import AccessTokens
from engine.miniprogram.errcodes import BUSY, TOKEN_STALE, Refused, refused
from engine.miniprogram.wire import NotReached, Wire

URL_LINK_MAX = 2048
SCENE_MAX = 32
SCENE_CHARS = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!#$&'()*+,/:;=?@-._~")
ITEM_DESC_MAX = 120
CONTENT_MAX = 2500
URL_QUERY_MAX = 1024
VIRTUAL_GOODS = 3
UNIFIED_DELIVERY = 1
BY_TRANSACTION_ID = 2
CODE_WIDTH = 430  # pixels; WeChat draws 280 to 1280
COMMENT = 2
IMAGE_TYPES: Mapping[bytes, str] = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
RELEASE = "release"
# The version of the mini program: as messages call it, and as codes and links do.
ENV_VERSIONS: Mapping[str, str] = {"developer": "develop", "trial": "trial", "formal": RELEASE}


@dataclass(frozen=True, slots=True)
class Phone:
    """A buyer's phone number; `country_code` without a plus sign."""

    number: str = field(repr=False)
    country_code: str


class Suggestion(StrEnum):
    """What WeChat says about a text."""

    PASS = "pass"  # noqa: S105 - a verdict, no secret
    REVIEW = "review"
    RISKY = "risky"


SUGGESTIONS: Mapping[str, Suggestion] = {each.value: each for each in Suggestion}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A subscribe message, its fields fitted to WeChat's limits."""

    openid: str = field(repr=False)
    template_id: str
    page: str | None
    fields: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """Tickets that were delivered with the payment. `uploaded_at` is RFC 3339 with milliseconds."""

    transaction_id: str
    openid: str = field(repr=False)
    item_desc: str
    uploaded_at: str


class MiniProgramApi:
    """`state` is the version that messages open: developer, trial or formal; `lang` the language of their frame."""

    def __init__(self, wire: Wire, tokens: AccessTokens, *, state: str, lang: str) -> None:
        self._wire = wire
        self._tokens = tokens
        self._state = state
        self._lang = lang
        self.env_version = ENV_VERSIONS[state]

    async def phone_of(self, code: str, openid: str) -> Phone | Refused:
        """The phone number behind the code of the phone button. The code is spent by this call."""
        name = "getuserphonenumber"
        answer = await self._call(name, "/wxa/business/getuserphonenumber", {"code": code, "openid": openid})
        if isinstance(answer, Refused):
            return answer
        with _readable(name):
            phone = nested(read_object(answer), "phone_info")
            return Phone(text(phone, "purePhoneNumber"), text(phone, "countryCode"))

    async def send(self, message: Message) -> Refused | None:
        """Send a subscribe message; None once WeChat took it."""
        content: dict[str, object] = {
            "touser": message.openid,
            "template_id": message.template_id,
            "data": {name: {"value": value} for name, value in message.fields.items()},
            "miniprogram_state": self._state,
            "lang": self._lang,
        }
        if message.page is not None:
            content["page"] = message.page
        return await self._do("subscribe_send", "/cgi-bin/message/subscribe/send", content)

    async def ship(self, shipment: Shipment) -> Refused | None:
        """Tell WeChat that the tickets of this payment were delivered; None once it took it.

        WeChat takes it once and one correction, so that a repeat after an unknown outcome is harmless.
        """
        assert 0 < len(shipment.item_desc) <= ITEM_DESC_MAX
        content = {
            "order_key": {"order_number_type": BY_TRANSACTION_ID, "transaction_id": shipment.transaction_id},
            "logistics_type": VIRTUAL_GOODS,
            "delivery_mode": UNIFIED_DELIVERY,
            "shipping_list": [{"item_desc": shipment.item_desc}],
            "upload_time": shipment.uploaded_at,
            "payer": {"openid": shipment.openid},
        }
        return await self._do("upload_shipping_info", "/wxa/sec/order/upload_shipping_info", content)

    async def code_image(self, *, scene: str, page: str, width: int = CODE_WIDTH) -> bytes | Refused:
        """The QR code that opens this page with this scene, for ever: an image, PNG or JPEG."""
        assert 0 < len(scene) <= SCENE_MAX
        assert SCENE_CHARS.issuperset(scene)
        content = {
            "scene": scene,
            "page": page,
            "check_path": self.env_version == RELEASE,  # a version that is not published has no pages to check
            "env_version": self.env_version,
            "width": width,
        }
        name = "getwxacodeunlimit"
        answer = await self._call(name, "/wxa/getwxacodeunlimit", content)
        if isinstance(answer, bytes) and image_type(answer) is None:
            raise ProviderAway(f"{name}: unreadable: no image")
        return answer

    async def url_link(self, *, page: str, query: str, days: int) -> str | Refused:
        """A link that opens this page from a browser or a text message for so many days, at most 30."""
        assert len(query) <= URL_QUERY_MAX
        content = {
            "path": page,
            "query": query,
            "expire_type": 1,
            "expire_interval": days,
            "env_version": self.env_version,
        }
        name = "generate_urllink"
        answer = await self._call(name, "/wxa/generate_urllink", content)
        if isinstance(answer, Refused):
            return answer
        with _readable(name):
            return text(read_object(answer), "url_link", length_max=URL_LINK_MAX)

    async def check_text(self, content: str, *, openid: str, scene: int = COMMENT) -> Suggestion | Refused:
        """WeChat's opinion of a text that a buyer wrote. scene: 1 profile, 2 comment, 3 forum, 4 social."""
        assert 0 < len(content) <= CONTENT_MAX
        name = "msg_sec_check"
        said = {"version": 2, "openid": openid, "scene": scene, "content": content}
        answer = await self._call(name, "/wxa/msg_sec_check", said)
        if isinstance(answer, Refused):
            return answer
        with _readable(name):
            suggestion = SUGGESTIONS.get(text(nested(read_object(answer), "result"), "suggest"))
            if suggestion is None:
                raise Unreadable("result.suggest")
            return suggestion

    async def _do(self, name: str, path: str, content: Mapping[str, object]) -> Refused | None:
        """A call whose answer is nothing but that it was done."""
        answer = await self._call(name, path, content)
        if isinstance(answer, Refused):
            return answer
        with _readable(name):
            whole(read_object(answer), "errcode")
        return None

    async def _call(self, name: str, path: str, content: Mapping[str, object]) -> bytes | Refused:
        """The body that carries no error, or WeChat's no."""
        try:
            answer = await self._ask(name, path, content)
        except ProviderAway as away:
            telemetry.MINIPROGRAM_CALLS.labels(name, "unreached" if isinstance(away, NotReached) else "unknown").inc()
            raise
        telemetry.MINIPROGRAM_CALLS.labels(name, answer.refusal if isinstance(answer, Refused) else "ok").inc()
        return answer

    async def _ask(self, name: str, path: str, content: Mapping[str, object]) -> bytes | Refused:
        token = await self._with_token(name, self._tokens.current())
        raw = await self._wire.post(name, path, {"access_token": token}, content)
        errcode, fields = _judged(name, raw)
        if errcode in TOKEN_STALE:
            token = await self._with_token(name, self._tokens.after(token))
            raw = await self._wire.post(name, path, {"access_token": token}, content)
            errcode, fields = _judged(name, raw)
        if errcode == 0:
            return raw
        if errcode == BUSY or errcode in TOKEN_STALE:
            raise NotReached(f"{name}: errcode {errcode}")
        return refused(name, errcode, fields)

    @staticmethod
    async def _with_token(name: str, token: Awaitable[str]) -> str:
        """Without a token nothing was sent, so nothing can have been done."""
        try:
            return await token
        except Outage as away:
            raise NotReached(f"{name}: {away}") from None


def image_type(image: bytes) -> str | None:
    """The content type of an image, by how it begins."""
    return next((kind for start, kind in IMAGE_TYPES.items() if image.startswith(start)), None)


def _judged(name: str, raw: bytes) -> tuple[int, Mapping[str, Any]]:
    """The errcode, 0 if there is none, and what else the answer says; an image says nothing."""
    if raw.lstrip()[:1] != b"{":
        return 0, {}
    with _readable(name):
        fields = read_object(raw)
        return whole(fields, "errcode") if "errcode" in fields else 0, fields


@contextmanager
def _readable(name: str) -> Iterator[None]:
    """Turns an answer that is not what the documents promise into ProviderAway."""
    try:
        yield
    except Unreadable as error:
        raise ProviderAway(f"{name}: unreadable: {error}") from None
