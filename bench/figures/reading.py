"""What costs no order: refusals and line polls, per core of one web worker."""

from __future__ import annotations

import socket
import time

from bench import buyers, requests
from bench.figures.common import (
    Bench,
    RoundSpoilt,
    generator_core,
    interleave,
    paid_count,
    server_core,
    wait_until_paid,
)
from bench.figures.lining import FEW_PEOPLE, MANY_PEOPLE, begin, fill
from bench.report import Figure, figure
from bench.sales import MANY, SOLD_OUT, SOLD_OUT_UNITS
from bench.shoppers import ErrandPlan, shop


def sell_out(bench: Bench) -> None:
    """Buy a sale empty, once: every unit is paid for, and the workers know it."""
    stack = bench.stack
    if paid_count(stack, SOLD_OUT) == SOLD_OUT_UNITS:
        return
    bought = shop(
        ErrandPlan(
            engine_port=stack.port,
            simulator_port=stack.simulator_port,
            errands=buyers.errands(stack, SOLD_OUT, SOLD_OUT_UNITS),
            shoppers=bench.pace.shoppers,
        )
    )
    if bought.done != SOLD_OUT_UNITS:
        raise RoundSpoilt(f"the sale could not be sold out: {bought.failed}")
    wait_until_paid(stack, SOLD_OUT, SOLD_OUT_UNITS)
    time.sleep(1.0)  # for the last confirmation to reach Redis, and the workers' snapshot


def refusals(bench: Bench) -> list[Figure]:
    """Sold out, told per second by one web worker on one core: each request another buyer, pass and key."""
    stack = bench.stack
    stack.serve(1, core=server_core())
    sell_out(bench)

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
    """The line document by one web worker on one core, and what Redis is asked meanwhile: with a few people waiting,
    and with a million."""
    stack = bench.stack
    send = [requests.line_poll(MANY)]
    asked_per_s: list[float] = []

    def round_() -> float:
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
        asked_per_s.append((stack.commands_run() - commands) / (time.monotonic() - began_at))
        return measured.per_s

    begin(bench)
    stack.serve(1, core=server_core())
    with_few = [(round_(), asked_per_s.pop())[1] for _ in range(bench.pace.rounds)]
    fill(bench)
    stack.serve(1, core=server_core())
    yardsticks, values = interleave(bench.pace.rounds, bench.echo_rate, round_)
    if bench.rounds["line polls"][0][1].seconds:
        bench.unit_costs["web_poll_us"] = bench.cost_us("line polls", of="web-")
    _weigh(bench)
    return [
        figure(
            f"line polls per core, {MANY_PEOPLE:,} waiting",
            values=values,
            yardsticks=yardsticks,
            unit="/s",
            against="echo/s on one core",
            target=0.90,
        ),
        figure(
            f"Redis commands under polls, {MANY_PEOPLE:,} waiting against {FEW_PEOPLE:,}",
            values=asked_per_s,
            yardsticks=with_few,
            unit="/s",
            against="/s",
            target=1.2,
            at_most=True,
        ),
    ]


def _weigh(bench: Bench) -> None:
    """The bytes of one answer on the wire, and of one that finds nothing new."""
    with socket.create_connection(("127.0.0.1", bench.stack.port), timeout=5) as wire:
        full = _exchange(wire, requests.line_poll(MANY))
        etag = full.partition(b"ETag: ")[2].partition(b"\r\n")[0].decode()
        unchanged = _exchange(wire, requests.line_poll(MANY, etag=etag))
    bench.unit_costs["poll_bytes"] = len(full)
    if unchanged.startswith(b"HTTP/1.1 304"):
        bench.unit_costs["poll_unchanged_bytes"] = len(unchanged)


def _exchange(wire: socket.socket, request: bytes) -> bytes:
    """A short answer comes in one piece."""
    wire.sendall(request)
    return wire.recv(65536)
