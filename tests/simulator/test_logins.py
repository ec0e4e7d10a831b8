"""jscode2session: every error in its order, and a code that works once within five minutes."""

import os

import pytest

from engine.simulator.weixin.logins import CODE_MS, Logins

NOW_MS = 1_700_000_000_000
RIGHT = {"appid": "wx1", "secret": "s", "grant_type": "authorization_code"}


@pytest.fixture
def logins() -> Logins:
    return Logins("wx1", "s", os.urandom)


@pytest.mark.parametrize(
    ("changed", "errcode"),
    [
        ({"appid": "", "secret": "", "js_code": ""}, 41002),
        ({"secret": "", "js_code": ""}, 41004),
        ({"js_code": ""}, 41008),
        ({"appid": "wx2", "secret": "t"}, 40013),
        ({"secret": "t", "grant_type": "x"}, 40125),
        ({"grant_type": "x"}, 40002),
        ({"js_code": "x"}, 40029),
    ],
)
def test_the_first_wrong_parameter_names_the_error(logins: Logins, changed: dict[str, str], errcode: int) -> None:
    query = RIGHT | {"js_code": logins.code("o1", now_ms=NOW_MS)} | changed
    assert logins.session(query, now_ms=NOW_MS)["errcode"] == errcode


@pytest.mark.parametrize(("old_ms", "is_known"), [(CODE_MS - 1, True), (CODE_MS, False)])
def test_a_code_lives_five_minutes(logins: Logins, old_ms: int, is_known: bool) -> None:
    query = RIGHT | {"js_code": logins.code("o1", now_ms=NOW_MS)}
    assert ("openid" in logins.session(query, now_ms=NOW_MS + old_ms)) is is_known


def test_a_wrong_secret_does_not_spend_the_code(logins: Logins) -> None:
    query = RIGHT | {"js_code": logins.code("o1", now_ms=NOW_MS)}
    logins.session(query | {"secret": "t"}, now_ms=NOW_MS)
    assert logins.session(query, now_ms=NOW_MS)["openid"] == "o1"


def test_a_session_has_a_key_and_no_errcode(logins: Logins) -> None:
    query = RIGHT | {"js_code": logins.code("o1", now_ms=NOW_MS)}
    assert logins.session(query, now_ms=NOW_MS).keys() == {"openid", "session_key"}
