"""The page of a run: whole, alone, safe with any text, and honest about what was not measured."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from loadtest.report import page
from loadtest.report.model import KindResult, Report, Timeline
from tests.loadtest.report import samples
from tests.loadtest.report.documents import Document

HOSTILE = "</style><script>alert(1)</script>\"'><img src=x onerror=y>&amp;\x00\x1b\ud800"


@cache
def sample() -> Report:
    return samples.report()


@cache
def parsed() -> Document:
    return Document(page.page(sample()))


def test_the_page_is_well_formed() -> None:
    assert parsed().mistakes == []


def test_no_id_is_given_twice() -> None:
    assert len(parsed().ids) == len(set(parsed().ids))


def test_the_page_asks_the_network_for_nothing() -> None:
    beside = {name for name, _ in page.origins.FILES}
    assert {a for a in parsed().addresses if not a.startswith("#")} == beside
    assert "url(" not in page.style()
    assert "@import" not in page.style()


def test_the_page_links_to_a_draw_only_where_there_is_one(tmp_path: Path) -> None:
    without = Document(page.write(sample(), tmp_path).read_text(encoding="utf-8"))
    (tmp_path / "draw").mkdir()
    beside = Document(page.write(sample(), tmp_path).read_text(encoding="utf-8"))
    assert set(beside.addresses) - set(without.addresses) == {"draw/"}


def test_the_page_runs_no_script() -> None:
    assert "script" not in parsed().names
    assert parsed().handlers == []


def test_every_link_of_the_index_leads_somewhere() -> None:
    assert {a[1:] for a in parsed().addresses if a.startswith("#")} <= set(parsed().ids)


def test_every_chart_says_in_words_what_it_shows() -> None:
    names = parsed().names
    assert names.count("svg") == names.count("desc") > 20


def test_writing_leaves_a_file_that_can_be_read_again(tmp_path: Path) -> None:
    assert page.write(sample(), tmp_path).read_text(encoding="utf-8") == page.page(sample())


def test_the_verdict_and_its_headline_stand_before_everything_else() -> None:
    text = parsed().text
    assert text.index("PASS") < text.index(sample().headline) < text.index("The story")


def test_a_failed_run_says_so_and_names_the_broken_promise() -> None:
    text = Document(page.page(samples.report(passed=False))).text
    assert "FAIL" in text
    assert "1 项 SLO 未达标（锁票订单 p99）" in text


def test_a_generator_that_was_the_limit_is_said_loudly() -> None:
    limited = dataclasses.replace(sample().generator, was_the_limit=True)
    text = Document(page.page(dataclasses.replace(sample(), generator=limited))).text
    assert "The generator may be what was measured" in text


def test_a_machine_that_others_used_is_said() -> None:
    busy = dataclasses.replace(sample().machine, load_before=3.5)
    text = Document(page.page(dataclasses.replace(sample(), machine=busy))).text
    assert "others were at work" in text
    assert "others were at work" not in parsed().text


def test_every_disagreement_of_the_audit_is_listed() -> None:
    reasons = [f"order {n} is paid twice" for n in range(40)]
    audit = dataclasses.replace(sample().audit, reasons=reasons, holds=False)
    text = Document(page.page(dataclasses.replace(sample(), audit=audit))).text
    assert [reason for reason in reasons if reason not in text] == []


def test_both_languages_name_every_section() -> None:
    found = page.page(sample())
    heads = re.findall(r"<h2>(.*?)</h2>", found)
    assert len(heads) > 15
    assert [head for head in heads if 'class="en"' not in head or 'class="zh"' not in head] == []


def _poisoned(value: Any) -> Any:
    """The same shape with a hostile text in every place that takes one, keys included."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return type(value)(**{f.name: _poisoned(getattr(value, f.name)) for f in dataclasses.fields(value)})
    if isinstance(value, dict):
        return {**{key: _poisoned(inner) for key, inner in value.items()}, HOSTILE: next(iter(value.values()), 1)}
    if isinstance(value, list | tuple):
        return type(value)(_poisoned(inner) for inner in value)
    return HOSTILE if isinstance(value, str) else value


def test_hostile_texts_stay_texts() -> None:
    poisoned = dataclasses.replace(_poisoned(sample()), profile={"a": HOSTILE}, extra={"soak": {HOSTILE: HOSTILE}})
    document = Document(page.page(poisoned))
    assert document.mistakes == []
    assert {"script", "img"} & set(document.names) == set()
    assert document.handlers == []


