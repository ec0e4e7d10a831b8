"""Writes the recorded responses: `python -m tests.payments.samples.record_answers`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.payments.wechat import platform
from tests.payments.wechat.platform import (
    CERTIFICATE,
    NEXT_CERTIFICATE,
    NEXT_PLATFORM_KEY,
    NOW_S,
    Pairs,
    certificate,
    listed,
    refund,
    signed,
    to_json,
    trade,
)

ANSWERS = Path(__file__).parent / "answers"
PREPAY = to_json({"prepay_id": "wx201410272009395522657a690389285100"})
NEXT_PEM = certificate(NEXT_CERTIFICATE, NEXT_PLATFORM_KEY, begins_s=NOW_S - 10)


@dataclass(frozen=True)
class Case:
    """`reader` is who reads it: order, query, close, refund, redirect or certificates."""

    name: str
    reader: str
    status: int
    body: bytes
    outcome: dict[str, Any]
    headers: Pairs | None = field(default=None)

    @property
    def sent(self) -> Pairs:
        return signed(self.body) if self.headers is None else self.headers


def _error(code: str, **detail: str) -> bytes:
    return to_json({"code": code, "message": "…"} | ({"detail": detail} if detail else {}))


def _probe(body: bytes) -> Pairs:
    probe = "WECHATPAY/SIGNTEST/" + "Ab3" * 108 + "Q="
    return [(name, probe if name == "Wechatpay-Signature" else value) for name, value in signed(body)]


def _orders() -> Iterator[Case]:
    yield Case("order_created", "order", 200, PREPAY, {"prepay_id": "wx201410272009395522657a690389285100"})
    unknown = {"kind": "UNKNOWN", "maybe_created": True}
    yield Case("order_signature_probe", "order", 200, PREPAY, {"silence": "SIGNATURE_UNREADABLE"}, _probe(PREPAY))
    yield Case("order_unsigned", "order", 200, PREPAY, {"silence": "HEADER_MISSING"}, [])
    yield Case("order_cut_off", "order", 200, PREPAY[:20], {"silence": "SIGNATURE_WRONG"}, signed(PREPAY))
    for name, status, code, kind in (
        ("order_paid", 400, "ORDERPAID", "ALREADY_PAID"),
        ("order_paid_spelled_otherwise", 400, "ORDER_PAID", "ALREADY_PAID"),
        ("order_closed", 400, "ORDER_CLOSED", "ALREADY_CLOSED"),
        ("order_changed", 400, "INVALID_REQUEST", "INVALID"),
        ("order_number_taken", 403, "OUT_TRADE_NO_USED", "NUMBER_TAKEN"),
        ("order_limited", 429, "FREQUENCY_LIMITED", "RATE_LIMITED"),
        ("order_limited_spelled_otherwise", 429, "RATELIMIT_EXCEEDED", "RATE_LIMITED"),
        ("order_forbidden", 403, "NO_AUTH", "FORBIDDEN"),
    ):
        yield Case(name, "order", status, _error(code), {"kind": kind})
    body = _error("PARAM_ERROR", field="/payer/openid", value=platform.OPENID, issue="…", location="body")
    yield Case(
        "order_parameter", "order", 400, body, {"kind": "INVALID", "detail": "HTTP 400 PARAMERROR 08F7A1B2C3D4-0"}
    )
    yield Case("order_sign_error", "order", 401, _error("SIGN_ERROR"), {"kind": "FORBIDDEN"}, [])
    yield Case("order_system_error", "order", 500, _error("SYSTEM_ERROR"), unknown)
    yield Case("order_bad_gateway", "order", 502, b"<html><body>502 Bad Gateway</body></html>", unknown, [])


def _queries() -> Iterator[Case]:
    for name, fields, state in (
        ("query_paid", trade(), "PAID"),
        ("query_refunded", trade(state="REFUND"), "PAID"),
        ("query_not_paid", trade(state="NOTPAY"), "NOT_PAID"),
        ("query_closed", trade(state="CLOSED"), "CLOSED"),
        ("query_state_of_tomorrow", trade(state="ON_HOLD"), "UNKNOWN"),
        ("query_about_another_order", trade("FG20260101000002"), "UNKNOWN"),
        ("query_in_dollars", trade() | {"amount": {"total": 68000, "currency": "USD"}}, "UNKNOWN"),
    ):
        yield Case(name, "query", 200, to_json(fields), {"state": state, "signed": True})
    missing = _error("ORDER_NOT_EXIST")
    yield Case("query_unknown_order", "query", 404, missing, {"state": "UNKNOWN_ORDER", "signed": True})
    yield Case("query_unknown_order_unsigned", "query", 404, missing, {"state": "UNKNOWN_ORDER", "signed": False}, [])
    yield Case("query_unknown_path", "query", 404, b"", {"state": "UNKNOWN", "signed": False}, [])


def _closes() -> Iterator[Case]:
    yield Case("close_done", "close", 204, b"", {"result": "CLOSED"})
    yield Case("close_done_unsigned", "close", 204, b"", {"silence": "HEADER_MISSING"}, [])
    yield Case("close_paid", "close", 400, _error("ORDERPAID"), {"result": "PAID"})
    yield Case("close_paid_spelled_otherwise", "close", 400, _error("ORDER_PAID"), {"result": "PAID"})
    yield Case("close_trade_error", "close", 403, _error("TRADE_ERROR"), {"result": "UNKNOWN"})


def _refunds() -> Iterator[Case]:
    for state in ("PROCESSING", "SUCCESS", "ABNORMAL", "CLOSED"):
        body = to_json(refund(status=state))
        yield Case(f"refund_{state.lower()}", "refund", 200, body, {"state": state, "refund_fen": 34000})
    missing = _error("RESOURCE_NOT_EXISTS")
    yield Case("refund_unknown", "refund", 404, missing, {"state": "UNKNOWN_REFUND"})
    yield Case("refund_not_enough", "refund", 403, _error("NOT_ENOUGH"), {"state": "UNKNOWN", "code": "NOTENOUGH"})
    body = to_json(refund(status="PROCESSING"))
    yield Case("redirect_accepted", "redirect", 200, body, {"state": "PROCESSING"})
    yield Case("redirect_refused", "redirect", 400, _error("PARAM_ERROR"), {"state": "REFUSED", "may_repeat": False})


def _certificates() -> Iterator[Case]:
    old, new = listed(), listed(NEXT_CERTIFICATE, NEXT_PEM)
    by_old, by_new = {"serial": CERTIFICATE}, {"serial": NEXT_CERTIFICATE, "key": NEXT_PLATFORM_KEY}
    body = to_json({"data": [old]})
    yield Case(
        "certificates_one", "certificates", 200, body, {"serials": [CERTIFICATE]}, signed(body, serial=CERTIFICATE)
    )
    both = {"serials": [CERTIFICATE, NEXT_CERTIFICATE]}
    body = to_json({"data": [old, new]})
    yield Case("certificates_while_they_change", "certificates", 200, body, both, signed(body, **by_new))
    body = to_json({"data": [old | {"serial_no": "X"}, new]})
    left = {"serials": [NEXT_CERTIFICATE]}
    yield Case("certificates_with_one_unreadable", "certificates", 200, body, left, signed(body, **by_new))
    foreign = to_json({"data": [listed(api_v3_key="0" * 32)]})
    silent = {"silence": "SERIAL_UNKNOWN"}
    yield Case("certificates_under_another_key", "certificates", 200, foreign, silent, signed(foreign, **by_old))
    yield Case("certificates_none", "certificates", 404, _error("RESOURCE_NOT_EXISTS"), {"status": 404}, [])


def cases() -> Iterator[Case]:
    yield from _orders()
    yield from _queries()
    yield from _closes()
    yield from _refunds()
    yield from _certificates()


def main() -> None:
    ANSWERS.mkdir(exist_ok=True)
    for case in cases():
        folder = ANSWERS / case.name
        folder.mkdir(exist_ok=True)
        lines = ",\n".join(to_json(pair).decode() for pair in case.sent)
        (folder / "headers.json").write_text(f"[\n{lines}\n]\n")
        (folder / "body").write_bytes(case.body)
        told = {"reader": case.reader, "status": case.status, "outcome": case.outcome}
        (folder / "outcome.json").write_bytes(to_json(told) + b"\n")


if __name__ == "__main__":
    main()
