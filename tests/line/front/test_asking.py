"""What a join may say."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.line.front.asking import NOTHING, Asked, read_asked
from engine.web.problems import Code

anything = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 10) | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize("raw", [b"", b"{}", b'{"lane":null,"code":null,"place":null}', b'{"colour":"red"}'])
def test_nothing_need_be_said(raw: bytes) -> None:
    assert read_asked(raw) == NOTHING


def test_lane_code_and_place_are_taken_as_they_are() -> None:
    assert read_asked(b'{"lane":"presale","code":"K7QM 4WXH","place":"AQB7"}') == Asked("presale", "K7QM 4WXH", "AQB7")


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"[]", Code.BODY_INVALID),
        (b'{"lane":"a","lane":"b"}', Code.BODY_INVALID),
        (b'{"place":1}', Code.PLACE_INVALID),
        (b'{"lane":1}', Code.UNKNOWN_LANE),
        (b'{"code":1}', Code.CODE_INVALID),
        (b'{"code":"' + b"x" * 65 + b'"}', Code.CODE_INVALID),
    ],
)
def test_what_is_wrong_is_named(raw: bytes, code: Code) -> None:
    assert read_asked(raw) is code


@given(st.dictionaries(st.sampled_from(["lane", "code", "place", "more"]), anything))
def test_any_json_is_read_or_refused(body: object) -> None:
    assert isinstance(read_asked(orjson.dumps(body)), Asked | Code)
