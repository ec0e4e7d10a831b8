"""What the figures share: the pace, the stack, the yardstick, and a note of every round."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from rich.console import Console

from bench import requests
from bench.generator import Measured, Plan, generate
from bench.machine import CpuUse, cores, cpu_use
from bench.report import Effort, Scaled
from bench.sales import OPEN
from bench.saturation.curve import Curve
from bench.servers import Servers
from bench.stack import Stack

# As `floodgate up` runs them.
WEB_WORKERS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long and how often. `orders_per_s_max` and `joins_per_s_max` bound what is prepared for one round."""

    rounds: int
    warm_s: float
    measure_s: float
    checkouts: int
    batches: int
    refused_buyers: int = 50_000
    doors_people: int = 1_000_000
    recovery_joins: int = 2_000
    orders_per_s_max: int = 25_000
    joins_per_s_max: int = 40_000
    connections: int = 64
    order_connections: int = 256
    shoppers: int = 64
    # Of a saturation curve: one point for each share of the peak, short ones, for there are many.
    flood_shares: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 5.0, 10.0)
    flood_warm_s: float = 0.25
    flood_measure_s: float = 0.9
    scale_measure_s: float = 1.2


FULL = Pace(rounds=5, warm_s=0.5, measure_s=2.5, checkouts=3000, batches=40)
QUICK = Pace(
    rounds=2,
    warm_s=0.3,
    measure_s=1.5,
    checkouts=800,
    batches=20,
    doors_people=200_000,
    flood_shares=(0.5, 1.0, 2.0, 10.0),
    flood_measure_s=0.8,
)


class RoundSpoilt(Exception):
    """A round that did not measure what it was meant to; the message shows what came back instead."""


@dataclass(slots=True)
class Bench:
    """What the figures share: the stack, the yardstick, and a note of every round.

    begun: sales with people in line. peers: names of rounds that belong side by side.
    """

    pace: Pace
    stack: Stack
    echo: Servers
    console: Console
    rounds: dict[str, list[tuple[Measured, CpuUse]]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    efforts: list[Effort] = field(default_factory=list)
    unit_costs: dict[str, float] = field(default_factory=dict)
    curves: list[Curve] = field(default_factory=list)
    scaled: list[Scaled] = field(default_factory=list)
    peers: list[str] = field(default_factory=list)
    begun: set[str] = field(default_factory=set)

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
        measure_s: float | None = None,
    ) -> Measured:
        """One round; RoundSpoilt unless every answer has the expected status and the marker."""
        plan = Plan(
            port=port,
            requests=send,
            connections=connections or self.pace.connections,
            warm_s=self.pace.warm_s,
            measure_s=measure_s or self.pace.measure_s,
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

    def cost_us(self, name: str, *, of: str) -> float:
        """CPU microseconds per request of the rounds of this name, of all processes whose names begin so."""
        noted = self.rounds[name]
        spent_s = sum(s for _, use in noted for process, s in use.seconds.items() if process.startswith(of))
        return spent_s * 1e6 / sum(sum(measured.statuses_all.values()) for measured, _ in noted)

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


def interleave(rounds: int, *measures: Callable[[], float]) -> list[list[float]]:
    """Every measure once per round, in turn: one list of values for each."""
    found: list[list[float]] = [[] for _ in measures]
    for _ in range(rounds):
        for values, measure in zip(found, measures, strict=True):
            values.append(measure())
    return found


def order_count(stack: Stack, sale: str) -> int:
    return int(stack.ask_ledger("select count(*) from orders where sale_id = $1", sale))


def paid_count(stack: Stack, sale: str) -> int:
    return int(stack.ask_ledger("select count(*) from orders where sale_id = $1 and state = 'paid'", sale))


def wait_until_paid(stack: Stack, sale: str, count: int, *, timeout_s: float = 30.0) -> None:
    until = time.monotonic() + timeout_s
    while (paid := paid_count(stack, sale)) < count:
        if time.monotonic() > until:
            raise RoundSpoilt(f"{paid} of {count} orders of {sale} were paid after {timeout_s:g} s")
        time.sleep(0.1)
