"""WeChat Pay's e-fapiao API: what every kind of answer means."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.payments.wechat.answers import Answer, Silence
from engine.payments.wechat.fapiao import FapiaoApi
from engine.payments.wechat.fapiao_answers import (
    CardStatus,
    FapiaoReport,
    Status,
    Title,
    Trouble,
    TroubleKind,
    link_of,
    report_of,
    taken,
    title_of,
)
from tests.payments.fapiao.tax_office import Issued, TaxOffice, for_merchant

FIELDS = st.sampled_from(
    ["fapiao_information", "fapiao_id", "status", "type", "name", "miniprogram_path", "title_url", "f1", "total_count"]
)
APPLY_ID = "4200000444201910177461284488"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Silence.TIMED_OUT, TroubleKind.UNKNOWN),
        (Silence.NOT_SENT, TroubleKind.UNKNOWN),
        (Answer(500, b'{"code":"SYSTEM_ERROR"}', True), TroubleKind.UNKNOWN),
        (Answer(502, b"<html>", False), TroubleKind.UNKNOWN),
        (Answer(429, b'{"code":"FREQUENCY_LIMITED"}', True), TroubleKind.UNKNOWN),
        (Answer(429, b'{"code":"RATELIMIT_EXCEEDED"}', True), TroubleKind.UNKNOWN),
        (Answer(401, b'{"code":"SIGN_ERROR"}', False), TroubleKind.UNKNOWN),
        (Answer(400, b'{"code":"PARAM_ERROR"}', True), TroubleKind.REFUSED),
        (Answer(403, b'{"code":"NO_AUTH"}', True), TroubleKind.REFUSED),
        (Answer(404, b'{"code":"RESOURCE_NOT_EXISTS"}', True), TroubleKind.NOT_THERE),
        (Answer(400, b'{"code":"RESOURCENOTEXISTS"}', True), TroubleKind.NOT_THERE),
    ],
)
def test_what_is_no_success_is_told_by_status_and_code(answer: Answer | Silence, kind: TroubleKind) -> None:
    for found in (report_of(answer, "f1"), taken(answer)):
        assert isinstance(found, Trouble)
        assert found.kind is kind


@pytest.mark.parametrize("status", [200, 202, 204])
def test_a_request_that_was_taken_is_no_trouble(status: int) -> None:
    assert taken(Answer(status, b"", True)) is None


@pytest.mark.parametrize("status", list(Status))
async def test_every_state_of_wechats_is_read(status: Status, api: FapiaoApi, office: TaxOffice) -> None:
    office.applications[APPLY_ID] = {"f1": Issued({"total_amount": 1}, {}, status.value)}
    found = await api.query(APPLY_ID, "f1")
    assert isinstance(found, FapiaoReport)
    assert found.status is status


@pytest.mark.parametrize("card_status", list(CardStatus))
async def test_every_state_of_the_card_is_read(card_status: CardStatus, api: FapiaoApi, office: TaxOffice) -> None:
    office.applications[APPLY_ID] = {"f1": Issued({"total_amount": 1}, {}, "ISSUED", card_status.value, "12897794")}
    found = await api.query(APPLY_ID, "f1")
    assert isinstance(found, FapiaoReport)
    assert (found.card_status, found.number) == (card_status, "12897794")


async def test_a_fapiao_that_its_application_does_not_hold_is_not_there(api: FapiaoApi, office: TaxOffice) -> None:
    office.applications[APPLY_ID] = {"f1": Issued({"total_amount": 1}, {})}
    found = await api.query(APPLY_ID, "f2")
    assert isinstance(found, Trouble)
    assert found.kind is TroubleKind.NOT_THERE


LEAVES = st.none() | st.booleans() | st.integers(-(2**31), 2**31) | st.text(st.characters(codec="utf-8")) | FIELDS
JSON = st.recursive(LEAVES, lambda parts: st.lists(parts, max_size=3) | st.dictionaries(FIELDS, parts), max_leaves=12)


@given(body=st.binary() | JSON.map(orjson.dumps))
def test_an_answer_of_any_bytes_is_a_value_and_never_a_report_about_something_else(body: bytes) -> None:
    found = report_of(Answer(200, body, True), "f1")
    assert isinstance(found, Trouble) or b'"f1"' in body


@given(fields=st.dictionaries(FIELDS, st.none() | st.integers() | st.text() | st.just("ORGANIZATION")))
def test_a_title_or_a_link_of_any_fields_is_whole_or_trouble(fields: dict[str, object]) -> None:
    title, link = title_of(fields), link_of(fields)
    assert isinstance(title, Trouble) or title.fields["name"]
    assert isinstance(link, Trouble) or link.path or link.url


async def test_a_phone_that_cannot_be_opened_is_left_out(api: FapiaoApi, office: TaxOffice) -> None:
    office.fill_in(APPLY_ID, phone="bm90IGZvciB1cw==", email=for_merchant("b@example.com"))
    found = await api.title(APPLY_ID, scene="WITH_WECHATPAY")
    assert isinstance(found, Title)
    assert ("phone" in found.fields, found.fields["email"]) == (False, "b@example.com")


async def test_a_field_that_cannot_be_encrypted_is_left_out(office: TaxOffice, api: FapiaoApi) -> None:
    title = Title(kind="INDIVIDUAL", fields={"name": "n", "phone": "1" * 215})
    content = {"fapiao_id": "f1", "total_amount": 1, "items": [{"total_amount": 1}]}
    assert await api.issue(APPLY_ID, scene="WITH_WECHATPAY", title=title, contents=[content]) is None
    assert office.only(APPLY_ID).buyer == {"type": "INDIVIDUAL", "name": "n"}
