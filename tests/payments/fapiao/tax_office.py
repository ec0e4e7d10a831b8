"""WeChat Pay's e-fapiao on loopback: a server that checks the merchant's signature, keeps applications and signs.

It is strict where the documents are: a number is taken once, an application holds five, only what is issued can be
reversed. Tests say when the tax office has decided (`decide`) and what goes wrong (`lose_answers`, `refuse`).
"""

from __future__ import annotations

import base64
import json
import re
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from tests.payments.wechat import platform
from tests.payments.wechat.platform import KEYS

OAEP = padding.OAEP(mgf=padding.MGF1(hashes.SHA1()), algorithm=hashes.SHA1(), label=None)
HOME = "/v3/new-tax-control-fapiao"
TITLE = {"type": "ORGANIZATION", "name": "深圳市南山区测试企业", "taxpayer_id": "202003261233701778"}
PHONE = "13900000001"
EMAIL = "buyer@example.com"


def public_key(name: str) -> RSAPublicKey:
    key = load_pem_public_key((KEYS / f"{name}_public.pem").read_bytes())
    assert isinstance(key, RSAPublicKey)
    return key


MERCHANT = public_key("merchant")


def for_merchant(plain: str) -> str:
    return base64.b64encode(MERCHANT.encrypt(plain.encode(), OAEP)).decode()


@dataclass
class Issued:
    """One fapiao of an application, as WeChat has it."""

    content: dict[str, Any]
    buyer: dict[str, Any]
    status: str = "ISSUE_ACCEPTED"
    card_status: str | None = None
    number: str | None = None


