"""Where a promise breaks on a ramp."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.lab.searches.breaking import FOLLOW_S, SETTLED_S, WINDOW_S, Search, ramp_end
from loadtest.profiles.profile import Slo
from loadtest.recording.record import Record
from tests.loadtest.searches.records import OPENS_AT_S, played

QUICK = Slo(kind="orders", measure="p99_ms", at_most=500)
ANSWERED = Slo(kind="orders", measure="error_share", at_most=0.01)
MANY = Slo(kind="orders", measure="count", at_least=10**9)
RAMP_S = 60
SLOW_S, FAST_S = 2.0, 0.01

moments = st.integers(min_value=1, max_value=RAMP_S - 2 * WINDOW_S)


def ramp(latency_s: Callable[[int], float], *, outcome: Callable[[int], str] = lambda _: "201") -> Record:
    return played(
        RAMP_S,
        arrivals=lambda second: second,
        answers=lambda second: {("order", outcome(second)): 10},
        latency_s=latency_s,
    )


def searched(record: Record, *slos: Slo) -> Search:
    search = Search(slos, opens_at_s=OPENS_AT_S)
    search.look(record, until_s=int(OPENS_AT_S) + RAMP_S)
    return search


@settings(max_examples=15)
@given(moments)
def test_the_break_is_found_in_the_first_window_that_is_slow(at: int) -> None:
    record = ramp(lambda second: SLOW_S if second >= at else FAST_S)
    found = searched(record, QUICK).found
    assert found is not None
    assert at - WINDOW_S < found.from_s - int(OPENS_AT_S) <= at


@settings(max_examples=15)
@given(st.integers(min_value=0, max_value=RAMP_S - 1))
def test_a_stall_of_a_second_is_no_break(at: int) -> None:
    assert searched(ramp(lambda second: SLOW_S if second == at else FAST_S), QUICK).found is None


def test_outages_break_a_promise_of_answers() -> None:
    record = ramp(lambda _: FAST_S, outcome=lambda second: "201" if second < 30 else "outage:OVERLOADED")
    found = searched(record, QUICK, ANSWERED).found
    assert found is not None
    assert found.slo.words == ANSWERED.words


def test_what_only_a_whole_run_can_keep_is_not_asked_of_a_window() -> None:
    assert searched(ramp(lambda _: FAST_S), MANY).found is None


def test_refusals_are_no_outages() -> None:
    assert searched(ramp(lambda _: SLOW_S, outcome=lambda _: "SOLD_OUT"), QUICK, ANSWERED).found is None


def test_the_ramp_goes_on_until_the_consequences_were_seen() -> None:
    record = ramp(lambda second: SLOW_S if second >= 20 else FAST_S)
    found = searched(record, QUICK).found
    assert found is not None
    enough_s = found.from_s + WINDOW_S + FOLLOW_S + SETTLED_S
    ends = [Search([QUICK], opens_at_s=OPENS_AT_S).may_end(record, now_s=now_s) for now_s in (enough_s - 1, enough_s)]
    assert ends == [False, True]


def test_looking_early_and_often_finds_the_same() -> None:
    record = ramp(lambda second: SLOW_S if second >= 20 else FAST_S)
    search = Search([QUICK], opens_at_s=OPENS_AT_S)
    for second in range(RAMP_S):
        search.look(record, until_s=int(OPENS_AT_S) + second)
    assert search.found == searched(record, QUICK).found


def test_goodput_behind_the_break_is_told_beside_its_best() -> None:
    record = played(
        RAMP_S,
        arrivals=lambda second: second,
        answers=lambda second: {("order", "201"): 20 if second < 30 else 5},
        latency_s=lambda second: SLOW_S if second >= 30 else FAST_S,
    )
    told = searched(record, QUICK).told(record, until_s=ramp_end(record))
    assert (told["found"], told["before"]["orders"], told["kept"]["orders"] < 0.5) == (True, 20.0, True)


def test_a_ramp_that_broke_nothing_says_how_far_it_went() -> None:
    record = ramp(lambda _: FAST_S)
    told = searched(record, QUICK).told(record, until_s=ramp_end(record))
    assert (told["found"], told["arrivals_per_s"]) == (False, RAMP_S - 1 - (WINDOW_S - 1) / 2)