def test_a_page_with_hostile_texts_can_be_written_as_utf_8(tmp_path: Path) -> None:
    poisoned = dataclasses.replace(sample(), headline=HOSTILE)
    assert "\ufffd" in page.write(poisoned, tmp_path).read_text(encoding="utf-8")


def _empty() -> Report:
    """A run in which nothing was measured."""
    nothing = Timeline([], {}, {}, [], {}, {}, {}, {}, {}, [], [])
    return dataclasses.replace(
        sample(),
        slos=[],
        kinds={},
        timeline=nothing,
        outcomes={},
        saturation={},
        costs={},
        ended={},
        notes=[],
        cross_checks=[],
        extra={},
    )


def test_a_run_without_samples_still_has_a_page() -> None:
    assert Document(page.page(_empty())).mistakes == []


def test_what_was_not_measured_is_said_and_not_drawn() -> None:
    document = Document(page.page(_empty()))
    assert "svg" not in document.names
    assert document.text.count("Nothing of this was measured") >= 6


def test_a_series_of_missing_samples_is_no_line_at_zero() -> None:
    timeline = dataclasses.replace(
        sample().timeline,
        stock={"free": [None] * len(samples.T), "held": [None] * len(samples.T), "sold": [None] * len(samples.T)},
    )
    text = Document(page.page(dataclasses.replace(sample(), timeline=timeline))).text
    assert "Stock" in text.split("Nothing of this was measured", maxsplit=1)[0]


def test_a_kind_that_never_came_is_named_instead_of_drawn() -> None:
    goodput = {**sample().timeline.goodput, "checkouts": [0] * len(samples.T)}
    timeline = dataclasses.replace(sample().timeline, goodput=goodput)
    text = Document(page.page(dataclasses.replace(sample(), timeline=timeline))).text
    assert "Not drawn, because none came: Checkouts." in text


def _places(value: Any, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of every field of the model, through the first element of every list and of every table."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for f in dataclasses.fields(value):
            yield from _places(getattr(value, f.name), (*above, f.name))
    elif isinstance(value, dict) and value:
        key = next(iter(value))
        yield from _places(value[key], (*above, key))
    elif isinstance(value, list | tuple) and value and not isinstance(value[0], int | float | tuple | None):
        yield from _places(value[0], (*above, 0))
    else:
        yield above


def _changed(value: Any, place: tuple[str | int, ...]) -> Any:
    """The same with something else in that place."""
    if not place:
        if isinstance(value, bool):
            return not value
        if isinstance(value, str):
            return value + " changed"
        if isinstance(value, int | float):
            return value * 2 + 7
        assert isinstance(value, list | tuple), value
        return [_half(one) for one in value]
    first, *rest = place
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.replace(value, **{str(first): _changed(getattr(value, str(first)), tuple(rest))})
    if isinstance(value, dict):
        return {**value, first: _changed(value[first], tuple(rest))}
    return [_changed(value[0], tuple(rest)), *value[1:]]


def _half(one: Any) -> Any:
    return (one[0], one[1] / 2) if isinstance(one, tuple) else (one or 30) / 2


def _lean() -> Report:
    """Every field of the sample once, with few seconds, and with a disagreement."""
    timeline = Timeline(**_thinned(dataclasses.asdict(sample().timeline)))
    audit = dataclasses.replace(sample().audit, reasons=["one order too many"])
    kinds = {"joins": sample().kinds["joins"]}
    return dataclasses.replace(sample(), timeline=timeline, audit=audit, kinds=kinds)


def _thinned(value: Any) -> Any:
    """Of tables the first two rows, of series every eighth second; percentiles stay together."""
    if isinstance(value, dict):
        keep = 4 if "p50" in value else 2
        return {key: _thinned(inner) for key, inner in list(value.items())[: max(keep, len(value) * ("t_s" in value))]}
    return value[::8]


LEAN = _lean()
LEAN_PAGE = page.page(LEAN)
PLACES = list(_places(LEAN))


def test_the_places_cover_the_whole_model() -> None:
    reached = {step for place in PLACES for step in place}
    for part in (Report, Timeline, KindResult):
        assert {f.name for f in dataclasses.fields(part)} <= reached


@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)))
def test_every_field_of_a_report_is_seen_on_the_page(place: tuple[str | int, ...]) -> None:
    assert page.page(_changed(LEAN, place)) != LEAN_PAGE
