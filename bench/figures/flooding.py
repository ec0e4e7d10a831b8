"""One saturation curve: the peak in the closed loop, then floods of ever larger shares of it, then the ledger.

Goodput is what was wanted, within the deadline, counted from the moment somebody came. What was promised must be in the
ledger afterwards, or the round is spoilt: a rate of broken promises is no rate.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from bench import buyers
from bench.figures.common import (
    WEB_WORKERS,
    Bench,
    RoundSpoilt,
    generator_core,
    paid_count,
    server_core,
    wait_until_paid,
)
from bench.report import Figure, figure
from bench.sales import OPEN
from bench.saturation.arrivals import Stretch
from bench.saturation.curve import curve_of, held
from bench.saturation.fates import Flooded
from bench.saturation.sender import FloodPlan, flood
from bench.shoppers import Errand, ErrandPlan, shop

HELD_SHARE = 0.9
# A flood may find more than the closed loop did, which may have met a slow moment; what is prepared must last.
HEADROOM = 2.0
# As many as a balancer would let through to each worker: a little less than it works on at a time.
CONNECTIONS_EACH = 400
DEADLINE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of request.

    prepare: makes so many; when `repeat`, they are sent again and again. per_s_max: more than any peak. written: counts
    in the ledger what each good answer promised. alone: one worker on one core, the sender on another; else the whole
    stack on all cores, the sender beside it. paid: whole checkouts, each good once WeChat has told the buyer so.
    shares: those of the pace that it offers, all when empty; longer: by how much its stretches are.
    """

    name: str
    prepare: Callable[[Bench, int], Sequence[bytes] | Sequence[Errand]]
    wanted: int = 200
    marker: bytes = b"HTTP/1.1"
    per_s_max: int = 1
    repeat: bool = False
    alone: bool = True
    paid: bool = False
    connections: int = CONNECTIONS_EACH
    deadline_s: float = DEADLINE_S
    shares: Sequence[float] = ()
    longer: float = 1.0
    written: Callable[[Bench], int] | None = None


def saturate(bench: Bench, kind: Kind) -> list[Figure]:
    """The curve of one kind, and whether ten times the peak leaves nine tenths of it."""
    bench.stack.serve(1 if kind.alone else WEB_WORKERS, core=server_core() if kind.alone else None)
    peak_per_s = _shoppers_peak(bench, kind) if kind.paid else _requests_peak(bench, kind)
    rounds = []
    for number in range(bench.pace.rounds):
        rounds.append(_round(bench, kind, peak_per_s, seed=number))
        most = rounds[-1][-1]
        bench.console.print(
            f"  {kind.name}: at best {max(one.goodput_per_s for one in rounds[-1]):,.0f}/s; "
            f"{most.goodput_per_s:,.0f}/s with {most.stretch.offered_per_s:,.0f}/s offered; "
            f"generator {most.sender_share:.0%}"
        )
    bench.curves.append(curve_of(kind.name, rounds, connections=kind.connections, deadline_s=kind.deadline_s))
    values, yardsticks = held(rounds)
    return [
        figure(
            f"{kind.name}, {bench.pace.flood_shares[-1]:g} times the peak offered",
            values=values,
            yardsticks=yardsticks,
            unit="/s",
            against="/s at best",
            target=HELD_SHARE,
        )
    ]


def _round(bench: Bench, kind: Kind, peak_per_s: float, *, seed: int) -> list[Flooded]:
    """Every share once; RoundSpoilt where the ledger does not bear out what buyers were told.

    They come in another order in each round, so that what else happens on the machine falls on all of them alike.
    """
    pace, stack = bench.pace, bench.stack
    stretches = [
        Stretch(
            share=share,
            offered_per_s=share * peak_per_s,
            warm_s=pace.flood_warm_s * kind.longer,
            measure_s=pace.flood_measure_s * kind.longer,
        )
        for share in pace.flood_shares
        if not kind.shares or share in kind.shares
    ]
    random.Random(seed).shuffle(stretches)
    served = sum(
        min(one.offered_per_s, peak_per_s * HEADROOM) * (one.warm_s + one.measure_s) + kind.connections
        for one in stretches
    )
    send = kind.prepare(bench, int(served))
    known = kind.written(bench) if kind.written else 0
    found = flood(
        FloodPlan(
            port=stack.port,
            send=send,
            stretches=stretches,
            connections=kind.connections,
            wanted=kind.wanted,
            marker=kind.marker,
            repeat=kind.repeat,
            simulator_port=stack.simulator_port if kind.paid else None,
            deadline_s=kind.deadline_s,
            seed=seed,
            core=generator_core() if kind.alone else None,
            pids=stack.pids,
        )
    )
    if strange := sum((Counter(one.strange) for one in found), Counter[str]()):
        raise RoundSpoilt(f"{kind.name}: {dict(strange.most_common(3))}")
    if kind.written:
        _check_the_ledger(bench, kind, known, found)
    return sorted(found, key=lambda one: one.stretch.share)


def _check_the_ledger(bench: Bench, kind: Kind, known: int, found: Sequence[Flooded]) -> None:
    """What was promised is there, and no more than could not be told. Whoever got a 503 may try again and learn it."""
    assert kind.written is not None
    told = sum(one.wanted_count for one in found)
    unsure = sum(one.refused_count for one in found)
    if kind.paid:
        wait_until_paid(bench.stack, OPEN, known + told)
    written = kind.written(bench) - known
    if not told <= written <= told + unsure:
        raise RoundSpoilt(f"{kind.name}: {told} were told so, but the ledger has {written}")


def _requests_peak(bench: Bench, kind: Kind) -> float:
    """What the closed loop gets: it never offers more than is taken."""
    pace = bench.pace
    send = kind.prepare(bench, int((pace.warm_s + pace.measure_s) * kind.per_s_max))
    return bench.load(
        f"{kind.name}, closed loop",
        port=bench.stack.port,
        send=cast(Sequence[bytes], send),
        expect=kind.wanted,
        marker=kind.marker,
        pids=bench.stack.pids,
        repeat=kind.repeat,
        connections=pace.order_connections,
        core=generator_core() if kind.alone else None,
    ).per_s


def _shoppers_peak(bench: Bench, kind: Kind) -> float:
    pace, stack = bench.pace, bench.stack
    known = paid_count(stack, OPEN)
    plan = ErrandPlan(
        engine_port=stack.port,
        simulator_port=stack.simulator_port,
        errands=buyers.errands(stack, OPEN, pace.checkouts),
        shoppers=kind.connections,
    )
    shopped = shop(plan)
    if shopped.failed:
        raise RoundSpoilt(f"{kind.name}: {shopped.failed}")
    wait_until_paid(stack, OPEN, known + shopped.done)
    return shopped.done / shopped.seconds
