"""WeChat Pay's e-fapiao API for one merchant account: collecting titles, issuing, reversing, asking.

Everything is asynchronous there: 202 says that a request was taken, never that it was done. A request whose answer was
lost must be asked about before it is sent again, so applications and red letters are sent once here, and the caller
repeats. Phone and email travel encrypted in both directions; both are optional, so what cannot be read is left out.

What WeChat says is mirrored in its own words (`Status`); what it does not say in time is Trouble of kind UNKNOWN.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol
from urllib.parse import quote, urlencode

import orjson

from engine.payments.wechat.answers import Answer, Silence, is_refusal
from engine.payments.wechat.contents import TEXT_MAX, Unreadable, read_object, text
from engine.payments.wechat.field_cipher import FieldCipher

HOME = "/v3/new-tax-control-fapiao"
NOT_THERE_CODES = frozenset({"RESOURCENOTEXISTS", "ORDERNOTEXIST", "NOTFOUND"})
TITLE_LENGTHS: Mapping[str, int] = {
    "name": 256,
    "taxpayer_id": 32,
    "address": 128,
    "telephone": 32,
    "bank_name": 128,
    "bank_account": 32,
}
ENCRYPTED = ("phone", "email")
KINDS = frozenset({"INDIVIDUAL", "ORGANIZATION"})
TAX_CODES_PER_PAGE = 20
LINK_MAX = 4096
ENCRYPTED_BYTES_MAX = 214  # what RSA-2048 leaves after OAEP's padding


class Settled(Protocol):
    """What a repeated request came to."""

    @property
    def answer(self) -> Answer | Silence: ...


class Conversation(Protocol):
    """The part of a Gateway that is needed here."""

    async def repeat(self, method: str, path: str, body: bytes = b"") -> Settled: ...

    async def once(self, method: str, path: str, body: bytes = b"") -> Answer | Silence: ...


class TroubleKind(StrEnum):
    NOT_THERE = "NOT_THERE"  # WeChat knows no such application, or nobody has filled in a title yet
    REFUSED = "REFUSED"  # a definite no; the code says why
    UNKNOWN = "UNKNOWN"  # ask, then decide


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why there is no answer. `detail` is for logs and free of personal fields."""

    kind: TroubleKind
    code: str = ""
    detail: str = ""


class Status(StrEnum):
    ISSUE_ACCEPTED = "ISSUE_ACCEPTED"
    ISSUED = "ISSUED"
    REVERSE_ACCEPTED = "REVERSE_ACCEPTED"
    REVERSED = "REVERSED"
    ISSUE_FAILED = "ISSUE_FAILED"
    REVERSE_FAILED = "REVERSE_FAILED"


class CardStatus(StrEnum):
    INSERT_ACCEPTED = "INSERT_ACCEPTED"
    INSERTED = "INSERTED"
    DISCARD_ACCEPTED = "DISCARD_ACCEPTED"
    DISCARDED = "DISCARDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class FapiaoReport:
    """Where one fapiao stands at WeChat."""

    fapiao_id: str
    status: Status
    card_status: CardStatus | None = None
    code: str | None = None
    number: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TitleLink:
    """Where the buyer fills in a title, for half an hour: a page of WeChat's own mini program, or an address."""

    appid: str | None = None
    path: str | None = None
    user_name: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Title:
    """A title as WeChat has it, by WeChat's names, phone and email in the clear. Personal."""

    kind: str
    fields: Mapping[str, str] = field(repr=False)


