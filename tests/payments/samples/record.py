"""Writes the recorded notifications: `python -m tests.payments.samples.record`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.payments.wechat import platform
from tests.payments.wechat.platform import Pairs, envelope, refund_notice, signed, to_json, trade

SAMPLES = Path(__file__).parent

PAID = {
    "kind": "PaidNotice",
    "order_no": "FG20260101000001",
    "transaction_id": "4200000008202601013733500001",
    "total_fen": 68000,
    "openid": platform.OPENID,
}
REFUND = {
    "kind": "RefundNotice",
    "out_refund_no": "RFG20260101000001",
    "refund_id": "50000000382019052709732678859",
    "order_no": "FG20260101000001",
    "refund_fen": 34000,
}


def _refused(status: int, reason: str) -> dict[str, Any]:
    return {"kind": "refused", "status": status, "reason": reason}


def _replaced(headers: Pairs, name: str, value: str) -> Pairs:
    return [(have, value if have == name else old) for have, old in headers]


def cases() -> Iterator[tuple[str, Pairs, bytes, dict[str, Any]]]:
    paid = to_json(envelope("TRANSACTION.SUCCESS", trade()))
    yield "paid", signed(paid), paid, PAID

    body = to_json(envelope("TRANSACTION.SUCCESS", trade(), associated=""))
    yield "paid_without_associated_text", signed(body), body, PAID

    headers = signed(paid, key=platform.NEXT_PLATFORM_KEY, serial=platform.NEXT_SERIAL)
    yield "paid_signed_by_the_next_key", headers, paid, PAID

    body = to_json(envelope("TRANSACTION.SUCCESS", trade() | {"a_field_of_tomorrow": [{"x": None}]}))
    yield "paid_with_an_unknown_field", signed(body), body, PAID

    for status in ("SUCCESS", "ABNORMAL", "CLOSED"):
        body = to_json(envelope(f"REFUND.{status}", refund_notice(status), associated="refund"))
        yield f"refund_{status.lower()}", signed(body), body, REFUND | {"state": status}

    body = to_json(envelope("SECURITY_ECHO.SUCCESS", {"echo_message": "hello"}, associated="security"))
    yield "echo", signed(body), body, {"kind": "OtherNotice", "event_type": "SECURITY_ECHO.SUCCESS"}

    probe = "WECHATPAY/SIGNTEST/" + "Ab3" * 108 + "Q="
    yield (
        "signature_probe",
        _replaced(signed(paid), "Wechatpay-Signature", probe),
        paid,
        _refused(401, "SIGNATURE_UNREADABLE"),
    )

    tampered = paid.replace("支付成功".encode(), "支付失败".encode())
    yield "tampered_body", signed(paid), tampered, _refused(401, "SIGNATURE_WRONG")

    forged = signed(paid, key=platform.STRANGER_KEY)
    yield "forged", forged, paid, _refused(401, "SIGNATURE_WRONG")

    old = signed(paid, at_s=platform.NOW_S - 600)
    yield "ten_minutes_old", old, paid, _refused(401, "TIMESTAMP_OUTSIDE_WINDOW")

    stranger = signed(paid, key=platform.STRANGER_KEY, serial="PUB_KEY_ID_SOMEBODY_ELSE")
    yield "unknown_serial", stranger, paid, _refused(401, "SERIAL_UNKNOWN")

    body = to_json(
        envelope("TRANSACTION.SUCCESS", {})
        | {"resource": platform.sealed(to_json(trade()), "transaction", key="0" * 32)}
    )
    yield "sealed_with_another_key", signed(body), body, _refused(500, "DECRYPTION_FAILED")

    body = b"<xml><return_code>SUCCESS</return_code><req_info>AAAA</req_info></xml>"
    plain = [("Content-Type", "text/xml")]
    yield "refund_of_api_v2_in_xml", plain, body, _refused(401, "HEADER_MISSING")
    yield "signed_xml", signed(body), body, _refused(400, "BODY_NOT_JSON")


def main() -> None:
    for case, headers, body, outcome in cases():
        folder = SAMPLES / case
        folder.mkdir(exist_ok=True)
        lines = ",\n".join(to_json(pair).decode() for pair in headers)
        (folder / "headers.json").write_text(f"[\n{lines}\n]\n")
        (folder / "body").write_bytes(body)
        (folder / "outcome.json").write_bytes(to_json(outcome) + b"\n")


if __name__ == "__main__":
    main()
