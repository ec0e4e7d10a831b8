"""Who comes: the same people in every process, in the shares that the profile says."""

import math
import random
import re
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.crowd.bots import Bot
from loadtest.crowd.habits import SHARES, Lots
from loadtest.crowd.population import LAPSING, NOW, Behaviour, Persona
from loadtest.profiles import casting, loading
from loadtest.profiles.profile import BotKind, Profile

PARTS = 3


@pytest.fixture(scope="module")
def mixed() -> Profile:
    """6,000 people: four in ten bots, and half of the rest members."""
    changes = {"bots.share": 0.4, "people.members": 0.5, "sale.member_share": 0.5}
    return loading.load("concert-drop", changes=changes)


@pytest.fixture(scope="module")
def everybody(mixed: Profile) -> list[casting.Visitor]:
    return casting.cast(mixed)


def humans(everybody: list[casting.Visitor]) -> list[Persona]:
    return [one for one in everybody if isinstance(one, Persona)]


def bots(everybody: list[casting.Visitor]) -> list[Bot]:
    return [one for one in everybody if isinstance(one, Bot)]


def test_every_process_draws_the_same_people(mixed: Profile, everybody: list[casting.Visitor]) -> None:
    assert casting.cast(mixed) == everybody


def test_the_parts_of_several_processes_are_everybody_once(everybody: list[casting.Visitor]) -> None:
    parts = [everybody[part::PARTS] for part in range(PARTS)]

    assert sorted(one.openid for part in parts for one in part) == sorted({one.openid for one in everybody})


def test_another_seed_brings_others(everybody: list[casting.Visitor]) -> None:
    others = casting.cast(loading.load("concert-drop", changes={"seed": 2}))

    assert {one.openid for one in everybody}.isdisjoint(one.openid for one in others)


@given(st.integers(0, 50_000))
def test_the_same_number_is_the_same_person(number: int) -> None:
    profile = loading.load("scalpers-50")

    assert casting.newcomer(profile, number) == casting.newcomer(profile, number)


def test_a_newcomer_is_who_comes_along_the_curve_but_sets_out_now(
    mixed: Profile, everybody: list[casting.Visitor]
) -> None:
    newcomers = {one.openid: one for one in (casting.newcomer(mixed, number) for number in range(6000))}

    assert all(newcomers[one.openid] == replace(one, arrives_s=NOW) for one in everybody)


def test_everybody_has_openids_of_their_own_that_wechat_accepts(everybody: list[casting.Visitor]) -> None:
    openids = [one.openid for one in everybody]
    openids += [account for one in bots(everybody) for account in one.accounts]

    assert len(set(openids)) == len(openids)
    assert all(re.fullmatch(r"o[0-9A-Za-z_-]{27}", openid) for openid in openids)


def test_bots_and_members_come_in_their_shares(everybody: list[casting.Visitor]) -> None:
    people = humans(everybody)

    assert len(bots(everybody)) / len(everybody) == pytest.approx(0.4, abs=0.03)
    assert sum(one.lane == casting.MEMBERS for one in people) / len(people) == pytest.approx(0.5, abs=0.04)


def test_bots_of_every_kind_come_in_their_shares(mixed: Profile, everybody: list[casting.Visitor]) -> None:
    counts = Counter(one.kind for one in bots(everybody))

    assert {kind.value for kind in BotKind} == set(counts)
    assert counts["poller"] / sum(counts.values()) == pytest.approx(0.4, abs=0.05)


def test_only_hoarders_have_several_accounts(everybody: list[casting.Visitor]) -> None:
    assert {(one.kind == "hoarder", bool(one.accounts)) for one in bots(everybody)} == {(True, True), (False, False)}


def test_behaviours_come_in_the_ordinary_shares(everybody: list[casting.Visitor]) -> None:
    people = humans(everybody)
    counts = Counter(one.behaviour for one in people)

    for behaviour, share in SHARES.items():
        assert counts[behaviour] / len(people) == pytest.approx(share, abs=0.03)


def test_a_profile_can_say_how_people_behave() -> None:
    profile = loading.load("concert-drop", changes={"people.behaviours": {"pays": 57, "abandons": 43}})

    counts = Counter(one.behaviour for one in humans(casting.cast(profile)))

    assert set(counts) == {Behaviour.PAYS, Behaviour.ABANDONS}
    assert counts[Behaviour.ABANDONS] / counts.total() == pytest.approx(0.43, abs=0.03)


def test_who_lets_a_hold_lapse_comes_before_the_opening(everybody: list[casting.Visitor]) -> None:
    assert all(one.arrives_s <= 0 for one in humans(everybody) if one.behaviour in LAPSING)


def test_without_a_lobby_everybody_still_has_a_moment() -> None:
    changes = {"arrivals": {"curve": "rates", "points": [[0, 400], [10, 400]]}}
    profile = loading.load("concert-drop", changes=changes)

    arrivals = [one.arrives_s for one in casting.cast(profile)]

    assert arrivals == sorted(arrivals)
    assert arrivals
    assert 0 <= arrivals[0] <= arrivals[-1] <= 10


def test_the_pace_divides_the_times_of_people() -> None:
    slow, quick = (
        humans(casting.cast(loading.load("concert-drop", changes={"scale.pace": pace}))) for pace in (25.0, 50.0)
    )

    assert quick[0].think_s < 10
    assert all(one.think_s == pytest.approx(other.think_s / 2) for one, other in zip(quick, slow, strict=True))


def test_half_of_the_slow_payers_take_longer_than_the_median_says() -> None:
    profile = loading.load("slow-payers")
    thinking = [one.think_s * profile.scale.pace for one in humans(casting.cast(profile))]

    assert sum(think_s > 162 for think_s in thinking) / len(thinking) == pytest.approx(0.5, abs=0.04)


def test_nobody_wants_more_than_an_order_may_have() -> None:
    profile = loading.load("concert-drop", changes={"sale.per_order_max": 2})

    assert {one.quantity for one in humans(casting.cast(profile))} == {1, 2}


def test_the_list_of_members_names_every_member_who_comes(mixed: Profile, everybody: list[casting.Visitor]) -> None:
    members = {one.openid for one in humans(everybody) if one.lane == casting.MEMBERS}

    assert members <= set(casting.member_openids(mixed))
    assert casting.member(mixed, 7).openid in casting.member_openids(mixed)


def test_without_a_members_lane_nobody_is_listed() -> None:
    assert casting.member_openids(loading.load("concert-drop")) == []


@given(st.dictionaries(st.integers(), st.floats(0.1, 100), min_size=1, max_size=8), st.integers(0, 1 << 32))
def test_lots_fall_by_their_weights(weights: dict[int, float], seed: int) -> None:
    dice, lots = random.Random(seed), Lots(weights)

    counts = Counter(lots.draw(dice) for _ in range(500))

    for thing, weight in weights.items():
        share = weight / sum(weights.values())
        assert abs(counts[thing] - 500 * share) <= 6 * math.sqrt(500 * share * (1 - share)) + 1
