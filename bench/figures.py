"""The figures of the bench, one function each: who runs, what is sent, what it is measured against.

Every figure is measured in several short rounds, each next to a round of its yardstick, so that whatever
else the machine does falls on both. "Per core" figures bind one server to one core and the generator to
another; figures of the whole stack bind nothing and let all processes share all cores.

Every round is checked before it counts: an answer that was not expected, or an order in the ledger
without a 201 or the other way round, ends the run.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

import uvloop
from rich.console import Console

from bench import buyers, requests, rsa
from bench.generator import Measured, Plan, generate
from bench.machine import CpuUse, cores, cpu_use
from bench.micro.claims import SKU, fresh_claims
from bench.reference import hot_row, obvious
from bench.report import Effort, Figure, figure
from bench.requests import sku_of
from bench.servers import Servers
from bench.shoppers import ErrandPlan, Shopped, shop
from bench.stack import CAPACITIES, OPEN, SOLD_OUT, Stack
from engine.config.settings import Stock as StockSettings
from engine.infra.keys import SaleKeys
from engine.infra.redis import open_redis
from engine.stock.codes import ReserveCode
from engine.stock.stock import Stock, Terms

# A sale of any length, for Redis alone.
ENDLESS = Terms(
    opens_ms=0,
    closes_ms=1 << 45,
    hold_ms=600_000,
    buyer_max=6,
    paused=False,
    capacities=((SKU, 5_000_000),),
)

# As `floodgate up` runs them.
WEB_WORKERS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long and how often. `orders_per_s_max` bounds the orders prepared for one round."""

    rounds: int
    warm_s: float
    measure_s: float
    checkouts: int
    batches: int
    refused_buyers: int = 50_000
    orders_per_s_max: int = 25_000
    connections: int = 64
    order_connections: int = 256
    shoppers: int = 64


FULL = Pace(rounds=5, warm_s=0.5, measure_s=3.0, checkouts=3000, batches=40)
QUICK = Pace(rounds=2, warm_s=0.3, measure_s=1.5, checkouts=800, batches=20)


class RoundSpoilt(Exception):
    """A round that did not measure what it was meant to; the message shows what came back instead."""


