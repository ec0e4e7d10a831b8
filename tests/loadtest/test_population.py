"""The crowd of the demo: repeatable, shaped like a drop, and able to buy every ticket."""

import re
from collections import Counter

import pytest

from loadtest.crowd.habits import SHARES
from loadtest.crowd.population import LAPSING, Behaviour, Persona
from loadtest.demo.crowd import people

POPULARITY = {"sat-floor": 4.0, "sat-stand": 2.0, "sun-floor": 3.0, "sun-stand": 1.5}
CAPACITY = 1500
HOLD_S = 12.0
LOBBY_S = 7.5


def crowd(*, seed: int = 1, count: int = 6000) -> list[Persona]:
    return people(count=count, seed=seed, lobby_s=LOBBY_S, hold_s=HOLD_S, popularity=POPULARITY)


@pytest.fixture(scope="module")
def everybody() -> list[Persona]:
    return crowd()


def test_the_same_seed_brings_the_same_people() -> None:
    assert crowd(count=200) == crowd(count=200)


def test_another_seed_brings_other_people() -> None:
    assert crowd(count=200) != crowd(count=200, seed=2)


def test_everybody_has_an_openid_of_their_own_that_wechat_accepts(everybody: list[Persona]) -> None:
    assert len({person.openid for person in everybody}) == 6000
    assert all(re.fullmatch(r"o[0-9A-Za-z_-]{27}", person.openid) for person in everybody)


def test_most_come_before_the_opening_and_nobody_before_the_lobby(everybody: list[Persona]) -> None:
    early = sum(person.arrives_s < 0 for person in everybody)

    assert 0.55 < early / len(everybody) < 0.65
    assert everybody[0].arrives_s >= -LOBBY_S


def test_the_step_at_the_opening_is_higher_than_the_tail(everybody: list[Persona]) -> None:
    step = sum(0 <= person.arrives_s < 2 for person in everybody)
    tail = sum(person.arrives_s >= 2 for person in everybody)

    assert step > tail > 0


def test_people_come_in_the_order_of_their_arrival(everybody: list[Persona]) -> None:
    arrivals = [person.arrives_s for person in everybody]

    assert arrivals == sorted(arrivals)


def test_every_behaviour_is_present_in_its_share(everybody: list[Persona]) -> None:
    counts = Counter(person.behaviour for person in everybody)

    assert sum(SHARES.values()) == pytest.approx(1)
    for behaviour in Behaviour:
        assert counts[behaviour] / len(everybody) == pytest.approx(SHARES[behaviour], abs=0.02)


def test_everybody_wishes_every_tier_once_and_wants_one_to_four(everybody: list[Persona]) -> None:
    assert all(sorted(person.wishes) == sorted(POPULARITY) for person in everybody)
    assert {person.quantity for person in everybody} == {1, 2, 3, 4}


def test_who_pays_does_so_well_before_the_deadline(everybody: list[Persona]) -> None:
    assert max(person.think_s for person in everybody) <= 0.6 * HOLD_S


def test_who_lets_a_hold_lapse_comes_early_and_does_not_stand_by(everybody: list[Persona]) -> None:
    lapsing = [person for person in everybody if person.behaviour in LAPSING]

    assert all(person.arrives_s < 0 and person.patience_s == 0 for person in lapsing)


def test_most_are_there_when_they_are_called_some_come_late_and_some_never(everybody: list[Persona]) -> None:
    away = Counter("never" if person.away_s == float("inf") else person.away_s > 0 for person in everybody)

    assert 0.85 < away[False] / len(everybody) < 0.95
    assert min(away[True], away["never"]) > 100


def test_those_who_stay_to_the_end_could_buy_everything_alone(everybody: list[Persona]) -> None:
    staying = sum(person.quantity for person in everybody if person.patience_s == float("inf") and person.away_s == 0)

    assert staying > 1.5 * CAPACITY
