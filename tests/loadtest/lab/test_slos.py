"""Promises against a record: what is measured, and when it holds."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.lab import slos
from loadtest.profiles.profile import Slo
from loadtest.recording.kinds import GOODPUTS
from loadtest.recording.record import Record
from loadtest.recording.recorder import Recorder

Heard = tuple[int, str, str, float]
"""Second, kind of request, outcome, milliseconds."""

some_heard = st.lists(
    st.tuples(
        st.integers(100, 110),
        st.sampled_from(["join", "order", "line", "where", "pass", "payment", "paid", "login"]),
        st.sampled_from(["200", "201", "SOLD_OUT", "404", "outage:timeout", "outage:OVERLOADED"]),
        st.floats(0.1, 5000),
    ),
    max_size=60,
)


def record_of(heard: Sequence[Heard]) -> Record:
    now = [0]
    recorder = Recorder(wall_s=lambda: now[0])
    for second, kind, outcome, ms in sorted(heard, key=lambda one: one[0]):
        now[0] = second
        recorder.observe(kind, outcome, ms / 1000)
    recorder.finish()
    return Record.of(recorder)


def found(kind: str, measure: str, heard: Sequence[Heard]) -> float | None:
    slo = Slo.model_validate({"kind": kind, "measure": measure, "at_most": 1.0})
    return slos.result(slo, record_of(heard)).found


def test_a_quick_refusal_does_not_flatter_an_order() -> None:
    heard = [(1, "order", "201", 900.0), *[(1, "order", "SOLD_OUT", 1.0)] * 99]
    orders, refusals = found("orders", "p50_ms", heard), found("refusals", "p99_ms", heard)
    assert orders == pytest.approx(900, rel=0.01)
    assert refusals == pytest.approx(1, rel=0.01)


def test_a_person_who_tried_three_times_met_two_outages() -> None:
    heard = [(1, "order", "outage:timeout", 0.0), (2, "order", "outage:OVERLOADED", 0.0), (3, "order", "201", 9.0)]
    assert found("orders", "error_share", heard) == pytest.approx(2 / 3)


def test_per_second_is_the_best_whole_second() -> None:
    heard = [(1, "join", "200", 1.0)] * 3 + [(2, "join", "201", 1.0)] * 5 + [(3, "join", "200", 1.0)]
    assert found("joins", "per_s", heard) == 5


def test_a_plain_404_is_neither_an_order_nor_a_refusal() -> None:
    heard = [(1, "order", "404", 1.0)]
    assert (found("orders", "count", heard), found("refusals", "count", heard)) == (0, 0)


def test_nothing_found_breaks_a_promise_about_time() -> None:
    assert not slos.holds(Slo(kind="orders", measure="p99_ms", at_most=1e9), None)


def test_nothing_found_keeps_a_promise_that_there_be_none() -> None:
    slo = Slo(kind="refusals", measure="count", at_most=0)
    assert slos.result(slo, record_of([])).holds


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_bound_holds_up_to_itself_on_the_right_side(bound: float, value: float) -> None:
    assert slos.holds(Slo(kind="orders", measure="p99_ms", at_most=bound), value) == (value <= bound)
    assert slos.holds(Slo(kind="orders", measure="p99_ms", at_least=bound), value) == (value >= bound)


@given(some_heard, some_heard)
def test_counts_and_shares_do_not_care_which_process_heard_what(one: list[Heard], other: list[Heard]) -> None:
    merged = record_of(one)
    merged.add(record_of(other))
    together = record_of([*one, *other])
    for kind in GOODPUTS:
        for measure in ("count", "per_s", "error_share", "p99_ms", "max_ms"):
            assert slos.measured(kind, measure, merged) == slos.measured(kind, measure, together)


@given(some_heard)
def test_every_answer_counts_for_at_most_one_kind(heard: list[Heard]) -> None:
    record = record_of(heard)
    good = sum(slos.count_of(kind, record) for kind in GOODPUTS)
    assert good <= sum(not outcome.startswith("outage:") for _, _, outcome, _ in heard)
    timed = sum(record.totals[kind].get_total_count() for kind in GOODPUTS if kind in record.totals)
    assert timed == good
