"""Knobs and luck: what is refused, and that the same seed strikes the same subjects."""

from typing import Any

import pytest

from engine.simulator.faults import Faults, FaultsError, delay_s, draw, happens, read


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
    ],
)
def test_an_impossible_knob_is_named(document: dict[str, Any]) -> None:
    with pytest.raises(FaultsError, match=next(iter(document))):
        read(document, Faults())


@pytest.mark.parametrize("document", [None, [], "x", 1])
def test_a_document_that_is_no_object_is_refused(document: object) -> None:
    with pytest.raises(FaultsError):
        read(document, Faults())


def test_knobs_that_are_not_named_stay() -> None:
    base = Faults(callback_loss=0.5)
    assert read({"seed": 7}, base) == Faults(callback_loss=0.5, seed=7)


def test_the_shown_document_reads_back_as_the_same_faults() -> None:
    faults = Faults(answer_routes=("close",), callback_delay_ms=(1, 2))
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
