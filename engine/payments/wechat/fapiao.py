"""WeChat Pay's e-fapiao API for one merchant account: collecting titles, issuing, reversing, asking.

Everything is asynchronous there: 202 says that a request was taken, never that it was done. A request whose answer was
lost must be asked about before it is sent again, so applications and red letters are sent once here, and the caller
repeats. Phone and email travel encrypted in both directions; both are optional, so what cannot be read is left out.

What an answer means is decided in `fapiao_answers`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import quote, urlencode

import orjson

from engine.infra.reading import Unreadable, text
from engine.payments.wechat.answers import Answer, Silence
from engine.payments.wechat.fapiao_answers import (
    FapiaoReport,
    Title,
    TitleLink,
    Trouble,
    TroubleKind,
    fields_of,
    link_of,
    report_of,
    taken,
    title_of,
)

HOME = "/v3/new-tax-control-fapiao"
ENCRYPTED = ("phone", "email")
TAX_CODES_PER_PAGE = 20


class Settled(Protocol):
    """What a repeated request came to."""

    @property
    def answer(self) -> Answer | Silence: ...


class Conversation(Protocol):
    """The part of a Gateway that is needed here."""

    async def repeat(self, method: str, path: str, body: bytes = b"") -> Settled: ...

    async def once(self, method: str, path: str, body: bytes = b"") -> Answer | Silence: ...


class FapiaoApi:
    """`seal` encrypts a field for WeChat, `unseal` opens one that WeChat encrypted for the merchant; both raise
    ValueError when they cannot. That is processor time, so it is done in a thread."""

    def __init__(
        self, gateway: Conversation, *, appid: str, seal: Callable[[str], str], unseal: Callable[[str], str]
    ) -> None:
        self._gateway = gateway
        self._appid = appid
        self._seal = seal
        self._unseal = unseal

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
        return fields if isinstance(fields, Trouble) else link_of(fields)

    async def title(self, apply_id: str, *, scene: str) -> Title | Trouble:
        """What the buyer filled in; NOT_THERE until then."""
        query = urlencode({"fapiao_apply_id": apply_id, "scene": scene})
        fields = await self._get(f"{HOME}/user-title?{query}")
        if isinstance(fields, Trouble):
            return fields
        title = title_of(fields)
        if isinstance(title, Trouble):
            return title
        opened = {name: plain for name in ENCRYPTED if (plain := await self._opened(fields.get(name)))}
        return Title(kind=title.kind, fields={**title.fields, **opened})

    async def issue(
        self, apply_id: str, *, scene: str, title: Title, contents: list[Mapping[str, Any]]
    ) -> Trouble | None:
        """None: the application was taken. Sent once."""
        buyer: dict[str, str] = {"type": title.kind}
        for name, value in title.fields.items():
            if name not in ENCRYPTED:
                buyer[name] = value
            elif sealed := await self._sealed(value):
                buyer[name] = sealed
        body = {
            "scene": scene,
            "fapiao_apply_id": apply_id,
            "buyer_information": buyer,
            "fapiao_information": contents,
        }
        return taken(await self._gateway.once("POST", f"{HOME}/fapiao-applications", orjson.dumps(body)))

    async def query(self, apply_id: str, fapiao_id: str) -> FapiaoReport | Trouble:
        """Where this fapiao stands; NOT_THERE when the application never arrived."""
        query = urlencode({"fapiao_id": fapiao_id})
        settled = await self._gateway.repeat("GET", f"{HOME}/fapiao-applications/{quote(apply_id, safe='')}?{query}")
        return report_of(settled.answer, fapiao_id)

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
        return taken(await self._gateway.once("POST", path, orjson.dumps(body)))

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
        fields = fields_of(await self._gateway.once("POST", f"{HOME}/card-template", orjson.dumps(body)))
        if isinstance(fields, Trouble):
            return fields
        try:
            return text(fields, "card_id")
        except Unreadable as error:
            return Trouble(TroubleKind.UNKNOWN, detail=f"unreadable: {error}")

    async def _get(self, path: str) -> Mapping[str, Any] | Trouble:
        return await self._asked("GET", path)

    async def _asked(self, method: str, path: str, body: bytes = b"") -> Mapping[str, Any] | Trouble:
        return fields_of((await self._gateway.repeat(method, path, body)).answer)

    async def _opened(self, sealed: object) -> str:
        if type(sealed) is not str or not sealed:
            return ""
        try:
            return await asyncio.to_thread(self._unseal, sealed)
        except ValueError:  # not base64, not for us, or no text
            return ""

    async def _sealed(self, plain: str) -> str:
        try:
            return await asyncio.to_thread(self._seal, plain)
        except ValueError:  # too long, or WeChat's key is not here yet
            return ""
