"""Whole visits of people and bots to a running engine, all at once: who keeps the rules gets what they allow, who does
not gets nothing, and whoever looks learns it."""

import asyncio
from dataclasses import replace

import pytest

from loadtest.crowd.journal import Journal, Stage
from loadtest.crowd.population import Behaviour, Persona
from loadtest.profiles import casting
from tests.loadtest.crowd.conftest import bots, evening, story
from tests.support.engine import Engine


def somebody(number: int = 1) -> Persona:
    person = casting.newcomer(story(), number)
    assert isinstance(person, Persona)
    return person


def impostor() -> Persona:
    """Not on the list, and asks for the members' lane."""
    return replace(casting.member(story(seed=2), 2), lane=casting.MEMBERS)


GROUPS: dict[str, list[casting.Visitor]] = {
    "buyer": [somebody()],
    "member": [casting.member(story(), 1)],
    "impostor": [impostor()],
    "repeater": [replace(somebody(5), behaviour=Behaviour.REPEATS, quantity=2)],
    "onlooker": [casting.newcomer(story(people__stops_after="line"), 2)],
    "undecided": [casting.newcomer(story(people__stops_after="order"), 3)],
    "forgers": bots("forger", 8),
    "forwarder and victim": [casting.newcomer(story(), 4), *bots("forwarder", 2, stays_s=6.0)],
    "hoarder": bots("hoarder", 1, stays_s=15.0),
    "poller": bots("poller", 1, stays_s=15.0),
}


@pytest.fixture(scope="module")
def journals(engine: Engine) -> dict[str, Journal]:
    """What each group saw; all of them came at the same time."""

    async def come(group: list[casting.Visitor]) -> Journal:
        async with evening(engine) as here:
            return await here.visit(*group)

    async def everybody() -> list[Journal]:
        return list(await asyncio.gather(*(come(group) for group in GROUPS.values())))

    return dict(zip(GROUPS, asyncio.run(everybody()), strict=True))


@pytest.mark.parametrize("group", GROUPS)
def test_nobody_sees_what_no_promise_allows(journals: dict[str, Journal], group: str) -> None:
    assert not journals[group].complaints


@pytest.mark.parametrize("group", ["buyer", "member", "repeater", "poller", "forwarder and victim"])
def test_whoever_keeps_to_the_line_buys_and_pays(journals: dict[str, Journal], group: str) -> None:
    assert [told.state for told in journals[group].told.values()] == ["paid"]
    assert journals[group].stages[Stage.PAID] == 1


def test_a_member_stands_in_the_members_lane(journals: dict[str, Journal]) -> None:
    assert [place.lane for place in journals["member"].places.values()] == [casting.MEMBERS]


def test_whoever_is_not_on_the_list_does_not_get_into_the_members_lane(journals: dict[str, Journal]) -> None:
    assert journals["impostor"].leavings == {"place refused: NOT_A_MEMBER": 1}


def test_a_visit_can_end_in_the_line(journals: dict[str, Journal]) -> None:
    outcomes = journals["onlooker"].outcomes

    assert (outcomes["join", "201"], outcomes["pass", "200"]) == (1, 0)


def test_a_visit_can_end_with_the_order(journals: dict[str, Journal]) -> None:
    outcomes = journals["undecided"].outcomes

    assert (outcomes["order", "201"], outcomes["payment", "200"]) == (1, 0)


@pytest.mark.parametrize(
    "refusal",
    [
        ("bot_where", "PLACE_INVALID"),
        ("bot_pass", "PLACE_INVALID"),
        ("bot_join", "PLACE_INVALID"),
        ("bot_order", "PASS_INVALID"),
        ("bot_list", "LOGIN_REQUIRED"),
        ("bot_order", "PASS_SPENT"),
    ],
    ids=" ".join,
)
def test_a_forger_is_refused_in_every_way(journals: dict[str, Journal], refusal: tuple[str, str]) -> None:
    assert journals["forgers"].outcomes[refusal] > 0


def test_another_s_pass_is_good_for_nobody_else(journals: dict[str, Journal]) -> None:
    outcomes = journals["forwarder and victim"].outcomes

    assert outcomes["bot_order", "PASS_INVALID"] > 0
    assert outcomes["bot_order", "201"] == 0


def test_what_a_hoarder_took_comes_back(journals: dict[str, Journal]) -> None:
    told = journals["hoarder"].told.values()

    assert told
    assert {one.state for one in told} <= {"closing", "released"}


def test_each_account_of_a_hoarder_has_its_own_limit(journals: dict[str, Journal]) -> None:
    units = {one.openid: 0 for one in journals["hoarder"].told.values()}
    for one in journals["hoarder"].told.values():
        units[one.openid] += sum(quantity for _, quantity in one.units)

    assert len(units) == 3
    assert max(units.values()) <= story().sale.per_buyer_max


def test_a_poller_is_counted_apart_from_people(journals: dict[str, Journal]) -> None:
    outcomes = journals["poller"].outcomes

    assert (outcomes["bot_order", "201"], outcomes["order", "201"]) == (1, 0)
