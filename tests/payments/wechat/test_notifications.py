"""From raw bytes to a notice or a reason, by the recorded cases and by the order of the reasons."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from multidict import CIMultiDict

from engine.payments.port import (
    Notice,
    NotificationRefused,
    OtherNotice,
    PaidNotice,
    RefundNotice,
    RefundState,
)
from engine.payments.wechat.authenticity import Flaw
from engine.payments.wechat.keys import VerifyingKeys
from engine.payments.wechat.notifications import Reason, read_notification
from tests.payments.samples import record
from tests.payments.wechat import platform
from tests.payments.wechat.platform import Pairs, envelope, refund_notice, sealed, signed, to_json, trade

SAMPLES = sorted(folder.parent for folder in record.SAMPLES.glob("*/body"))


def read(keys: VerifyingKeys, headers: Pairs, body: bytes) -> Notice:
    return read_notification(
        CIMultiDict(headers),
        body,
        keys=keys,
        api_v3_key=platform.API_V3_KEY.encode(),
        now_s=platform.NOW_S,
    )


def refusal(keys: VerifyingKeys, headers: Pairs, body: bytes) -> tuple[int, str]:
    with pytest.raises(NotificationRefused) as refused:
        read(keys, headers, body)
    return refused.value.status, refused.value.reason


def summary(keys: VerifyingKeys, headers: Pairs, body: bytes) -> dict[str, Any]:
    """Everything a notice or a refusal says, by name."""
    try:
        notice = read(keys, headers, body)
    except NotificationRefused as refused:
        return {"kind": "refused", "status": refused.status, "reason": refused.reason}
    said = notice.paid if isinstance(notice, PaidNotice) else notice
    fields = {name: getattr(said, name) for name in said.__dataclass_fields__}
    return {"kind": type(notice).__name__, **fields}


@pytest.mark.parametrize("folder", SAMPLES, ids=lambda folder: folder.name)
def test_recorded(folder: Path, keys: VerifyingKeys) -> None:
    headers = [(name, value) for name, value in json.loads((folder / "headers.json").read_text())]
    expected = json.loads((folder / "outcome.json").read_text())
    found = summary(keys, headers, (folder / "body").read_bytes())
    assert {name: found.get(name) for name in expected} == expected


def test_the_recordings_are_what_their_recorder_writes() -> None:
    written = {name: (headers, body) for name, headers, body, _ in record.cases()}
    stored = {
        folder.name: (
            [(name, value) for name, value in json.loads((folder / "headers.json").read_text())],
            (folder / "body").read_bytes(),
        )
        for folder in SAMPLES
    }
    assert stored == written


def test_a_paid_notice_says_everything_an_order_is_compared_with(keys: VerifyingKeys) -> None:
    body = to_json(envelope("TRANSACTION.SUCCESS", trade()))
    notice = read(keys, signed(body), body)
    assert isinstance(notice, PaidNotice)
    paid = notice.paid
    assert (paid.mchid, paid.appid, paid.openid) == (platform.MCHID, platform.APPID, platform.OPENID)
    assert paid.success_at == datetime(2026, 1, 1, 2, 3, 10, tzinfo=UTC)


def test_a_foreign_merchants_payment_is_read_and_left_to_the_caller(keys: VerifyingKeys) -> None:
    body = to_json(envelope("TRANSACTION.SUCCESS", trade() | {"mchid": "1111111111"}))
    notice = read(keys, signed(body), body)
    assert isinstance(notice, PaidNotice)
    assert notice.paid.mchid == "1111111111"


def test_a_refund_notice_without_success_has_no_time(keys: VerifyingKeys) -> None:
    body = to_json(envelope("REFUND.CLOSED", refund_notice("CLOSED"), associated="refund"))
    notice = read(keys, signed(body), body)
    assert isinstance(notice, RefundNotice)
    assert (notice.state, notice.success_at) == (RefundState.CLOSED, None)


def test_an_event_of_tomorrow_is_authentic_and_other(keys: VerifyingKeys) -> None:
    body = to_json(envelope("COUPON.USE", {}, associated="coupon"))
    assert isinstance(read(keys, signed(body), body), OtherNotice)


@dataclass
class Draft:
    """A notification in the making: spoil the content, the envelope, the body or the headers."""

    content: dict[str, Any] = field(default_factory=trade)
    outer: dict[str, Any] = field(default_factory=dict)
    resource: dict[str, Any] = field(default_factory=dict)
    body: bytes | None = None
    spoil_headers: list[Callable[[CIMultiDict[str]], None]] = field(default_factory=list)

    def finished(self) -> tuple[Pairs, bytes]:
        whole = envelope("TRANSACTION.SUCCESS", self.content) | self.outer
        if isinstance(whole["resource"], dict):
            whole["resource"] |= self.resource
        body = to_json(whole) if self.body is None else self.body
        headers = CIMultiDict(signed(body))
        for spoil in self.spoil_headers:
            spoil(headers)
        return [(str(name), value) for name, value in headers.items()], body


Spoil = Callable[[Draft], None]


def _header(name: str, value: str) -> Spoil:
    def spoil(headers: CIMultiDict[str]) -> None:
        headers[f"Wechatpay-{name}"] = value

    return lambda draft: draft.spoil_headers.append(spoil)


def _missing(draft: Draft) -> None:
    def spoil(headers: CIMultiDict[str]) -> None:
        headers.popall("Wechatpay-Serial")

    draft.spoil_headers.append(spoil)


def _repeated(draft: Draft) -> None:
    draft.spoil_headers.append(lambda headers: headers.add("Wechatpay-Nonce", "another"))


def _not_json(draft: Draft) -> None:
    draft.body = b"<xml>"


# Every way to be refused, in the order in which the reader looks.
ROWS: list[tuple[int, str, Spoil]] = [
    (401, Flaw.HEADER_MISSING, _missing),
    (401, Flaw.HEADER_REPEATED, _repeated),
    (401, Flaw.HEADER_UNREADABLE, _header("Nonce", "a\tb")),
    (401, Flaw.SIGNATURE_TYPE_UNKNOWN, _header("Signature-Type", "WECHATPAY2-SM2-WITH-SM3")),
    (401, Flaw.TIMESTAMP_UNREADABLE, _header("Timestamp", "1767232991.0")),
    (401, Flaw.TIMESTAMP_OUTSIDE_WINDOW, _header("Timestamp", "1767232391")),
    (401, Flaw.SERIAL_UNKNOWN, _header("Serial", "PUB_KEY_ID_NOBODY")),
    (401, Flaw.SIGNATURE_UNREADABLE, _header("Signature", "WECHATPAY/SIGNTEST/====")),
    (401, Flaw.SIGNATURE_WRONG, _header("Signature", "QQ==")),
    (400, Reason.BODY_NOT_JSON, _not_json),
    (400, Reason.ENVELOPE_UNREADABLE, lambda draft: draft.outer.update(id=None)),
    (400, Reason.RESOURCE_TYPE_UNKNOWN, lambda draft: draft.outer.update(resource_type="plain")),
    (400, Reason.ALGORITHM_UNKNOWN, lambda draft: draft.resource.update(algorithm="AEAD_SM4_GCM")),
    (400, Reason.RESOURCE_UNREADABLE, lambda draft: draft.resource.update(nonce="short")),
    (500, Reason.DECRYPTION_FAILED, lambda draft: draft.resource.update(associated_data="other")),
    (500, Reason.CONTENT_UNREADABLE, lambda draft: draft.content.update(transaction_id=None)),
    (500, Reason.CONTENT_CONTRADICTS_EVENT, lambda draft: draft.content.update(trade_state="NOTPAY")),
]


def test_every_reason_has_its_row_in_the_order_of_the_enums() -> None:
    assert [reason for _, reason, _ in ROWS] == [*Flaw, *Reason]


@pytest.mark.parametrize("row", range(len(ROWS)), ids=[str(reason) for _, reason, _ in ROWS])
def test_alone_it_is_refused_for(row: int, keys: VerifyingKeys) -> None:
    status, reason, spoil = ROWS[row]
    draft = Draft()
    spoil(draft)
    assert refusal(keys, *draft.finished()) == (status, reason)


@pytest.mark.parametrize("row", range(len(ROWS)), ids=[str(reason) for _, reason, _ in ROWS])
def test_with_everything_later_wrong_too_it_is_refused_for(row: int, keys: VerifyingKeys) -> None:
    status, reason, _ = ROWS[row]
    draft = Draft()
    for _, _, spoil in reversed(ROWS[row:]):
        spoil(draft)
    assert refusal(keys, *draft.finished()) == (status, reason)


@pytest.mark.parametrize(
    "outer",
    [
        {"id": ""},
        {"id": 7},
        {"id": "x" * 300},
        {"event_type": None},
        {"event_type": []},
        {"resource": None},
        {"resource": "sealed"},
        {"resource": []},
    ],
    ids=str,
)
def test_an_envelope_of_another_shape_is_unreadable(outer: dict[str, Any], keys: VerifyingKeys) -> None:
    assert refusal(keys, *Draft(outer=outer).finished()) == (400, Reason.ENVELOPE_UNREADABLE)


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"1", b'"x"', b"\xff", b"[" * 5000, b'{"id":1e999}', b"{"], ids=repr
)
def test_a_signed_body_that_is_no_object_is_not_json(body: bytes, keys: VerifyingKeys) -> None:
    assert refusal(keys, *Draft(body=body).finished())[0] == 400


@pytest.mark.parametrize(
    "resource",
    [
        {"ciphertext": None},
        {"ciphertext": "not base64!"},
        {"ciphertext": 5},
        {"nonce": None},
        {"nonce": ""},
        {"associated_data": 5},
    ],
    ids=str,
)
def test_a_resource_of_another_shape_is_unreadable(resource: dict[str, Any], keys: VerifyingKeys) -> None:
    assert refusal(keys, *Draft(resource=resource).finished()) == (400, Reason.RESOURCE_UNREADABLE)


@pytest.mark.parametrize(
    "ciphertext", ["", "QQ==", sealed(b"{}", "transaction")["ciphertext"]], ids=["empty", "short", "swapped"]
)
def test_a_ciphertext_that_does_not_open_is_sent_again_by_wechat(ciphertext: str, keys: VerifyingKeys) -> None:
    found = refusal(keys, *Draft(resource={"ciphertext": ciphertext}).finished())
    assert found == (500, Reason.DECRYPTION_FAILED)


@pytest.mark.parametrize(
    "fields",
    [
        {"out_trade_no": ""},
        {"mchid": 1900000777},
        {"amount": None},
        {"amount": {"total": "68000"}},
        {"amount": {"total": 680.0}},
        {"amount": {"total": True}},
        {"amount": {"total": -1}},
        {"amount": {"total": 2**80}},
        {"amount": {"total": 68000, "currency": "USD"}},
        {"payer": {}},
        {"success_time": "yesterday"},
        {"success_time": "2026-01-01T10:03:10"},
        {"success_time": None},
    ],
    ids=str,
)
def test_a_payment_with_a_field_of_another_shape_is_unreadable(fields: dict[str, Any], keys: VerifyingKeys) -> None:
    found = refusal(keys, *Draft(content=trade() | fields).finished())
    assert found == (500, Reason.CONTENT_UNREADABLE)


def test_a_refund_whose_status_is_not_its_events_is_refused(keys: VerifyingKeys) -> None:
    body = to_json(envelope("REFUND.SUCCESS", refund_notice("CLOSED"), associated="refund"))
    assert refusal(keys, signed(body), body) == (500, Reason.CONTENT_CONTRADICTS_EVENT)
