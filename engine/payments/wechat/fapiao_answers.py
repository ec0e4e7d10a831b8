"""What WeChat Pay's answers about e-fapiao mean. Pure: from status, body and signature to values.

Codes and statuses decide, messages never do. A 2xx arrives here only with a verified signature. Whatever fits nothing
is Trouble of kind UNKNOWN, which makes the caller ask. What is personal is kept out of `repr` and of every detail.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from engine.infra.reading import TEXT_MAX, Unreadable, read_object, text
from engine.payments.wechat.answers import Answer, Silence, is_refusal

NOT_THERE_CODES = frozenset({"RESOURCENOTEXISTS", "ORDERNOTEXIST", "NOTFOUND"})
TITLE_LENGTHS: Mapping[str, int] = {
    "name": 256,
    "taxpayer_id": 32,
    "address": 128,
    "telephone": 32,
    "bank_name": 128,
    "bank_account": 32,
}
KINDS = frozenset({"INDIVIDUAL", "ORGANIZATION"})
LINK_MAX = 4096


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


def link_of(fields: Mapping[str, Any]) -> TitleLink | Trouble:
    found = TitleLink(
        appid=_text_or_none(fields, "miniprogram_appid"),
        path=_text_or_none(fields, "miniprogram_path", LINK_MAX),
        user_name=_text_or_none(fields, "miniprogram_user_name"),
        url=_text_or_none(fields, "title_url", LINK_MAX),
    )
    return found if found.path or found.url else Trouble(TroubleKind.UNKNOWN, detail="an answer without a link")


def title_of(fields: Mapping[str, Any]) -> Title | Trouble:
    """What comes in the clear; phone and email come encrypted and are the caller's to open."""
    try:
        kind, plain = text(fields, "type"), {"name": text(fields, "name")}
    except Unreadable as error:
        return Trouble(TroubleKind.UNKNOWN, detail=f"unreadable title: {error}")
    if kind not in KINDS:
        return Trouble(TroubleKind.UNKNOWN, detail="a title of an unknown type")
    for name, length_max in TITLE_LENGTHS.items():
        if (value := _text_or_none(fields, name, length_max)) is not None:
            plain[name] = value
    return Title(kind=kind, fields=plain)


def report_of(answer: Answer | Silence, fapiao_id: str) -> FapiaoReport | Trouble:
    """Where this fapiao stands; NOT_THERE when it never arrived."""
    fields = fields_of(answer)
    if isinstance(fields, Trouble):
        return fields
    listed = fields.get("fapiao_information") or []
    if type(listed) is not list:
        return Trouble(TroubleKind.UNKNOWN, detail="unreadable: fapiao_information")
    for entry in listed:
        if type(entry) is dict and entry.get("fapiao_id") == fapiao_id:
            return _report(entry, fapiao_id)
    if "fapiao_information" not in fields and "total_count" not in fields:
        return Trouble(TroubleKind.UNKNOWN, detail="unreadable: no list of fapiao")
    # The application is known, with others of its fapiao: this one never arrived.
    return Trouble(TroubleKind.NOT_THERE, detail="not among the application's fapiao")


def fields_of(answer: Answer | Silence) -> Mapping[str, Any] | Trouble:
    """The object of a 200, {} for a 204."""
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


def taken(answer: Answer | Silence) -> Trouble | None:
    """None for a request that was taken."""
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