class FapiaoApi:
    """`cipher` opens and seals phone and email; that is processor time, so it is done in a thread."""

    def __init__(self, gateway: Conversation, *, appid: str, cipher: FieldCipher) -> None:
        self._gateway = gateway
        self._appid = appid
        self._cipher = cipher

    async def title_link(
        self, apply_id: str, *, openid: str, total_fen: int, seller_name: str = ""
    ) -> TitleLink | Trouble:
        """A fresh link for this application; asking again under the same number is right."""
        query = {
            "fapiao_apply_id": apply_id,
            "source": "MINIPROGRAM",
            "appid": self._appid,
            "openid": openid,
            "total_amount": str(total_fen),
        }
        if seller_name:
            query["seller_name"] = seller_name
        fields = await self._get(f"{HOME}/user-title/title-url?{urlencode(query, quote_via=quote)}")
        if isinstance(fields, Trouble):
            return fields
        found = TitleLink(
            appid=_text_or_none(fields, "miniprogram_appid"),
            path=_text_or_none(fields, "miniprogram_path", LINK_MAX),
            user_name=_text_or_none(fields, "miniprogram_user_name"),
            url=_text_or_none(fields, "title_url", LINK_MAX),
        )
        return found if found.path or found.url else Trouble(TroubleKind.UNKNOWN, detail="an answer without a link")

    async def title(self, apply_id: str, *, scene: str) -> Title | Trouble:
        """What the buyer filled in; NOT_THERE until then."""
        query = urlencode({"fapiao_apply_id": apply_id, "scene": scene})
        fields = await self._get(f"{HOME}/user-title?{query}")
        if isinstance(fields, Trouble):
            return fields
        try:
            kind = text(fields, "type")
            plain = {"name": text(fields, "name")}
        except Unreadable as error:
            return Trouble(TroubleKind.UNKNOWN, detail=f"unreadable title: {error}")
        if kind not in KINDS:
            return Trouble(TroubleKind.UNKNOWN, detail="a title of an unknown type")
        for name, length_max in TITLE_LENGTHS.items():
            value = fields.get(name)
            if type(value) is str and 0 < len(value) <= length_max:
                plain[name] = value
        for name in ENCRYPTED:
            if opened := await self._opened(fields.get(name)):
                plain[name] = opened
        return Title(kind=kind, fields=plain)

    async def issue(
        self, apply_id: str, *, scene: str, title: Title, contents: list[Mapping[str, Any]]
    ) -> Trouble | None:
        """None: the application was taken. Sent once."""
        buyer: dict[str, str] = {"type": title.kind}
        for name, value in title.fields.items():
            if name not in ENCRYPTED:
                buyer[name] = value
            elif self._cipher.can_seal:
                buyer[name] = await asyncio.to_thread(self._cipher.seal, value)
        body = {
            "scene": scene,
            "fapiao_apply_id": apply_id,
            "buyer_information": buyer,
            "fapiao_information": contents,
        }
        return _taken(await self._gateway.once("POST", f"{HOME}/fapiao-applications", orjson.dumps(body)))

    async def query(self, apply_id: str, fapiao_id: str) -> FapiaoReport | Trouble:
        """Where this fapiao stands; NOT_THERE when the application never arrived."""
        query = urlencode({"fapiao_id": fapiao_id})
        fields = await self._get(f"{HOME}/fapiao-applications/{quote(apply_id, safe='')}?{query}")
        if isinstance(fields, Trouble):
            return fields
        listed = fields.get("fapiao_information") or []
        if type(listed) is not list:
            return Trouble(TroubleKind.UNKNOWN, detail="unreadable: fapiao_information")
        for entry in listed:
            if type(entry) is dict and entry.get("fapiao_id") == fapiao_id:
                return _report(entry, fapiao_id)
        # The application is known, with others of its fapiao: this one never arrived.
        return Trouble(TroubleKind.NOT_THERE, detail="not among the application's fapiao")

    async def reverse(
        self, apply_id: str, fapiao_id: str, *, reason: str, code: str | None, number: str | None
    ) -> Trouble | None:
        """None: the red letter was asked for. Sent once."""
        entry = {"fapiao_id": fapiao_id}
        if code:
            entry["fapiao_code"] = code
        if number:
            entry["fapiao_number"] = number
        body = {"reverse_reason": reason, "fapiao_information": [entry]}
        path = f"{HOME}/fapiao-applications/{quote(apply_id, safe='')}/reverse"
        return _taken(await self._gateway.once("POST", path, orjson.dumps(body)))

    async def configure(self, *, callback_url: str, show_cell: bool) -> Mapping[str, Any] | Trouble:
        """Where WeChat calls back, and whether receipts offer a fapiao."""
        body = orjson.dumps({"callback_url": callback_url, "show_fapiao_cell": show_cell})
        return await self._asked("PATCH", f"{HOME}/merchant/development-config", body)

    async def configuration(self) -> Mapping[str, Any] | Trouble:
        return await self._get(f"{HOME}/merchant/development-config")

    async def seller(self) -> Mapping[str, Any] | Trouble:
        """The seller as it stands on every fapiao."""
        return await self._get(f"{HOME}/merchant/base-information")

    async def tax_codes(self, *, offset: int = 0) -> Mapping[str, Any] | Trouble:
        """One page of the goods and tax codes that WeChat knows for this seller."""
        return await self._get(f"{HOME}/merchant/tax-codes?offset={offset}&limit={TAX_CODES_PER_PAGE}")

    async def make_card_template(self, *, payee: str, logo_url: str) -> str | Trouble:
        """The id of the card that shows a fapiao in the buyer's wallet."""
        body = {"card_appid": self._appid, "card_template_information": {"payee_name": payee, "logo_url": logo_url}}
        # Once: a repeat would make another card.
        fields = _fields(await self._gateway.once("POST", f"{HOME}/card-template", orjson.dumps(body)))
        if isinstance(fields, Trouble):
            return fields
        try:
            return text(fields, "card_id")
        except Unreadable as error:
            return Trouble(TroubleKind.UNKNOWN, detail=f"unreadable: {error}")

    async def _get(self, path: str) -> Mapping[str, Any] | Trouble:
        return await self._asked("GET", path)

    async def _asked(self, method: str, path: str, body: bytes = b"") -> Mapping[str, Any] | Trouble:
        return _fields((await self._gateway.repeat(method, path, body)).answer)

    async def _opened(self, sealed: object) -> str:
        if type(sealed) is not str or not sealed:
            return ""
        try:
            opened = await asyncio.to_thread(self._cipher.unseal, sealed)
        except ValueError:  # not base64, not for us, or no text
            return ""
        return opened if len(opened.encode()) <= ENCRYPTED_BYTES_MAX else ""


