"""The plan of a drop: its sums, against the unit costs and the policy they are made of."""

import dataclasses
import math
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cli.planning import Crowd, plan
from engine.cli.polling import PollPolicy
from engine.cli.spending import LOOKS_PER_S, TICKS_PER_S, WORKER_LOAD
from engine.cli.unit_costs import NAMES, NotUnitCosts, measured, shipped
from engine.line.front.document import POLL_POLICY

COSTS = shipped()
POLICY = PollPolicy.told(POLL_POLICY)
MILLION = Crowd(waiting=1_000_000, rate_per_s=100, tickets=20_000)

crowds = st.builds(
    Crowd,
    waiting=st.integers(1, 10_000_000),
    rate_per_s=st.floats(0.1, 10_000),
    tickets=st.integers(1, 1_000_000),
    lobby=st.floats(0, 1),
    within_s=st.floats(1, 86_400),
    positions_within_s=st.floats(1, 600),
    show=st.floats(0.01, 1),
    conversion=st.floats(0.01, 1),
    units=st.floats(1, 10),
    edges=st.integers(1, 10_000),
)


def test_everybody_in_the_line_takes_the_memory_of_one() -> None:
    assert plan(MILLION, COSTS, POLICY, workers=8).redis_bytes == 1_000_000 * COSTS.redis_line_bytes


def test_the_lobby_is_written_down_person_by_person() -> None:
    planned = plan(MILLION, COSTS, POLICY, workers=8)
    assert planned.lobby_rows == 800_000
    assert planned.lobby_bytes == 800_000 * COSTS.postgres_entry_bytes


def test_people_are_called_until_the_tickets_are_gone() -> None:
    crowd = Crowd(waiting=1_000_000, rate_per_s=100, tickets=16_000, show=0.5, conversion=0.8, units=2)
    assert crowd.called == 20_000
    assert crowd.lasts_s == 200
    assert crowd.orders == 8_000


def test_phones_that_compute_their_position_ask_nobody_for_it() -> None:
    crowd = dataclasses.replace(MILLION, own_positions=1.0)
    assert plan(crowd, COSTS, POLICY, workers=8).after_draw.positions == 0


def test_nobody_is_called_who_is_not_there() -> None:
    assert Crowd(waiting=10, rate_per_s=100, tickets=16_000).called == 10


def test_just_before_the_draw_the_whole_lobby_asks_at_the_floor() -> None:
    planned = plan(MILLION, COSTS, POLICY, workers=8)
    assert planned.before_draw.polls == pytest.approx(800_000 / POLICY.interval_s(0))


def test_a_lobby_asks_while_it_fills_as_often_as_each_of_its_people_does() -> None:
    crowd = Crowd(waiting=600, rate_per_s=100, tickets=1, lobby=1.0, within_s=600)
    asked = sum(POLICY.polls_per_s(came, rate_per_s=1) for came in range(600))
    assert plan(crowd, COSTS, POLICY, workers=8).joining.polls * 600 == pytest.approx(asked, rel=0.02)


def test_redis_is_asked_by_workers_and_ticks_and_not_by_those_who_wait() -> None:
    quiet = plan(Crowd(waiting=1_000_000, rate_per_s=100, tickets=1, lobby=1.0), COSTS, POLICY, workers=3).after_draw
    asked_us = 3 * LOOKS_PER_S * COSTS.redis_look_us + TICKS_PER_S * COSTS.redis_tick_us
    assert quiet.redis_share == pytest.approx(asked_us / 1e6)


@given(crowds, st.integers(1, 1000))
def test_the_cdns_share_is_just_enough_for_the_workers(crowd: Crowd, workers: int) -> None:
    planned = plan(crowd, COSTS, POLICY, workers=workers)
    room = workers * WORKER_LOAD
    if planned.cdn_share is None:
        assert any(load.web_cores - load.poll_cores > room for load in planned.stretches.values())
    else:
        left = [load.web_cores - load.poll_cores * planned.cdn_share for load in planned.stretches.values()]
        assert max(left) <= room + 1e-6
        assert planned.cdn_share == 0 or max(left) == pytest.approx(room)


@given(crowds, st.integers(1, 1000))
def test_as_many_workers_as_the_plan_asks_for_suffice_without_a_cdn(crowd: Crowd, workers: int) -> None:
    asked_for = plan(crowd, COSTS, POLICY, workers=workers).workers_alone
    assert plan(crowd, COSTS, POLICY, workers=asked_for).cdn_share == 0


@given(crowds)
def test_a_cdn_never_makes_more_workers_needed(crowd: Crowd) -> None:
    planned = plan(crowd, COSTS, POLICY, workers=1)
    assert planned.workers_behind_cdn <= planned.workers_alone


@given(crowds)
def test_whoever_waits_polls_at_least_once_and_nobody_more_often_than_the_floor(crowd: Crowd) -> None:
    planned = plan(crowd, COSTS, POLICY, workers=1)
    shortest_s = POLICY.interval_s(0)
    assert planned.polls >= crowd.waiting - crowd.called
    lasts_s = crowd.within_s + crowd.lasts_s
    assert planned.polls <= crowd.waiting * (lasts_s / shortest_s + 1) * (1 + 1e-6)
    assert all(load.polls <= crowd.waiting / shortest_s * (1 + 1e-6) for load in planned.stretches.values())


def test_the_costs_of_ones_own_bench_take_the_place_of_those_shipped() -> None:
    report = orjson.dumps({"machine": "mine", "unit_costs": {"web_poll_us": 5.0}})
    costs = measured(report)
    assert costs.web_poll_us == 5.0
    assert costs.redis_line_bytes == COSTS.redis_line_bytes
    assert costs.machine.startswith("mine; not measured there but as shipped")


def test_a_whole_bench_needs_nothing_shipped() -> None:
    report = orjson.dumps({"machine": "mine", "unit_costs": dict.fromkeys(NAMES, 1.5)})
    assert measured(report).machine == "mine"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"machine": "mine"}',
        b'{"machine": "mine", "unit_costs": {"web_poll_us": "fast"}}',
        b'{"machine": "mine", "unit_costs": {"web_poll_us": 0}}',
        b'{"machine": "mine", "unit_costs": {"web_poll_us": -1}}',
    ],
)
def test_a_file_without_costs_is_refused(content: bytes) -> None:
    with pytest.raises(NotUnitCosts):
        measured(content)


def test_every_shipped_cost_is_a_number_above_zero() -> None:
    numbers = {name: cost for name, cost in dataclasses.asdict(COSTS).items() if name != "machine"}
    assert numbers.keys() == NAMES
    assert all(math.isfinite(cost) and cost > 0 for cost in numbers.values())


def test_the_bench_measures_every_cost_that_the_plan_reckons_with() -> None:
    figures = Path(__file__).resolve().parents[2] / "bench" / "figures"
    sources = "".join(source.read_text() for source in figures.glob("*.py"))
    assert [name for name in sorted(NAMES) if f'unit_costs["{name}"]' not in sources] == []
