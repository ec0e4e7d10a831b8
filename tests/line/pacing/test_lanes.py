"""Weighted deficit round robin: exact shares over time, a floor for the public, nothing owed for what was borrowed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.line.pacing.lanes import PUBLIC_FLOOR, LaneTerms, divided, shares_of

terms_of_lanes = st.lists(
    st.builds(LaneTerms, weight=st.integers(1, 1000), public=st.booleans(), quota_units=st.none()),
    min_size=1,
    max_size=8,
)
releases = st.lists(st.integers(0, 50), min_size=1, max_size=40)
PLENTY = 1_000_000


def run(terms: list[LaneTerms], steps: list[tuple[int, list[int]]]) -> list[list[int]]:
    deficits: list[float] = []
    grants = []
    for release, wanted in steps:
        granted, deficits = divided(release, wanted, terms, deficits)
        grants.append(granted)
    return grants


@given(terms_of_lanes, st.data())
def test_grants_add_up_to_the_release_or_to_all_that_is_wanted(terms: list[LaneTerms], data: st.DataObject) -> None:
    lanes = st.lists(st.integers(0, 40), min_size=len(terms), max_size=len(terms))
    steps = data.draw(st.lists(st.tuples(st.integers(0, 100), lanes), min_size=1, max_size=20))
    for (release, wanted), granted in zip(steps, run(terms, steps), strict=True):
        assert sum(granted) == min(release, sum(wanted))


@given(terms_of_lanes, st.data())
def test_no_lane_gets_more_than_it_wants(terms: list[LaneTerms], data: st.DataObject) -> None:
    lanes = st.lists(st.integers(0, 40), min_size=len(terms), max_size=len(terms))
    steps = data.draw(st.lists(st.tuples(st.integers(0, 100), lanes), min_size=1, max_size=20))
    for (_, wanted), granted in zip(steps, run(terms, steps), strict=True):
        assert all(0 <= got <= want for got, want in zip(granted, wanted, strict=True))


@given(terms_of_lanes, releases)
def test_while_all_wait_each_lane_gets_its_share_to_within_one_for_every_lane(
    terms: list[LaneTerms], steps: list[int]
) -> None:
    grants = run(terms, [(release, [PLENTY] * len(terms)) for release in steps])
    shares = shares_of(terms, range(len(terms)))
    for lane in range(len(terms)):
        got = sum(granted[lane] for granted in grants)
        assert abs(got - shares[lane] * sum(steps)) <= len(terms)


@given(terms_of_lanes.filter(lambda terms: any(one.public for one in terms)), releases)
def test_the_public_gets_its_floor_while_it_waits(terms: list[LaneTerms], steps: list[int]) -> None:
    grants = run(terms, [(release, [PLENTY] * len(terms)) for release in steps])
    public = sum(granted[lane] for granted in grants for lane, one in enumerate(terms) if one.public)
    assert public >= PUBLIC_FLOOR * sum(steps) - len(terms)


@given(st.lists(st.builds(LaneTerms, weight=st.integers(1, 20), public=st.booleans()), min_size=1, max_size=8))
def test_nobody_starves_when_people_are_called_one_by_one(terms: list[LaneTerms]) -> None:
    turns = len(terms) + int(len(terms) / min(shares_of(terms, range(len(terms))).values()))
    grants = run(terms, [(1, [PLENTY] * len(terms))] * turns)
    assert all(sum(granted[lane] for granted in grants) for lane in range(len(terms)))


def test_what_a_lane_cannot_use_goes_to_the_others_by_their_weights() -> None:
    terms = [LaneTerms(weight=2), LaneTerms(weight=1), LaneTerms(weight=7)]
    ((public, member, presale),) = run(terms, [(90, [PLENTY, PLENTY, 0])])
    assert (public, member, presale) == (60, 30, 0)


def test_what_was_borrowed_is_not_owed_back() -> None:
    terms = [LaneTerms(weight=1), LaneTerms(weight=1)]
    grants = run(terms, [*[(10, [PLENTY, 0])] * 20, (10, [PLENTY, PLENTY])])
    assert grants[-1] == [5, 5]


def test_a_lane_that_fills_up_in_the_middle_of_a_release_leaves_the_rest_to_the_others() -> None:
    assert run([LaneTerms(weight=1), LaneTerms(weight=1)], [(10, [2, PLENTY])]) == [[2, 8]]


def test_a_presale_of_any_weight_leaves_the_public_a_tenth() -> None:
    terms = [LaneTerms(weight=1), LaneTerms(weight=999, public=False)]
    assert run(terms, [(100, [PLENTY, PLENTY])]) == [[10, 90]]


def test_without_a_public_lane_weights_are_all_that_counts() -> None:
    terms = [LaneTerms(weight=1, public=False), LaneTerms(weight=3, public=False)]
    assert shares_of(terms, [0, 1]) == pytest.approx({0: 0.25, 1: 0.75})
