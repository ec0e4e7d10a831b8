"""The adaptive limit: grows where it is used and borne, shrinks under strain, never to nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.line.pacing.health import LIMIT_FLOOR, Health, Limit, Pulse, quantile


def after(limit: Limit, *strains: float, inflight: int | None = None) -> Limit:
    for turn, strain in enumerate(strains):
        filled = int(limit.people) if inflight is None else inflight
        limit = limit.after(strain, inflight=filled, serving_ms=turn * 1000, dt_ms=1000)
    return limit


def test_a_limit_that_is_used_and_borne_grows() -> None:
    assert after(Limit(), 0.1).people > Limit().people


def test_a_limit_that_nobody_reaches_stays() -> None:
    assert after(Limit(), 0.1, 0.1, 0.1, inflight=5).people == Limit().people


def test_strain_shrinks_it() -> None:
    assert after(Limit(), 1.5).people == pytest.approx(Limit().people * 0.8)


def test_strain_shrinks_it_once_in_two_seconds() -> None:
    assert after(Limit(), 1.5, 1.5).people == after(Limit(), 1.5).people


def test_between_ease_and_strain_it_stays() -> None:
    assert after(Limit(), 0.8).people == Limit().people


def test_after_a_strain_it_grows_more_slowly() -> None:
    grown = after(Limit(ramping=False), 0.1).people
    assert Limit().people < grown < after(Limit(), 0.1).people


@given(st.lists(st.floats(0, 10), max_size=200))
def test_it_never_stops_the_sale(strains: list[float]) -> None:
    assert after(Limit(), *strains).people >= LIMIT_FLOOR


def test_the_worst_signal_is_the_strain() -> None:
    assert Health(commit_p95_s=0.05, redis_p99_s=0.5, lag_p99_s=0.01).strain == pytest.approx(2)


def test_nothing_measured_is_no_strain() -> None:
    assert Health().strain == 0


def test_a_single_bad_sample_is_bad_luck() -> None:
    assert quantile([0.01] * 29 + [9.0], 0.99) == 0.01


def test_a_few_samples_say_nothing() -> None:
    assert quantile([9.0] * 5, 0.95) is None


def test_samples_of_long_ago_say_nothing() -> None:
    pulse = Pulse()
    for _ in range(100):
        pulse.commits.add(9.0, 100.0)
    assert pulse.health(200.0).commit_p95_s is None


def test_slow_commits_are_felt() -> None:
    pulse = Pulse()
    for _ in range(100):
        pulse.commits.add(0.5, 100.0)
    assert pulse.health(101.0).strain == pytest.approx(2)


def test_payments_that_fail_are_felt() -> None:
    pulse = Pulse()
    for number in range(100):
        pulse.paid(100.0, 0.1 if number % 2 == 0 else None)
    assert pulse.health(101.0).payment_error_share == pytest.approx(0.5)


def test_payments_that_wait_long_here_are_felt() -> None:
    pulse = Pulse()
    for _ in range(100):
        pulse.paid(100.0, 2.0)
    assert pulse.health(101.0).strain == pytest.approx(2)


def test_who_found_no_room_to_pay_does_not_make_payments_look_quick_or_slow() -> None:
    pulse = Pulse()
    for _ in range(100):
        pulse.paid(100.0, None)
    assert pulse.health(101.0).payment_wait_p95_s is None
