"""How fair a line was, told from what its people saw: the quick figures against slow and obvious ones."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.crowd.fairness import Claiming, concordance, fairness_of, largest_overtaking

LATE_AFTER_S = 4.0
LANES = ("public", "fans")

instants = st.integers(0, 12).map(float)


@st.composite
def claimings(draw: st.DrawFn) -> list[Claiming]:
    """Up to a dozen people of two lanes who ask a few times each; anything may coincide."""
    positions = draw(st.lists(st.integers(0, 40), unique=True, max_size=12))
    people = []
    for position in positions:
        one = Claiming(lane=draw(st.sampled_from(LANES)), position=position, called_s=0.0)
        moments = sorted(draw(st.lists(instants, min_size=1, max_size=4)))
        one.asked_s = moments[0]
        for asked_s, answered_s in itertools.pairwise(moments):
            one.refused(asked_s=asked_s, answered_s=answered_s)
        if draw(st.booleans()):
            one.admitted(asked_s=moments[-1], answered_s=moments[-1] + draw(instants))
        people.append(one)
    return people


def passed_over(ahead: Claiming, behind: Claiming) -> bool:
    """The definition, word for word."""
    if ahead.told_to_wait_s is None or ahead.asked_in_vain_s is None:
        return False
    if behind.asked_well_s is None or behind.admitted_s is None:
        return False
    return (
        ahead.lane == behind.lane
        and ahead.position < behind.position
        and ahead.told_to_wait_s <= behind.asked_well_s
        and behind.admitted_s <= ahead.asked_in_vain_s
    )


@given(claimings())
def test_largest_overtaking_is_that_of_the_definition(people: list[Claiming]) -> None:
    slow = [b.position - a.position for a in people for b in people if passed_over(a, b)]

    assert largest_overtaking(people) == max(slow, default=0)


@given(claimings())
def test_concordance_is_that_of_comparing_every_pair_that_competed(people: list[Claiming]) -> None:
    let_in = [one for one in people if one.admitted_s is not None]
    ordered = pairs = 0
    for ahead, behind in itertools.permutations(let_in, 2):
        if ahead.lane == behind.lane and ahead.position < behind.position and ahead.asked_s <= behind.asked_well_s:
            sooner, later = ahead.admitted_s <= behind.asked_well_s, behind.admitted_s < ahead.asked_well_s
            pairs += sooner + later
            ordered += sooner - later

    lanes = [concordance([one for one in people if one.lane == lane]) for lane in LANES]
    assert tuple(map(sum, zip(*lanes, strict=True))) == (ordered, pairs)


def admitted(position: int, *, at_s: float, asked_s: float | None = None, lane: str = "public") -> Claiming:
    """Somebody who was called at 0 and let in."""
    one = Claiming(lane=lane, position=position, called_s=0.0, asked_s=at_s if asked_s is None else asked_s)
    one.admitted(asked_s=at_s, answered_s=at_s)
    return one


@pytest.mark.parametrize(("instants_s", "tau"), [((1, 2, 3), 1.0), ((3, 2, 1), -1.0), ((2, 1, 3), 0.3333)])
def test_tau_tells_whether_people_were_let_in_by_position(instants_s: tuple[int, ...], tau: float) -> None:
    people = [admitted(position, at_s=float(at_s), asked_s=0.0) for position, at_s in enumerate(instants_s)]

    assert fairness_of(people, late_after_s=LATE_AFTER_S).kendall_tau == tau


def test_people_of_two_lanes_stand_in_no_order() -> None:
    people = [admitted(0, at_s=2), admitted(1, at_s=3), admitted(9, at_s=0, lane="fans")]

    assert fairness_of(people, late_after_s=LATE_AFTER_S).kendall_tau == 1.0


def test_nobody_to_compare_with_gives_no_tau() -> None:
    assert fairness_of([admitted(5, at_s=1)], late_after_s=LATE_AFTER_S).kendall_tau is None


def test_who_came_late_made_nobody_overtake_them() -> None:
    people = [admitted(0, at_s=9), admitted(1, at_s=1), admitted(2, at_s=2)]
    found = fairness_of(people, late_after_s=LATE_AFTER_S)

    assert (found.kendall_tau, found.came_late, found.admitted) == (1.0, 1, 3)
    assert found.kendall_tau_of_all == pytest.approx(-1 / 3, abs=1e-4)


def test_whoever_is_let_in_while_the_one_ahead_does_not_ask_overtakes_nobody() -> None:
    ahead = Claiming(lane="public", position=3, called_s=0.0, asked_s=0.0)
    ahead.refused(asked_s=0.0, answered_s=0.1)
    ahead.admitted(asked_s=2.0, answered_s=2.1)

    assert largest_overtaking([ahead, admitted(8, at_s=1.0)]) == 0


def test_whoever_waits_again_while_one_behind_was_let_in_is_overtaken() -> None:
    ahead = Claiming(lane="public", position=3, called_s=0.0, asked_s=0.0)
    ahead.refused(asked_s=0.0, answered_s=0.1)
    ahead.refused(asked_s=2.0, answered_s=2.1)

    assert largest_overtaking([ahead, admitted(8, at_s=1.0)]) == 5


def test_who_was_sent_away_by_a_pause_competes_again_when_they_come_again() -> None:
    ahead = Claiming(lane="public", position=0, called_s=0.0)
    ahead.asked(0.0)
    ahead.paused()
    ahead.asked(3.0)
    ahead.admitted(asked_s=3.0, answered_s=3.0)
    found = fairness_of([ahead, admitted(1, at_s=2.0, asked_s=1.0)], late_after_s=LATE_AFTER_S)

    assert (found.kendall_tau, found.kendall_tau_of_all) == (None, -1.0)


def test_who_let_a_pass_run_out_is_not_overtaken_when_waiting_for_another() -> None:
    one = admitted(0, at_s=1.0)
    one.refused(asked_s=7.0, answered_s=7.1)
    one.refused(asked_s=9.0, answered_s=9.1)

    assert largest_overtaking([one, admitted(5, at_s=8.0)]) == 0


def test_only_the_first_pass_counts() -> None:
    one = admitted(0, at_s=1.0)
    one.admitted(asked_s=7.0, answered_s=7.0)

    assert one.admitted_s == 1.0
