"""Challenges: solved by work, bound to one buyer and one sale, gone after a while."""

import base64
import json
from typing import Any

import altcha
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.infra.seals import SealKeys
from engine.line.front.challenge import Altcha

OLD, NEW = b"o" * 32, b"n" * 32
ANN, BEN = b"a" * 16, b"b" * 16
NOW_S = 4_000_000_000  # far ahead: the library looks at its own clock

challenger = Altcha(SealKeys({0: OLD}, 0), hashes=50, expires_after_s=300)


def solved(challenge: dict[str, Any]) -> str:
    """What a phone sends."""
    made = altcha.Challenge.from_dict(challenge)
    solution = altcha.solve_challenge(made)
    assert solution is not None
    return altcha.Payload(made, solution).to_base64()


PROOF = solved(challenger.challenge(ANN, "spring", now_s=NOW_S))


def test_a_solution_is_taken() -> None:
    assert challenger.is_solved(PROOF, ANN, "spring")


def test_a_solution_fits_no_other_buyer() -> None:
    assert not challenger.is_solved(PROOF, BEN, "spring")


def test_a_solution_fits_no_other_sale() -> None:
    assert not challenger.is_solved(PROOF, ANN, "autumn")


def test_a_solution_that_comes_too_late_is_not_taken() -> None:
    late = solved(challenger.challenge(ANN, "spring", now_s=1_000_000_000))
    assert not challenger.is_solved(late, ANN, "spring")


def test_a_later_end_cannot_be_written_into_it() -> None:
    late = json.loads(base64.b64decode(solved(challenger.challenge(ANN, "spring", now_s=1_000_000_000))))
    late["challenge"]["parameters"]["expiresAt"] = NOW_S
    assert not challenger.is_solved(base64.b64encode(json.dumps(late).encode()).decode(), ANN, "spring")


def test_an_answer_without_the_work_is_not_taken() -> None:
    lazy = json.loads(base64.b64decode(PROOF))
    lazy["solution"] = {"counter": 0, "derivedKey": lazy["challenge"]["parameters"]["keyPrefix"]}
    assert not challenger.is_solved(base64.b64encode(json.dumps(lazy).encode()).decode(), ANN, "spring")


def test_a_challenge_outlives_a_change_of_keys() -> None:
    assert Altcha(SealKeys({0: OLD, 1: NEW}, 1), hashes=50, expires_after_s=300).is_solved(PROOF, ANN, "spring")


def test_a_key_that_was_taken_out_takes_its_challenges_with_it() -> None:
    assert not Altcha(SealKeys({1: NEW}, 1), hashes=50, expires_after_s=300).is_solved(PROOF, ANN, "spring")


@pytest.mark.parametrize("proof", ["", "{}", "e30=", base64.b64encode(b'{"challenge":{},"solution":[]}').decode(), "é"])
def test_what_is_no_proof_is_none(proof: str) -> None:
    assert not challenger.is_solved(proof, ANN, "spring")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)


@given(st.sampled_from(["challenge", "parameters", "solution"]), st.text(max_size=10), json_values)
def test_a_proof_with_anything_at_all_in_it_is_read(where: str, name: str, value: object) -> None:
    made = json.loads(base64.b64decode(PROOF))
    part = made["challenge"]["parameters"] if where == "parameters" else made[where]
    names = list(part)
    part[names[len(name) % len(names)]] = value
    challenger.is_solved(base64.b64encode(json.dumps(made).encode()).decode(), ANN, "spring")
