"""Who sent these bytes: the clock window and the keys. The order of the flaws is in test_notifications."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from engine.payments.wechat.authenticity import Flaw, flaw_of
from engine.payments.wechat.keys import VerifyingKeys
from tests.payments.wechat import platform
from tests.payments.wechat.platform import NOW_S, signed


@pytest.mark.parametrize(
    ("age_s", "flaw"),
    [
        (0, None),
        (299, None),
        (300, Flaw.TIMESTAMP_OUTSIDE_WINDOW),
        (-299, None),
        (-300, Flaw.TIMESTAMP_OUTSIDE_WINDOW),
        (86400, Flaw.TIMESTAMP_OUTSIDE_WINDOW),
    ],
)
def test_the_clock_window_is_open_for_less_than_300_s_on_both_sides(
    keys: VerifyingKeys, age_s: int, flaw: Flaw | None
) -> None:
    headers = CIMultiDict(signed(b"{}", at_s=NOW_S - age_s))
    assert flaw_of(headers, b"{}", keys=keys, now_s=NOW_S) is flaw


def test_two_keys_are_believed_side_by_side(keys: VerifyingKeys) -> None:
    old = signed(b"{}")
    new = signed(b"{}", key=platform.NEXT_PLATFORM_KEY, serial=platform.NEXT_SERIAL)
    flaws = [flaw_of(CIMultiDict(headers), b"{}", keys=keys, now_s=NOW_S) for headers in (old, new)]
    assert flaws == [None, None]


def test_a_key_signs_only_under_its_own_serial(keys: VerifyingKeys) -> None:
    headers = CIMultiDict(signed(b"{}", serial=platform.NEXT_SERIAL))
    assert flaw_of(headers, b"{}", keys=keys, now_s=NOW_S) is Flaw.SIGNATURE_WRONG


def test_header_names_are_read_in_any_case(keys: VerifyingKeys) -> None:
    headers = CIMultiDict([(name.upper(), value) for name, value in signed(b"{}")])
    assert flaw_of(headers, b"{}", keys=keys, now_s=NOW_S) is None


def test_the_border_between_nonce_and_body_cannot_be_moved(keys: VerifyingKeys) -> None:
    headers = CIMultiDict(signed(b"first\nsecond"))
    headers["Wechatpay-Nonce"] += "\nfirst"
    assert flaw_of(headers, b"second", keys=keys, now_s=NOW_S) is Flaw.HEADER_UNREADABLE
