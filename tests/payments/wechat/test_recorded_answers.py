"""Recorded responses, read by pure code from status, headers and bytes to the port's values."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from multidict import CIMultiDict

from engine.infra.reading import Unreadable
from engine.payments.wechat.answers import (
    Answer,
    close_result,
    prepaid_or_refusal,
    redirect_report,
    refund_report,
    trade_report,
)
from engine.payments.wechat.certificates import opened
from engine.payments.wechat.keys import VerifyingKeys
from engine.payments.wechat.transport import Arrival
from engine.payments.wechat.trust import judge
from tests.payments.samples import record_answers
from tests.payments.wechat import platform
from tests.payments.wechat.platform import KEYS, NOW_S

SAMPLES = sorted(folder.parent for folder in record_answers.ANSWERS.glob("*/body"))
UNTIL = datetime(2026, 1, 2, tzinfo=UTC)
ORDER_NO, REFUND_NO = "FG20260101000001", "RFG20260101000001"


def stored(folder: Path) -> tuple[list[tuple[str, str]], bytes, dict[str, Any]]:
    headers = [(name, value) for name, value in json.loads((folder / "headers.json").read_text())]
    return headers, (folder / "body").read_bytes(), json.loads((folder / "outcome.json").read_text())


def keys_for(reader: str, body: bytes) -> VerifyingKeys:
    """The fixed key; for certificates, those that the body itself brings."""
    keys = VerifyingKeys.load({platform.SERIAL: KEYS / "platform_public.pem"})
    if reader == "certificates":
        try:
            return keys.joined(opened(body, platform.API_V3_KEY.encode()), NOW_S)
        except Unreadable:
            return keys
    return keys


def read(reader: str, arrived: Arrival) -> dict[str, Any]:
    """Everything the reader says, by name."""
    judged = judge(arrived, keys_for(reader, arrived.body), NOW_S)
    if not isinstance(judged, Answer):
        return {"silence": judged}
    match reader:
        case "order":
            said: object = prepaid_or_refusal(judged, valid_until=UNTIL, maybe_created=judged.status >= 500)
        case "query":
            said = trade_report(judged, ORDER_NO)
        case "close":
            return {"result": close_result(judged)}
        case "refund":
            said = refund_report(judged, REFUND_NO)
        case "redirect":
            said = redirect_report(judged, REFUND_NO)
        case "certificates":
            if judged.status != 200:
                return {"status": judged.status}
            return {"serials": [each.serial for each in opened(judged.body, platform.API_V3_KEY.encode())]}
        case _:
            raise AssertionError(reader)
    return {name: getattr(said, name) for name in type(said).__dataclass_fields__}  # type: ignore[attr-defined]


@pytest.mark.parametrize("folder", SAMPLES, ids=lambda folder: folder.name)
def test_recorded(folder: Path) -> None:
    headers, body, told = stored(folder)
    found = read(told["reader"], Arrival(told["status"], CIMultiDict(headers), body))
    expected = told["outcome"]
    assert {name: found.get(name) for name in expected} == expected


def test_the_recordings_are_what_their_recorder_writes() -> None:
    written = {
        case.name: (
            case.sent,
            case.body,
            {"reader": case.reader, "status": case.status, "outcome": case.outcome},
        )
        for case in record_answers.cases()
    }
    assert {folder.name: stored(folder) for folder in SAMPLES} == written
