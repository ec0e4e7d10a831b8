"""What a waiting crowd asks, against a crowd that is counted head by head."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cli.polling import PollPolicy
from engine.line.front.document import POLL_POLICY

OURS = PollPolicy.told(POLL_POLICY)

policies = st.builds(
    lambda floor_s, more, divisor, jitter: PollPolicy(
        floor_s=floor_s, ceiling_s=floor_s * more, divisor=divisor, jitter=jitter
    ),
    st.floats(0.5, 5),
    st.floats(1, 50),
    st.floats(1, 20),
    st.floats(0, 1),
)
PARTS = 20
crowds = st.integers(1, 400)
rates = st.floats(0.5, 50)


def asked_head_by_head(policy: PollPolicy, waiting: int, rate_per_s: float) -> float:
    """Everybody moves through the own place, from its end to its beginning, and is asked about at every part of it."""
    waits_s = ((place + (part + 0.5) / PARTS) / rate_per_s for place in range(waiting) for part in range(PARTS))
    return sum(1 / policy.interval_s(wait_s) for wait_s in waits_s) / PARTS


def test_the_policy_is_the_one_that_the_document_tells() -> None:
    assert OURS.floor_s * 1000 == POLL_POLICY["floor_ms"]
    assert OURS.ceiling_s * 1000 == POLL_POLICY["ceiling_ms"]


def test_nobody_asks_more_often_than_the_floor_nor_less_often_than_the_ceiling_with_its_jitter() -> None:
    late = 1 + OURS.jitter / 2
    assert OURS.interval_s(0) == OURS.floor_s * late
    assert OURS.interval_s(1e9) == OURS.ceiling_s * late


@given(policies, crowds, rates)
def test_a_moving_crowd_asks_as_often_as_its_people_one_by_one(
    policy: PollPolicy, waiting: int, rate_per_s: float
) -> None:
    asked = policy.polls_per_s(waiting, rate_per_s=rate_per_s)
    assert asked == pytest.approx(asked_head_by_head(policy, waiting, rate_per_s), rel=0.02)


@given(policies, crowds, rates, st.floats(0.01, 1))
def test_all_polls_are_the_sum_of_every_moments_polls(
    policy: PollPolicy, waiting: int, rate_per_s: float, share: float
) -> None:
    steps, for_s = 200, share * waiting / rate_per_s
    step_s = for_s / steps
    summed = sum(
        policy.polls_per_s(max(0, waiting - round(rate_per_s * (step + 0.5) * step_s)), rate_per_s=rate_per_s) * step_s
        for step in range(steps)
    )
    # A whole person is the finest step that the sum knows.
    person = for_s / policy.floor_s
    assert policy.polls(waiting, rate_per_s=rate_per_s, for_s=for_s) == pytest.approx(summed, rel=0.02, abs=person)


@given(policies, crowds, rates)
def test_a_line_that_has_run_out_asks_nothing_more(policy: PollPolicy, waiting: int, rate_per_s: float) -> None:
    whole_s = waiting / rate_per_s
    assert policy.polls(waiting, rate_per_s=rate_per_s, for_s=2 * whole_s) == policy.polls(
        waiting, rate_per_s=rate_per_s, for_s=whole_s
    )


@given(policies, crowds, st.floats(0, 10_000))
def test_a_crowd_that_waits_for_one_instant_asks_in_step(policy: PollPolicy, waiting: int, wait_s: float) -> None:
    one = policy.polls_at_standstill(1, wait_s=wait_s)
    assert policy.polls_at_standstill(waiting, wait_s=wait_s) == pytest.approx(waiting * one)
