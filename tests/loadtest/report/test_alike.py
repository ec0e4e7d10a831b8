"""What may not be compared, and what must be said beside a comparison."""

from __future__ import annotations

import dataclasses
from typing import Any

from loadtest.report.alike import Difference, differences
from loadtest.report.model import Report
from tests.loadtest.report import samples

REPORT = samples.report()


def _with(**changes: Any) -> Report:
    return dataclasses.replace(REPORT, **changes)


def _found(other: Report) -> list[Difference]:
    return differences([REPORT], [other])


def test_repeats_of_one_run_differ_in_nothing() -> None:
    assert _found(_with(started_at="2026-11-23T08:00:00Z", duration_s=93.0)) == []


def test_another_story_forbids_the_comparison() -> None:
    (found,) = _found(_with(story={**REPORT.story, "name": "coldplay"}))
    assert found.forbids
    assert "concert-drop, coldplay" in found.words


def test_another_scale_forbids_the_comparison_and_is_named_with_both_values() -> None:
    (found,) = _found(_with(profile={**REPORT.profile, "scale": {"people": 0.1, "pace": 20.0}}))
    assert found.forbids
    assert "scale.people (A 0.05, B 0.1)" in found.words


def test_a_key_that_one_profile_lacks_is_named_and_allowed() -> None:
    (found,) = _found(_with(profile={**REPORT.profile, "cdn": False}))
    assert "cdn (A not set, B False)" in found.words
    assert not found.forbids


def test_many_differing_keys_are_counted() -> None:
    (found,) = _found(_with(profile={**REPORT.profile, **{f"key{n}": n for n in range(9)}}))
    assert "and 3 more" in found.words


def test_another_seed_is_said_and_allowed() -> None:
    (found,) = _found(_with(seed=12, profile={**REPORT.profile, "seed": 12}, digest="another"))
    assert (found.what, found.forbids) == ("seed", False)


def test_other_words_of_the_same_story_are_no_difference() -> None:
    assert _found(_with(profile={**REPORT.profile, "story": {"name": "concert-drop", "about": "new"}})) == []


def test_another_machine_is_said() -> None:
    (found,) = _found(_with(machine=dataclasses.replace(REPORT.machine, cores=8)))
    assert found.what == "machine"
    assert "A 2 cores" in found.words
    assert "B 8 cores" in found.words


def test_another_version_is_said_alone_with_both_values() -> None:
    (found,) = _found(_with(versions={**REPORT.versions, "floodgate": "0.2.0"}))
    assert found.words == "Versions differ: floodgate (A 0.1.0, B 0.2.0)."


def test_another_generator_is_said() -> None:
    (found,) = _found(_with(generator=dataclasses.replace(REPORT.generator, engine="locust")))
    assert "locust, 2 processes" in found.words


def test_a_generator_that_was_the_limit_is_said() -> None:
    (found,) = _found(_with(generator=dataclasses.replace(REPORT.generator, was_the_limit=True)))
    assert "1 of 1 runs of B the generator was the limit" in found.words


def test_a_run_whose_books_disagree_is_said() -> None:
    (found,) = _found(_with(audit=dataclasses.replace(REPORT.audit, holds=False)))
    assert "books disagree" in found.words


def test_a_machine_that_was_busy_before_is_said() -> None:
    (found,) = _found(_with(machine=dataclasses.replace(REPORT.machine, load_before=3.5)))
    assert found.what == "load before"


def test_what_forbids_stands_first() -> None:
    other = _with(seed=3, profile={**REPORT.profile, "scale": {"people": 0.9, "pace": 20.0}})
    assert [one.forbids for one in _found(other)] == [True, False]


def test_runs_of_one_side_are_compared_with_each_other_too() -> None:
    other = _with(profile={**REPORT.profile, "scale": {"people": 0.9, "pace": 20.0}})
    assert [one.forbids for one in differences([REPORT, other], [REPORT])] == [True]
