"""Knobs and luck: what is refused, and that the same seed strikes the same subjects."""

from pathlib import Path
from typing import Any

import pytest

from engine.simulator.luck.faults import Faults, FaultsError, delay_s, draw, happens, read, read_profile


@pytest.mark.parametrize(
    "document",
    [
        {"callback_los": 0.1},
        {"callback_loss": 1.1},
        {"callback_loss": -0.1},
        {"callback_loss": True},
        {"callback_loss": "0.1"},
        {"callback_loss": float("nan")},
        {"callback_delay_ms": 5},
        {"callback_delay_ms": [5]},
        {"callback_delay_ms": [5, 4]},
        {"callback_delay_ms": [-1, 4]},
        {"callback_delay_ms": [1.0, 4]},
        {"callback_retry_scale": -1},
        {"callback_timeout_ms": 0},
        {"seed": -1},
        {"seed": 1.0},
        {"business_refusals_signed": 1},
        {"paid_code": "PAID"},
        {"paid_code": []},
        {"changed_code": "CHANGED"},
        {"answer_routes": "order"},
        {"answer_routes": ["pay"]},
        {"answer_routes": [["order"]]},
        {"limits_per_s": 5},
        {"limits_per_s": {"order": -1}},
        {"limits_per_s": {"order": 1.5}},
        {"buyer_behaviours": {"smile": 0.5}},
        {"buyer_behaviours": {"cancel": 0.7, "abandon": 0.7}},
        {"certificates_listed": "c"},
        {"answers_signed_by": "merchant"},
    ],
)
def test_an_impossible_knob_is_named(document: dict[str, Any]) -> None:
    with pytest.raises(FaultsError, match=next(iter(document))):
        read(document, Faults())


@pytest.mark.parametrize("document", [None, [], "x", 1])
def test_a_document_that_is_no_object_is_refused(document: object) -> None:
    with pytest.raises(FaultsError):
        read(document, Faults())


PROFILES = sorted((Path(__file__).parents[2] / "examples" / "simulator").glob("*.toml"))


@pytest.mark.parametrize("file", PROFILES, ids=lambda file: file.stem)
def test_a_shipped_profile_turns_knobs(file: Path) -> None:
    assert read_profile(file, Faults()) != Faults()


def test_a_calm_and_a_stormy_profile_are_shipped() -> None:
    assert {file.stem for file in PROFILES} >= {"calm", "storm"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("callback_loss = 2", "callback_loss: must be a number from 0 to 1"),
        ("callback_los = 0.1", "callback_los: no such knob"),
        ("callback_loss =", "Invalid value"),
        ("limits_per_s = { pay = 1 }", "limits_per_s: pay is none of"),
    ],
)
def test_a_wrong_profile_names_file_knob_and_reason(tmp_path: Path, content: str, reason: str) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(content)
    with pytest.raises(FaultsError) as refused:
        read_profile(file, Faults())
    assert refused.value.problems[0].startswith(f"{file}: ")
    assert reason in refused.value.problems[0]


def test_a_profile_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FaultsError, match=r"missing\.toml"):
        read_profile(tmp_path / "missing.toml", Faults())


def test_knobs_that_are_not_named_stay() -> None:
    base = Faults(callback_loss=0.5)
    assert read({"seed": 7}, base) == Faults(callback_loss=0.5, seed=7)


def test_the_shown_document_reads_back_as_the_same_faults() -> None:
    faults = Faults(answer_routes=("close",), callback_delay_ms=(1, 2), limits_per_s={"order": 5})
    assert read(faults.document(), Faults()) == faults


def test_luck_depends_on_seed_knob_and_subject_only() -> None:
    assert draw(1, "callback_loss", "T1") == draw(1, "callback_loss", "T1")
    assert len({draw(1, "a", "T1"), draw(2, "a", "T1"), draw(1, "b", "T1"), draw(1, "a", "T2")}) == 4


@pytest.mark.parametrize(("chance", "least", "most"), [(0.0, 0, 0), (0.1, 70, 130), (1.0, 1000, 1000)])
def test_a_fault_strikes_about_as_often_as_it_says(chance: float, least: int, most: int) -> None:
    struck = sum(happens(chance, seed=1, knob="k", subject=str(number)) for number in range(1000))
    assert least <= struck <= most


def test_a_delay_stays_within_its_span() -> None:
    delays = [delay_s((100, 300), seed=1, knob="k", subject=str(number)) for number in range(200)]
    assert 0.1 <= min(delays) < max(delays) <= 0.3
