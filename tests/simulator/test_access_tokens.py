"""Access tokens: the same one until its last minutes, forced refreshes rationed, dead ones told apart."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.simulator.luck.faults import Faults
from engine.simulator.weixin.access_tokens import LIFE_MS, RENEWED_MS, AccessTokens
from engine.simulator.weixin.quotas import Quota

ASKED = {"grant_type": "client_credential", "appid": "wx1", "secret": "s"}
FORCED = ASKED | {"force_refresh": True}
T = 1_900_000_000_000


def counting() -> Callable[[int], bytes]:
    numbers = count(1)
    return lambda size: next(numbers).to_bytes(size)


def tokens(**knobs: int) -> AccessTokens:
    luck = replace(Faults(), **knobs)  # type: ignore[arg-type]
    return AccessTokens("wx1", "s", faults=lambda: luck, entropy=counting())


def issued(kept: AccessTokens, now_ms: int, *, force: bool = False) -> str:
    token, _ = kept.issue(FORCED if force else ASKED, now_ms=now_ms)
    assert isinstance(token, str), token
    return token


def error(kept: AccessTokens, token: str, now_ms: int) -> int | None:
    fault = kept.fault(token, now_ms=now_ms)
    return None if fault is None else fault[0]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (ASKED | {"appid": "wx2"}, 40013),
        (ASKED | {"secret": "t"}, 40125),
        (ASKED | {"grant_type": "password"}, 40002),
        ({}, 40013),
    ],
)
def test_wrong_questions_have_their_codes(asked: dict[str, str], code: int) -> None:
    assert tokens().issue(asked, now_ms=T)[0] == code


def test_the_same_token_comes_back_with_the_time_it_has_left() -> None:
    kept = tokens()
    assert kept.issue(ASKED, now_ms=T) == (issued(kept, T), 7200)
    assert kept.issue(ASKED, now_ms=T + 60_000) == (issued(kept, T), 7140)


def test_in_the_last_five_minutes_a_new_one_comes_and_both_work() -> None:
    kept = tokens()
    old = issued(kept, T)
    late_ms = T + LIFE_MS - RENEWED_MS
    assert issued(kept, late_ms - 1) == old
    new = issued(kept, late_ms)
    assert new != old
    assert [error(kept, token, T + LIFE_MS - 1) for token in (old, new)] == [None, None]
    assert [error(kept, token, T + LIFE_MS) for token in (old, new)] == [42001, None]


def test_a_forced_refresh_kills_the_old_token() -> None:
    kept = tokens()
    old, new = issued(kept, T), issued(kept, T + 1, force=True)
    assert [error(kept, token, T + 2) for token in (old, new)] == [40001, None]


def test_a_knob_lets_the_old_token_live_on_after_a_forced_refresh() -> None:
    kept = tokens(token_force_overlap_ms=300_000)
    old = issued(kept, T)
    issued(kept, T + 1, force=True)
    assert [error(kept, old, T + 300_000), error(kept, old, T + 300_001)] == [None, 40001]


def test_a_forced_refresh_too_soon_after_another_changes_nothing() -> None:
    kept = tokens()
    token = issued(kept, T, force=True)
    assert kept.issue(FORCED, now_ms=T + 29_999) == (token, 7170)
    assert issued(kept, T + 30_000, force=True) != token


def test_forced_refreshes_are_twenty_a_day() -> None:
    kept = tokens()
    start_ms = T - T % 86_400_000
    issued(kept, start_ms, force=True)
    for turn in range(1, 20):
        issued(kept, start_ms + turn * 30_000, force=True)
    assert kept.issue(FORCED, now_ms=start_ms + 20 * 30_000)[0] == 45009
    assert issued(kept, start_ms + 86_400_000, force=True)


def test_asking_too_often_is_refused_by_the_minute_and_by_the_day() -> None:
    minute, day = tokens(token_quota_minute=1), tokens(token_quota_day=1)
    for kept in (minute, day):
        issued(kept, T)
    assert (minute.issue(ASKED, now_ms=T)[0], day.issue(ASKED, now_ms=T)[0]) == (45011, 45009)


def test_no_token_and_an_unknown_one_open_nothing() -> None:
    assert (error(tokens(), "", T), error(tokens(), "made up", T)) == (41001, 40001)


@given(st.lists(st.integers(0, 3_000_000), max_size=30))
def test_whatever_was_issued_works_for_as_long_as_was_said(waits_ms: list[int]) -> None:
    kept, now_ms = tokens(), T
    for wait_ms in waits_ms:
        now_ms += wait_ms
        token, left_s = kept.issue(ASKED, now_ms=now_ms)
        assert isinstance(token, str)
        assert isinstance(left_s, int)
        assert RENEWED_MS / 1000 <= left_s <= 7200
        assert error(kept, token, now_ms + left_s * 1000 - 1) is None


@given(st.integers(0, 5), st.lists(st.integers(0, 200), max_size=40))
def test_a_quota_gives_no_more_than_it_has_in_any_window(most: int, waits_ms: list[int]) -> None:
    quota, now_ms = Quota(1000), 0
    taken: dict[int, int] = {}
    for wait_ms in waits_ms:
        now_ms += wait_ms
        if quota.take(most, now_ms=now_ms):
            taken[now_ms // 1000] = taken.get(now_ms // 1000, 0) + 1
    assert all(number <= most for number in taken.values())
