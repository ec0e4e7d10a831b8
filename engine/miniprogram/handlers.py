"""The mini program's services over HTTP for buyers: what they agree to be told, and their phone number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from engine.config import MessageKind, MessageTemplate
from engine.miniprogram.errcodes import Refused
from engine.miniprogram.phones import Phones
from engine.miniprogram.subscriptions import Subscriptions, read_report
from engine.orders.request import is_idempotency_key
from engine.web.buyers import Buyers
from engine.web.http import Request, Response, answer, read_body, refuse, strict_json
from engine.web.problems import Code
from engine.web.routes import Route

KEY_HEADER = "Idempotency-Key"
CODE_CHARS_MAX = 128  # WeChat's have 64


class MiniProgramRoutes:
    """`asks_phones`: whether this shop asks for phone numbers. A number that is kept can always be erased."""

    def __init__(
        self,
        subscriptions: Subscriptions,
        phones: Phones,
        buyers: Buyers,
        *,
        templates: Mapping[MessageKind, MessageTemplate],
        asks_phones: bool,
        now_s: Callable[[], int],
        body_bytes_max: int,
        body_timeout_s: float,
    ) -> None:
        self._subscriptions = subscriptions
        self._phones = phones
        self._buyers = buyers
        self._templates = templates
        self._asks_phones = asks_phones
        self._now_s = now_s
        self._body_bytes_max = body_bytes_max
        self._body_timeout_s = body_timeout_s

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/v1/subscriptions", self.get_subscriptions),
            Route("POST", "/v1/subscriptions", self.post_subscriptions),
            Route("GET", "/v1/buyers/me/phone", self.get_phone),
            Route("POST", "/v1/buyers/me/phone", self.post_phone),
            Route("DELETE", "/v1/buyers/me/phone", self.delete_phone),
        ]

    async def get_subscriptions(self, request: Request) -> Response:
        """The templates to ask for, and how many messages of each this buyer has accepted."""
        buyer = self._buyers.of(request, now_s=self._now_s())
        if buyer is None:
            return refuse(request, Code.LOGIN_REQUIRED)
        return await self._templates_of(buyer)

    async def post_subscriptions(self, request: Request) -> Response:
        """{"kinds", "results"} of wx.requestSubscribeMessage; counted once for each Idempotency-Key."""
        buyer = self._buyers.of(request, now_s=self._now_s())
        if buyer is None:
            return refuse(request, Code.LOGIN_REQUIRED)
        key = request.headers.get(KEY_HEADER, "")
        if not is_idempotency_key(key):
            return refuse(request, Code.KEY_INVALID)
        body = await self._body(request)
        report = read_report(body, self._templates)
        if report is None:
            return refuse(request, Code.BODY_INVALID if not isinstance(body, dict) else Code.KINDS_INVALID)
        if not await self._subscriptions.add(buyer, key, report):
            return refuse(request, Code.KEY_REUSED)
        return await self._templates_of(buyer)

    async def _templates_of(self, buyer: bytes) -> Response:
        accepted = await self._subscriptions.read(buyer) if self._templates else {}
        told = [
            {"kind": kind.value, "template_id": template.template_id, "accepted": accepted.get(kind, 0)}
            for kind, template in self._templates.items()
        ]
        return answer({"templates": told})

    async def get_phone(self, request: Request) -> Response:
        """The ending of this buyer's number."""
        buyer = self._buyers.of(request, now_s=self._now_s())
        if buyer is None:
            return refuse(request, Code.LOGIN_REQUIRED)
        if not self._asks_phones:
            return refuse(request, Code.NOT_OFFERED)
        found = await self._phones.read(buyer)
        return refuse(request, Code.UNKNOWN_PHONE) if found is None else answer(asdict(found))

    async def post_phone(self, request: Request) -> Response:
        """{"code"} of the phone button -> the ending of the number, which is kept sealed."""
        buyer = self._buyers.of(request, now_s=self._now_s())
        if buyer is None:
            return refuse(request, Code.LOGIN_REQUIRED)
        body = await self._body(request)
        code = body.get("code") if isinstance(body, dict) and body.keys() == {"code"} else None
        if not isinstance(code, str) or not (0 < len(code) <= CODE_CHARS_MAX and code.isascii() and code.isprintable()):
            return refuse(request, Code.BODY_INVALID)
        if not self._asks_phones:
            return refuse(request, Code.NOT_OFFERED)
        found = await self._phones.take(code, buyer)
        if found is None:
            return refuse(request, Code.LOGIN_REQUIRED)
        return refuse(request, Code.PHONE_REFUSED) if isinstance(found, Refused) else answer(asdict(found))

    async def delete_phone(self, request: Request) -> Response:
        """Erase the number, also where this shop asks for none any more."""
        buyer = self._buyers.of(request, now_s=self._now_s())
        if buyer is None:
            return refuse(request, Code.LOGIN_REQUIRED)
        await self._phones.erase(buyer)
        return Response(status=204)

    async def _body(self, request: Request) -> Any:
        """The JSON of the body; None where it is none."""
        raw = await read_body(request, bytes_max=self._body_bytes_max, timeout_s=self._body_timeout_s)
        try:
            return strict_json(raw)
        except ValueError:
            return None
