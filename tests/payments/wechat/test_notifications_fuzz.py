"""Whatever the bytes: never a crash, and never an acceptance of anything WeChat Pay did not sign."""

from __future__ import annotations

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from engine.payments.port import NotificationRefused
from engine.payments.wechat.authenticity import SIGNED_HEADERS
from engine.payments.wechat.keys import VerifyingKeys
from engine.payments.wechat.notifications import read_notification
from tests.payments.wechat import platform
from tests.payments.wechat.platform import KEYS, Pairs, envelope, signed, to_json, trade

PAID = to_json(envelope("TRANSACTION.SUCCESS", trade()))
HEADERS = signed(PAID)
# On a shared machine a single example may wait long for its turn.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
ANY_TEXT = st.text(st.characters(), max_size=60)  # lone surrogates too: that is how raw header bytes arrive


LOADED = VerifyingKeys.load({platform.SERIAL: KEYS / "platform_public.pem"})


def accepted(headers: Pairs, body: bytes) -> bool:
    try:
        read_notification(
            CIMultiDict(headers),
            body,
            keys=LOADED,
            api_v3_key=platform.API_V3_KEY.encode(),
            now_s=platform.NOW_S,
        )
    except NotificationRefused:
        return False
    return True


def test_the_original_is_accepted() -> None:
    assert accepted(HEADERS, PAID)


@UNHURRIED
@given(st.data())
def test_a_body_with_other_bytes_is_never_accepted(draw: st.DataObject) -> None:
    start = draw.draw(st.integers(0, len(PAID)))
    end = draw.draw(st.integers(start, len(PAID)))
    body = PAID[:start] + draw.draw(st.binary(max_size=20)) + PAID[end:]
    assume(body != PAID)
    assert not accepted(HEADERS, body)


@UNHURRIED
@given(st.sampled_from(range(len(SIGNED_HEADERS))), st.data())
def test_a_header_with_other_characters_is_never_accepted(position: int, draw: st.DataObject) -> None:
    name, value = HEADERS[position]
    start = draw.draw(st.integers(0, len(value)))
    end = draw.draw(st.integers(start, len(value)))
    other = value[:start] + draw.draw(ANY_TEXT) + value[end:]
    assume(other != value)
    assert not accepted([*HEADERS[:position], (name, other), *HEADERS[position + 1 :]], PAID)


@UNHURRIED
@given(
    st.lists(st.tuples(st.sampled_from(SIGNED_HEADERS) | ANY_TEXT, ANY_TEXT), max_size=8),
    st.binary(max_size=200),
)
def test_noise_is_never_accepted(headers: Pairs, body: bytes) -> None:
    assert not accepted(headers, body)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec="utf-8"), max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@UNHURRIED
@given(st.binary(max_size=300) | _JSON.map(to_json))
def test_a_signed_body_of_any_shape_never_crashes_the_reader(body: bytes) -> None:
    assert not accepted(signed(body), body)


@UNHURRIED
@given(st.sampled_from(["id", "event_type", "resource_type", "resource"]), _JSON)
def test_a_signed_envelope_with_any_field_of_any_shape_never_crashes_the_reader(name: str, value: object) -> None:
    body = to_json(envelope("TRANSACTION.SUCCESS", trade()) | {name: value})
    accepted(signed(body), body)


@UNHURRIED
@given(st.sampled_from(sorted(trade())), _JSON)
def test_a_sealed_trade_with_any_field_of_any_shape_never_crashes_the_reader(name: str, value: object) -> None:
    body = to_json(envelope("TRANSACTION.SUCCESS", trade() | {name: value}))
    accepted(signed(body), body)


def test_a_second_header_with_the_same_value_is_not_accepted() -> None:
    assert not accepted([*HEADERS, HEADERS[0]], PAID)
