"""What costs no order: refusals and line polls, per core of one web worker."""

from __future__ import annotations

import time

from bench import buyers, requests
from bench.figures.common import (
    Bench,
    RoundSpoilt,
    generator_core,
    interleave,
    server_core,
    wait_until_paid,
)
from bench.report import Figure, figure
from bench.sales import OPEN, SELLING, SOLD_OUT
from bench.shoppers import ErrandPlan, shop


def refusals(bench: Bench) -> list[Figure]:
    """Sold out, told per second by one web worker on one core: each request another buyer, pass and key."""
    stack = bench.stack
    stack.serve(1, core=server_core())
    units = next(spec.units for spec in SELLING if spec.sale_id == SOLD_OUT)
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
    wait_until_paid(stack, SOLD_OUT, units)
    time.sleep(1.0)  # for the last confirmation to reach Redis, and the workers' snapshot

    send = buyers.refused(stack, SOLD_OUT, bench.pace.refused_buyers)

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

    yardsticks, values = interleave(bench.pace.rounds, bench.echo_rate, round_)
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

    yardsticks, values = interleave(bench.pace.rounds, bench.echo_rate, round_)
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
