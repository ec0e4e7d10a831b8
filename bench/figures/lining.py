"""The line itself: what a person in it costs Redis, what a tick costs, and what it takes to compute a position."""

from __future__ import annotations

import hashlib
import secrets
import time

import uvloop

from bench.crowds import Watched, queue_up, watching
from bench.figures.common import Bench, RoundSpoilt
from bench.report import Figure, figure
from bench.sales import FEW, MANY
from bench.stack import Stack
from engine.line.codes import TickCode
from engine.line.draw.permutation import permuted
from engine.line.pacing.memory import Memory
from engine.line.pacing.pace import pace
from engine.line.pacing.scripts import PaceScripts
from engine.line.pacing.ticker import Beat, knobs_of

FEW_PEOPLE = 1_000
MANY_PEOPLE = 1_000_000
BYTES_EACH = 24.0
POSITION_US = 15.0
TICK_RATIO = 1.2
TICKS = 300
POSITIONS = 50_000


def line(bench: Bench) -> list[Figure]:
    """Memory, ticks and positions, with a million people in the line."""
    return [_memory(bench), *_ticks(bench), _positions(bench)]


def begin(bench: Bench) -> None:
    """Have a few people in both lines."""
    for sale in (FEW, MANY):
        if sale not in bench.begun:
            queue_up(bench.stack, sale, FEW_PEOPLE)
            bench.begun.add(sale)


def fill(bench: Bench) -> None:
    """Have a few people in one line and a million in another; what that million takes of Redis is noted."""
    stack = bench.stack
    if "redis_line_bytes" in bench.unit_costs:
        return
    stack.serve(0)
    begin(bench)
    script_us = stack.scripts()[1]
    bytes_before, began_at = _used_bytes(stack), time.monotonic()
    queue_up(stack, MANY, MANY_PEOPLE - FEW_PEOPLE)
    took_s = time.monotonic() - began_at
    joined = MANY_PEOPLE - FEW_PEOPLE
    bench.unit_costs["redis_line_bytes"] = (_used_bytes(stack) - bytes_before) / joined
    bench.unit_costs["redis_join_us"] = (stack.scripts()[1] - script_us) / joined
    bench.console.print(
        f"  {MANY_PEOPLE:,} people joined in {took_s:.1f} s, "
        f"{bench.unit_costs['redis_join_us']:.1f} us of Redis and {bench.unit_costs['redis_line_bytes']:.1f} bytes each"
    )


def _memory(bench: Bench) -> Figure:
    fill(bench)
    return figure(
        f"Redis memory per waiting buyer at {MANY_PEOPLE:,}",
        values=[bench.unit_costs["redis_line_bytes"]],
        yardsticks=[1.0],
        unit="bytes",
        against="byte",
        target=BYTES_EACH,
        at_most=True,
    )


def _ticks(bench: Bench) -> list[Figure]:
    """A look, the pacing and a tick, as a worker does them: Redis' time and the worker's own together."""
    fill(bench)
    bench.stack.serve(0)
    few, many = [], []
    for _ in range(bench.pace.rounds):
        few.append(uvloop.run(_tick_us(bench.stack, FEW)))
        many.append(uvloop.run(_tick_us(bench.stack, MANY)))
    middle = sorted(many)[len(many) // 2]
    bench.unit_costs["redis_look_us"], bench.unit_costs["redis_tick_us"] = middle[0], middle[1]
    bench.console.print(
        f"  at {MANY_PEOPLE:,} a look takes {middle[0]:.0f} us of Redis, a tick {middle[1]:.0f} us, "
        f"the worker {middle[2]:.0f} us for both"
    )
    return [
        figure(
            f"a look and a tick with {MANY_PEOPLE:,} waiting, against {FEW_PEOPLE:,}",
            values=[sum(one) for one in many],
            yardsticks=[sum(one) for one in few],
            unit="us",
            against="us",
            target=TICK_RATIO,
            at_most=True,
        )
    ]


async def _tick_us(stack: Stack, sale: str) -> tuple[float, float, float]:
    """Microseconds of one look in Redis, of one tick in Redis, and of this process for both with the pacing."""
    async with watching(stack, sale) as watched:
        scripts = PaceScripts(watched.store)
        await _turn(watched, scripts)
        began_us = stack.scripts()[1]
        for _ in range(TICKS):
            await watched.look()
        looked_s, looked_us = time.process_time(), stack.scripts()[1]
        for _ in range(TICKS):
            await _turn(watched, scripts)
        ended_s, ended_us = time.process_time(), stack.scripts()[1]
    look_us = (looked_us - began_us) / TICKS
    own_us = (ended_s - looked_s) * 1e6 / TICKS
    return look_us, (ended_us - looked_us) / TICKS - look_us, own_us


async def _turn(watched: Watched, scripts: PaceScripts) -> None:
    sight = await watched.look()
    if sight is None:
        raise RoundSpoilt("ticks: the sale is fenced")
    paced = pace(sight, Memory.unpack(sight.pace), knobs_of(watched.live.sale, Beat()))
    ticked = await scripts.tick(watched.live, sight.epoch, sight.tick, paced.move)
    if ticked.code is not TickCode.TICKED:
        raise RoundSpoilt(f"ticks: {ticked.code.name}")


def _positions(bench: Bench) -> Figure:
    """Positions of people all over the lobby, the first ones under a fresh seed included."""
    values, hashes = [], []
    for _ in range(bench.pace.rounds):
        seed = secrets.token_bytes(32)
        indexes = [secrets.randbelow(MANY_PEOPLE) for _ in range(POSITIONS)]
        began_s = time.process_time()
        for index in indexes:
            permuted(seed, index, MANY_PEOPLE)
        values.append((time.process_time() - began_s) * 1e6 / POSITIONS)
        began_s = time.process_time()
        for index in indexes:
            hashlib.sha256(seed + index.to_bytes(4, "big")).digest()
        hashes.append((time.process_time() - began_s) * 1e6 / POSITIONS)
    bench.console.print(f"  a position costs as much as {values[-1] / hashes[-1]:.1f} hashes")
    return figure(
        f"a member's position among {MANY_PEOPLE:,}",
        values=values,
        yardsticks=[1.0] * len(values),
        unit="us",
        against="us",
        target=POSITION_US,
        at_most=True,
    )


def _used_bytes(stack: Stack) -> int:
    """What Redis has in use, without what its connections and its append-only file buffer at this moment."""
    with stack.valkey.client() as client:
        memory = client.info("memory")
    return int(memory["used_memory"]) - int(memory["mem_clients_normal"]) - int(memory["mem_aof_buffer"])
