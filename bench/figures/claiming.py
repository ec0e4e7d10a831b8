"""Coming forward: what a look at the own place and a pass cost. Nothing is judged; `floodgate plan` needs to know."""

from __future__ import annotations

import asyncio
import time

import uvloop

from bench import buyers
from bench.crowds import Watched, joined, watching
from bench.figures.common import Bench, RoundSpoilt, generator_core, server_core
from bench.report import Figure
from bench.sales import MANY, TILL
from bench.stack import Stack
from engine.line.admission.desk import AdmissionDesk, Admitted
from engine.line.admission.ledger import AdmissionLedger
from engine.line.admission.passes import Passes
from engine.line.codes import TickCode
from engine.line.pacing.scripts import Move, PaceScripts

PEOPLE = 10_000
AT_ONCE = 250


def claims(bench: Bench) -> list[Figure]:
    """Looks at the own place over HTTP, by one worker on one core; then passes for people who are called."""
    stack = bench.stack
    stack.serve(1, core=server_core())
    send = buyers.positions(stack, MANY, bench.pace.refused_buyers)
    for _ in range(bench.pace.rounds):
        bench.load(
            "own positions",
            port=stack.port,
            send=send,
            expect=200,
            marker=b'"ahead"',
            pids=stack.pids,
            core=generator_core(),
        )
    stack.serve(0)
    desk_us, redis_us = uvloop.run(_let_through(stack))
    bench.console.print(f"  a pass: {redis_us:.1f} us of Redis, {desk_us:.1f} us of the worker beside HTTP")
    bench.unit_costs["redis_claim_us"] = redis_us
    if bench.rounds["own positions"][0][1].seconds:
        bench.unit_costs["web_position_us"] = bench.cost_us("own positions", of="web-")
        bench.unit_costs["web_claim_us"] = bench.unit_costs["web_position_us"] + desk_us
    return []


async def _let_through(stack: Stack) -> tuple[float, float]:
    """Microseconds of this process and of Redis for each pass, written down in PostgreSQL as ever."""
    async with watching(stack, TILL) as watched:
        places = [place async for batch in joined(watched, PEOPLE) for place in batch]
        await _call_all(watched, places[-1].index + 1)
        desk = AdmissionDesk(
            watched.live,
            Passes(watched.store),
            AdmissionLedger(watched.pool),
            limit=lambda: 1_000_000,
            pass_ms=120_000,
            batch_count_max=AT_ONCE,
            queue_count_max=PEOPLE,
        )
        began_s, began_us = time.process_time(), stack.scripts()[1]
        for at in range(0, PEOPLE, AT_ONCE):
            told = await asyncio.gather(*(desk.claim(place, place.index) for place in places[at : at + AT_ONCE]))
            refused = [one for one in told if not isinstance(one, Admitted)]
            if refused:
                raise RoundSpoilt(f"passes: {refused[0]}")
        spent_s = time.process_time() - began_s
        return spent_s * 1e6 / PEOPLE, (stack.scripts()[1] - began_us) / PEOPLE


async def _call_all(watched: Watched, head: int) -> None:
    """One tick that calls everybody, whatever the pace."""
    scripts, sight = PaceScripts(watched.store), await watched.drawn()
    move = Move(heads=(head,), called=(head,), pace=sight.pace, checkpoint=True, drop_count=0)
    ticked = await scripts.tick(watched.live, sight.epoch, sight.tick, move)
    if ticked.code is not TickCode.TICKED:
        raise RoundSpoilt(f"passes: {ticked.code.name}")