@dataclass(slots=True)
class Bench:
    """What the figures share: the stack, the yardstick, and a note of every round."""

    pace: Pace
    stack: Stack
    echo: Servers
    console: Console
    rounds: dict[str, list[tuple[Measured, CpuUse]]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    efforts: list[Effort] = field(default_factory=list)

    def load(
        self,
        name: str,
        *,
        port: int,
        send: Sequence[bytes],
        expect: int,
        pids: Mapping[str, int],
        repeat: bool = True,
        connections: int | None = None,
        marker: bytes = b"HTTP/1.1",
        core: int | None = None,
    ) -> Measured:
        """One round; RoundSpoilt unless every answer has the expected status and the marker."""
        plan = Plan(
            port=port,
            requests=send,
            connections=connections or self.pace.connections,
            warm_s=self.pace.warm_s,
            measure_s=self.pace.measure_s,
            repeat=repeat,
            marker=marker,
            core=core,
        )
        before = cpu_use(pids)
        measured = generate(plan)
        spent = cpu_use(pids).since(before)
        if set(measured.statuses_all) != {expect} or measured.marked != measured.answers or measured.broken:
            raise RoundSpoilt(f"{name}: {measured.statuses_all}, {measured.broken} broken, {measured.samples}")
        self.rounds.setdefault(name, []).append((measured, spent))
        self.console.print(f"  {name}: {measured.per_s:,.0f}/s, generator {measured.cpu_share:.0%}")
        return measured

    def echo_rate(self) -> float:
        """One round of the yardstick, on a core of its own."""
        return self.load(
            "echo",
            port=self.echo.port,
            send=[requests.echo(OPEN)],
            expect=200,
            pids=self.echo.pids,
            core=generator_core(),
        ).per_s

    def conclude(self) -> None:
        """Turn the rounds noted so far into efforts, at their medians."""
        for name, noted in self.rounds.items():
            measured = [one for one, _ in noted]
            spent: dict[str, float] = {}
            for _, use in noted:
                for process, seconds in use.seconds.items():
                    spent[process] = spent.get(process, 0.0) + seconds
            answers = sum(sum(one.statuses_all.values()) for one in measured)
            self.efforts.append(
                Effort(
                    name=name,
                    per_s=median(one.per_s for one in measured),
                    p50_ms=median(one.p50_ms for one in measured),
                    p99_ms=median(one.p99_ms for one in measured),
                    generator_share=median(one.cpu_share for one in measured),
                    generator_us=median(one.cpu_us for one in measured),
                    cpu_us=CpuUse(spent).per(answers),
                    note=self.notes.get(name, ""),
                )
            )
        self.rounds.clear()


def server_core() -> int | None:
    return cores()[0] if len(cores()) > 1 else None


def generator_core() -> int | None:
    return cores()[1] if len(cores()) > 1 else None


def refusals(bench: Bench) -> list[Figure]:
    """Sold out, told per second by one web worker on one core: each request another buyer, pass and key."""
    stack = bench.stack
    stack.serve(1, core=server_core())
    units = CAPACITIES[SOLD_OUT]
    bought = shop(
        ErrandPlan(
            engine_port=stack.port,
            simulator_port=stack.simulator_port,
            errands=buyers.errands(stack, SOLD_OUT, units),
            shoppers=bench.pace.shoppers,
        )
    )
    if bought.done != units:
        raise RoundSpoilt(f"the sale could not be sold out: {bought.failed}")
    _wait_until_paid(stack, SOLD_OUT, units)
    time.sleep(1.0)  # for the last confirmation to reach Redis, and the workers' snapshot

    send = buyers.orders(stack, SOLD_OUT, bench.pace.refused_buyers)

    def round_() -> float:
        return bench.load(
            "refusals",
            port=stack.port,
            send=send,
            expect=409,
            marker=b'"SOLD_OUT"',
            pids=stack.pids,
            core=generator_core(),
        ).per_s

    yardsticks, values = _interleave(bench.pace.rounds, bench.echo_rate, round_)
    return [
        figure(
            "refusals per core",
            values=values,
            yardsticks=yardsticks,
            unit="/s",
            against="echo/s on one core",
            target=0.80,
        )
    ]


def polls(bench: Bench) -> list[Figure]:
    """The line document by one web worker on one core, and what Redis is asked for it."""
    stack = bench.stack
    stack.serve(1, core=server_core())
    send = [requests.line_poll(OPEN)]
    asked_per_poll: list[float] = []

    def round_() -> float:
        began_at, commands = time.monotonic(), stack.commands_run()
        time.sleep(1.0)
        idle_per_s = (stack.commands_run() - commands) / (time.monotonic() - began_at)
        began_at, commands = time.monotonic(), stack.commands_run()
        measured = bench.load(
            "line polls",
            port=stack.port,
            send=send,
            expect=200,
            marker=b'"phase"',
            pids=stack.pids,
            core=generator_core(),
        )
        asked = stack.commands_run() - commands - idle_per_s * (time.monotonic() - began_at)
        asked_per_poll.append(max(0.0, asked) / sum(measured.statuses_all.values()))
        return measured.per_s

    yardsticks, values = _interleave(bench.pace.rounds, bench.echo_rate, round_)
    return [
        figure(
            "line polls per core",
            values=values,
            yardsticks=yardsticks,
            unit="/s",
            against="echo/s on one core",
            target=0.90,
        ),
        # Jobs speak to Redis a few times a second, polls or not; that rate is measured idle and taken
        # off, and what it wavers by is allowed: one command in a hundred polls.
        figure(
            "Redis commands per line poll",
            values=asked_per_poll,
            yardsticks=[1.0] * len(asked_per_poll),
            unit="commands",
            against="command",
            target=0.01,
            at_most=True,
        ),
    ]


def orders(bench: Bench) -> list[Figure]:
    """Durable orders of the whole stack, against the echo and both references, all with one generator."""
    stack, pace = bench.stack, bench.pace
    stack.serve(WEB_WORKERS)
    count = int(pace.orders_per_s_max * (pace.warm_s + pace.measure_s))

    def engine_rate() -> float:
        send = buyers.orders(stack, OPEN, count)
        rows, ran = _order_count(stack, OPEN), stack.scripts()
        measured = bench.load(
            "orders",
            port=stack.port,
            send=send,
            expect=201,
            pids=stack.pids,
            repeat=False,
            connections=pace.order_connections,
        )
        told = measured.statuses_all[201]
        scripts, script_us = (now - before for now, before in zip(stack.scripts(), ran, strict=True))
        bench.notes["orders"] = (
            f"{script_us / told:.1f} us in Redis scripts per order, {told / scripts:.0f} orders per script"
        )
        written = _order_count(stack, OPEN) - rows
        if written != told:
            raise RoundSpoilt(f"{told} buyers were told 201, but the ledger has {written} new orders")
        return measured.per_s

    def reference_rate(name: str, server: Servers) -> float:
        return bench.load(
            name,
            port=server.port,
            send=[requests.reference_order(OPEN)],
            expect=201,
            pids=server.pids | {"redis": stack.valkey.pid, "postgres": stack.postgres.pid},
            connections=pace.order_connections,
        ).per_s

    with _references(stack) as (first, second):
        echoes, values, obvious_rates, hot_row_rates = _interleave(
            pace.rounds,
            bench.echo_rate,
            engine_rate,
            lambda: reference_rate("obvious design", first),
            lambda: reference_rate("one hot row", second),
        )
    return [
        figure(
            "durable orders, whole stack",
            values=values,
            yardsticks=echoes,
            unit="/s",
            against="echo/s on one core",
            target=0.40,
        ),
        figure(
            "durable orders against the obvious design",
            values=values,
            yardsticks=obvious_rates,
            unit="/s",
            against="orders/s",
            target=5.0,
        ),
        figure(
            "durable orders against one hot row",
            values=values,
            yardsticks=hot_row_rates,
            unit="/s",
            against="orders/s",
            target=5.0,
        ),
    ]


def redis_time(bench: Bench) -> list[Figure]:
    """What Redis itself spends on one reservation of a full batch, by its own account of its scripts.

    Measured while the rest of the stack is idle: that account is wall time, and beside busy processes it
    would count the time in which Redis waits for a core. The note on the orders' round tells that one.
    """
    stack = bench.stack
    batch = StockSettings().batch_count_max
    keys, epoch = SaleKeys.of("bench-batches"), 1

    async def reserve_all() -> float:
        store = await open_redis(stack.valkey.url, connections_max=1, timeout_s=5, connect_timeout_s=5)
        stock = Stock(store)
        await stock.clear(keys, epoch)
        await stock.open(keys, epoch, ENDLESS)
        _, used_us = stack.scripts()
        for _ in range(bench.pace.batches):
            decisions = await stock.reserve(keys, epoch, fresh_claims(batch))
            if {decision.code for decision in decisions} != {ReserveCode.HELD}:
                raise RoundSpoilt(f"reserve: {decisions[0].code.name}")
        _, now_us = stack.scripts()
        await store.client.delete(*keys.all())
        await store.close()
        return (now_us - used_us) / (bench.pace.batches * batch)

    values = [uvloop.run(reserve_all()) for _ in range(bench.pace.rounds)]
    return [
        figure(
            f"Redis time per reservation, batches of {batch}",
            values=values,
            yardsticks=[1.0] * len(values),
            unit="us",
            against="us",
            target=8.0,
            at_most=True,
        )
    ]


def checkouts(bench: Bench) -> list[Figure]:
    """Order, prepay, pay, callback, paid: from the first request to the last paid order in the ledger."""
    stack, pace = bench.stack, bench.pace
    stack.serve(WEB_WORKERS)
    shopped: list[tuple[Shopped, CpuUse]] = []

    def floor_rate() -> float:
        return rsa.measure().checkouts_per_s(len(cores()))

    def round_() -> float:
        errands = buyers.errands(stack, OPEN, pace.checkouts)
        paid_before = _paid_count(stack, OPEN)
        plan = ErrandPlan(
            engine_port=stack.port,
            simulator_port=stack.simulator_port,
            errands=errands,
            shoppers=pace.shoppers,
        )
        before = cpu_use(stack.pids)
        done = shop(plan)
        if done.failed:
            raise RoundSpoilt(f"checkouts: {done.failed}")
        _wait_until_paid(stack, OPEN, paid_before + pace.checkouts)
        spent = cpu_use(stack.pids).since(before)
        last_paid_s = stack.ask_ledger(
            "select extract(epoch from max(received_at))::float8 from payments where sale_id = $1", OPEN
        )
        shopped.append((done, spent))
        rate = float(pace.checkouts / (last_paid_s - done.began_at_s))
        bench.console.print(f"  paid checkouts: {rate:,.0f}/s, generator {done.cpu_share:.0%}")
        return rate

    floors, values = _interleave(pace.rounds, floor_rate, round_)
    bench.efforts.append(
        Effort(
            name="paid checkouts",
            per_s=median(values),
            p50_ms=median(done.p50_ms for done, _ in shopped),
            p99_ms=median(done.p99_ms for done, _ in shopped),
            generator_share=median(done.cpu_share for done, _ in shopped),
            generator_us=median(done.cpu_s * 1e6 / done.done for done, _ in shopped),
            cpu_us=shopped[-1][1].per(pace.checkouts),
        )
    )
    return [
        figure(
            "paid checkouts, whole stack",
            values=values,
            yardsticks=floors,
            unit="/s",
            against=f"/s, RSA alone on {len(cores())} cores",
            target=0.5,
        )
    ]


FIGURES: Mapping[str, Callable[[Bench], list[Figure]]] = {
    "refusals": refusals,
    "polls": polls,
    "orders": orders,
    "redis": redis_time,
    "checkouts": checkouts,
}


def _interleave(rounds: int, *measures: Callable[[], float]) -> list[list[float]]:
    """Every measure once per round, in turn: one list of values for each."""
    found: list[list[float]] = [[] for _ in measures]
    for _ in range(rounds):
        for values, measure in zip(found, measures, strict=True):
            values.append(measure())
    return found


@contextlib.contextmanager
def _references(stack: Stack) -> Iterator[tuple[Servers, Servers]]:
    """Both reference designs, as many workers as the engine has, on the engine's own stores."""
    stack.change_ledger(obvious.SCHEMA)
    stack.change_ledger(hot_row.SCHEMA)
    units = 2_000_000_000
    stack.change_ledger(f"insert into hot_stock values ('{sku_of(OPEN)}', {units}) on conflict do nothing")
    with stack.valkey.client() as client:
        client.set(f"obvious:free:{sku_of(OPEN)}", units)
    postgres = ["--postgres-url", stack.postgres.url]
    with (
        Servers(
            "bench.reference.obvious",
            [*postgres, "--redis-url", stack.valkey.url],
            logs=stack.logs,
            count=WEB_WORKERS,
        ) as first,
        Servers("bench.reference.hot_row", postgres, logs=stack.logs, count=WEB_WORKERS) as second,
    ):
        yield first, second


def _order_count(stack: Stack, sale: str) -> int:
    return int(stack.ask_ledger("select count(*) from orders where sale_id = $1", sale))


def _paid_count(stack: Stack, sale: str) -> int:
    return int(stack.ask_ledger("select count(*) from orders where sale_id = $1 and state = 'paid'", sale))


def _wait_until_paid(stack: Stack, sale: str, count: int, *, timeout_s: float = 30.0) -> None:
    until = time.monotonic() + timeout_s
    while (paid := _paid_count(stack, sale)) < count:
        if time.monotonic() > until:
            raise RoundSpoilt(f"{paid} of {count} orders of {sale} were paid after {timeout_s:g} s")
        time.sleep(0.1)