@dataclass
class TaxOffice:
    url: str = ""
    titles: dict[str, dict[str, Any]] = field(default_factory=dict)
    applications: dict[str, dict[str, Issued]] = field(default_factory=dict)
    scenes: dict[str, str] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    configuration: dict[str, Any] = field(default_factory=dict)
    lose_answers: list[str] = field(default_factory=list)
    refuse: dict[str, tuple[int, str]] = field(default_factory=dict)
    links: list[dict[str, str]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def fill_in(self, apply_id: str, **fields: str) -> None:
        """The buyer filled in the title."""
        secret = {"phone": for_merchant(PHONE), "email": for_merchant(EMAIL)}
        self.titles[apply_id] = {**TITLE, **secret, **fields}

    def only(self, apply_id: str) -> Issued:
        (found,) = self.applications[apply_id].values()
        return found

    def decide(self, status: str, *, card_status: str | None = None) -> None:
        """The tax office decides on everything that waits for it."""
        waiting = "REVERSE_ACCEPTED" if status.startswith("REVERSE") else "ISSUE_ACCEPTED"
        for application in self.applications.values():
            for one in application.values():
                if one.status == waiting:
                    one.status, one.card_status = status, card_status
                    one.number = one.number or str(10_000_000 + len(self.calls))

    def put_into_wallets(self) -> None:
        for application in self.applications.values():
            for one in application.values():
                one.card_status = "INSERTED"

    def count(self, method: str, ending: str) -> int:
        return sum(called == method and path.split("?")[0].endswith(ending) for called, path in self.calls)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        self.calls.append((request.method, request.raw_path))
        _check_signature(request, raw)
        path = request.path.removeprefix(HOME)
        for ending, (status, code) in list(self.refuse.items()):
            if path.endswith(ending):
                return _signed(status, {"code": code, "message": "…"})
        status, body = self._decided(request.method, path, parse_qs(request.query_string), raw)
        for ending in self.lose_answers:
            if path.endswith(ending) and request.method == "POST":
                self.lose_answers.remove(ending)
                assert request.transport is not None
                request.transport.close()
        return _signed(status, body)

    def _decided(self, method: str, path: str, query: dict[str, list[str]], raw: bytes) -> tuple[int, object]:
        if (method, path) == ("GET", "/user-title/title-url"):
            asked = {name: values[0] for name, values in query.items()}
            self.links.append(asked)
            return 200, {
                "miniprogram_appid": "wx00title",
                "miniprogram_path": f"pages/title?{asked['fapiao_apply_id']}",
            }
        if (method, path) == ("GET", "/user-title"):
            found = self.titles.get(query["fapiao_apply_id"][0])
            self.scenes[query["fapiao_apply_id"][0]] = query["scene"][0]
            return (200, found) if found else (404, {"code": "RESOURCE_NOT_EXISTS", "message": "…"})
        if (method, path) == ("POST", "/fapiao-applications"):
            return self._apply(json.loads(raw))
        if method == "GET" and (match := re.fullmatch(r"/fapiao-applications/([^/]+)", path)):
            return self._query(match.group(1), query["fapiao_id"][0])
        if method == "POST" and (match := re.fullmatch(r"/fapiao-applications/([^/]+)/reverse", path)):
            return self._reverse(match.group(1), json.loads(raw))
        if path == "/merchant/development-config":
            if method == "PATCH":
                self.configuration |= json.loads(raw)
            return 200, self.configuration
        if (method, path) == ("GET", "/merchant/base-information"):
            return 200, {"seller_information": {"name": "测试公司", "taxpayer_id": "202003261233701778"}}
        if (method, path) == ("GET", "/merchant/tax-codes"):
            row = {
                "goods_name": "门票",
                "tax_code": "3070301000000000000",
                "tax_rate": 600,
                "tax_prefer_mark": "NO_FAVORABLE",
            }
            return 200, {"total_count": 1, "data": [row]}
        if (method, path) == ("POST", "/card-template"):
            self.configuration["card"] = json.loads(raw)
            return 200, {"card_appid": platform.APPID, "card_id": "pIJMr5MMiAO_card"}
        return 404, ""

    def _apply(self, body: dict[str, Any]) -> tuple[int, object]:
        apply_id = body["fapiao_apply_id"]
        self.scenes[apply_id] = body["scene"]
        (content,) = body["fapiao_information"]
        held = self.applications.setdefault(apply_id, {})
        sums_up = content["total_amount"] == sum(line["total_amount"] for line in content["items"])
        standing = any(one.status in ("ISSUE_ACCEPTED", "ISSUED", "REVERSE_ACCEPTED") for one in held.values())
        if content["fapiao_id"] in held or not sums_up or len(held) >= 5 or standing:
            return 400, {"code": "INVALID_REQUEST", "message": "…"}
        held[content["fapiao_id"]] = Issued(content, body["buyer_information"])
        return 202, None

    def _query(self, apply_id: str, fapiao_id: str) -> tuple[int, object]:
        held = self.applications.get(apply_id)
        if held is None:
            return 404, {"code": "RESOURCE_NOT_EXISTS", "message": "…"}
        one = held.get(fapiao_id)
        if one is None:
            return 200, {"total_count": 0, "fapiao_information": []}
        found: dict[str, Any] = {
            "fapiao_id": fapiao_id,
            "status": one.status,
            "total_amount": one.content["total_amount"],
        }
        if one.number:
            found["blue_fapiao"] = {"fapiao_code": "044001911211", "fapiao_number": one.number}
        if one.card_status:
            found["card_information"] = {"card_status": one.card_status}
        return 200, {"total_count": 1, "fapiao_information": [found]}

    def _reverse(self, apply_id: str, body: dict[str, Any]) -> tuple[int, object]:
        (wanted,) = body["fapiao_information"]
        one = self.applications.get(apply_id, {}).get(wanted["fapiao_id"])
        if one is None:
            return 404, {"code": "RESOURCE_NOT_EXISTS", "message": "…"}
        if one.status not in ("ISSUED", "REVERSE_FAILED") or wanted.get("fapiao_number") != one.number:
            return 400, {"code": "INVALID_REQUEST", "message": "…"}
        one.status = "REVERSE_ACCEPTED"
        self.reasons.append(body["reverse_reason"])
        return 202, None


def _check_signature(request: web.Request, raw: bytes) -> None:
    pairs = dict(re.findall(r'(\w+)="([^"]*)"', request.headers["Authorization"]))
    message = (
        f"{request.method}\n{request.raw_path}\n{pairs['timestamp']}\n{pairs['nonce_str']}\n".encode() + raw + b"\n"
    )
    MERCHANT.verify(base64.b64decode(pairs["signature"]), message, padding.PKCS1v15(), hashes.SHA256())
    assert request.headers["Wechatpay-Serial"] == platform.SERIAL


def _signed(status: int, body: object) -> web.Response:
    raw = b"" if body in (None, "") else platform.to_json(body)
    return web.Response(status=status, body=raw or None, headers=platform.signed(raw, at_s=time.time()))
