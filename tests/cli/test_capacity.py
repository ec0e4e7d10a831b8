"""What a site needs for a demand, and what of it is full first."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cli.capacity import Site, first_full, needs
from engine.cli.spending import LOOKS_PER_S, TICKS_PER_S, WORKER_LOAD, Demand, poll_bytes
from engine.cli.unit_costs import shipped
from tests.cli.conftest import Run

COSTS = shipped()
SITE = Site()

rates = st.floats(0, 1_000_000)
demands = st.builds(
    Demand, polls=rates, live_joins=rates, positions=rates, claims=rates, orders=rates, paid=st.floats(0, 1)
)
sales = st.integers(1, 10_000)


def needed(demand: Demand, *, sales: int = 1, edges: int = 0) -> dict[str, float]:
    return {need.name: need.needed for need in needs(demand, COSTS, SITE, sales=sales, edges=edges)}


def test_polls_take_workers_and_bytes_and_no_ledger() -> None:
    found = needed(Demand(polls=100_000))
    assert found["web workers"] == pytest.approx(100_000 * COSTS.web_poll_us / 1e6 / WORKER_LOAD)
    assert found["the line to the outside"] == pytest.approx(100_000 * poll_bytes(COSTS) * 8 / 1e9)
    assert found["PostgreSQL"] == 0


def test_a_paid_order_costs_a_checkout_and_an_unpaid_one_an_order() -> None:
    found = needed(Demand(orders=1000, paid=0.25))
    spent_us = 250 * COSTS.postgres_checkout_us + 750 * COSTS.postgres_order_us
    assert found["PostgreSQL"] == pytest.approx(spent_us / 1e6 / WORKER_LOAD)


def test_who_is_there_without_a_demand_looks_and_ticks_for_every_sale() -> None:
    asked_us = LOOKS_PER_S * COSTS.redis_look_us + TICKS_PER_S * COSTS.redis_tick_us
    assert needed(Demand(), sales=10)["Redis, all shards"] == pytest.approx(10 * asked_us / 1e6 / WORKER_LOAD)


@given(demands, sales)
def test_the_shards_carry_what_the_slots_of_all_sales_need(demand: Demand, sales: int) -> None:
    found = needed(demand, sales=sales)
    assert found["Redis, all shards"] == pytest.approx(sales * found["Redis, the slot of one sale"])


@given(demands, sales, st.integers(1, 1000))
def test_a_cdn_makes_nothing_dearer(demand: Demand, sales: int, edges: int) -> None:
    without, behind = needed(demand, sales=sales), needed(demand, sales=sales, edges=edges)
    assert all(behind[name] <= without[name] for name in without)


@given(demands, sales)
def test_more_of_the_first_bottleneck_is_what_helps(demand: Demand, sales: int) -> None:
    first = first_full(needs(demand, COSTS, SITE, sales=sales))
    assert all(need.share <= first.share for need in needs(demand, COSTS, SITE, sales=sales))


def test_a_site_without_enough_of_one_thing_is_full_there_first() -> None:
    narrow = dataclasses.replace(SITE, uplink_gbit_s=0.001)
    assert first_full(needs(Demand(polls=100_000), COSTS, narrow)).name == "the line to the outside"


def test_the_command_names_the_first_bottleneck(run: Run) -> None:
    ended = run("plan-rates", "--polls", "100000", "--uplink-gbit", "0.1", bare=True)

    assert ended.code == 0, ended.err
    assert "The first bottleneck is the line to the outside" in ended.out


def test_json_says_the_same_to_a_program(run: Run) -> None:
    told = json.loads(run("plan-rates", "--orders", "2500", "--sales", "3", "--json", bare=True).out)

    found = needs(Demand(orders=2500, paid=0.85), COSTS, SITE, sales=3)
    assert told["first"] == first_full(found).name
    assert [row["needed"] for row in told["needs"]] == [need.needed for need in found]