def _fields(answer: Answer | Silence) -> Mapping[str, Any] | Trouble:
    if isinstance(answer, Silence):
        return Trouble(TroubleKind.UNKNOWN, detail=answer)
    if answer.status == 204:
        return {}
    if answer.status != 200:
        return _trouble(answer)
    try:
        return read_object(answer.body)
    except Unreadable as error:
        return Trouble(TroubleKind.UNKNOWN, detail=f"{answer.detail}: {error}")


def _taken(answer: Answer | Silence) -> Trouble | None:
    if isinstance(answer, Silence):
        return Trouble(TroubleKind.UNKNOWN, detail=answer)
    return None if 200 <= answer.status < 300 else _trouble(answer)


def _trouble(answer: Answer) -> Trouble:
    """A no is definite, but for one: 401 means that our signature was not taken, so nobody looked at the question."""
    code = answer.code
    if answer.status == 404 or code in NOT_THERE_CODES:
        return Trouble(TroubleKind.NOT_THERE, code, answer.detail)
    if is_refusal(answer) and answer.status != 401:
        return Trouble(TroubleKind.REFUSED, code or f"HTTP_{answer.status}", answer.detail)
    return Trouble(TroubleKind.UNKNOWN, code, answer.detail)


def _report(entry: Mapping[str, Any], fapiao_id: str) -> FapiaoReport | Trouble:
    status = str(entry.get("status"))
    if status not in Status.__members__:
        return Trouble(TroubleKind.UNKNOWN, detail="unreadable: status")
    card = entry.get("card_information")
    card_status = str(card.get("card_status")) if type(card) is dict else ""
    blue = entry.get("blue_fapiao")
    blue = blue if type(blue) is dict else {}
    return FapiaoReport(
        fapiao_id=fapiao_id,
        status=Status(status),
        card_status=CardStatus(card_status) if card_status in CardStatus.__members__ else None,
        code=_text_or_none(blue, "fapiao_code"),
        number=_text_or_none(blue, "fapiao_number"),
    )


def _text_or_none(fields: Mapping[str, Any], name: str, length_max: int = TEXT_MAX) -> str | None:
    value = fields.get(name)
    return value if type(value) is str and 0 < len(value) <= length_max else None
