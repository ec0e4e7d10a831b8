"""A profile as it was played is written so that it reads as the same profile."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.lab.folder import keep_profile
from loadtest.lab.toml import to_toml
from loadtest.profiles import loading

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
plain = st.one_of(texts, st.integers(-(2**53), 2**53), st.booleans(), st.floats(allow_nan=False, allow_infinity=False))
tables = st.recursive(
    st.dictionaries(texts, st.one_of(plain, st.lists(plain, max_size=3)), max_size=4),
    lambda inner: st.dictionaries(texts, st.one_of(plain, inner, st.lists(inner, min_size=1, max_size=3)), max_size=4),
    max_leaves=6,
)


@given(tables)
def test_whatever_is_written_reads_back(document: dict[str, object]) -> None:
    assert tomllib.loads(to_toml(document)) == document


@pytest.mark.parametrize("name", loading.names())
def test_a_kept_profile_is_the_one_that_was_played(name: str, tmp_path: Path) -> None:
    played = loading.load(name, changes={"scale.people": 0.01, "seed": 5})
    keep_profile(played, tmp_path)
    assert loading.load(str(tmp_path / "profile.toml")) == played


def test_none_is_left_out() -> None:
    assert to_toml({"a": None, "b": {"c": None}}) == "[b]\n"
