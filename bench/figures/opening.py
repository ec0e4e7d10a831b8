"""The doors open for a whole lobby, and the line is whole again after Redis has lost everything."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import time
from dataclasses import dataclass

import uvloop

from bench.crowds import Watched, gather, watching
from bench.doors import Door, called_member
from bench.figures.common import WEB_WORKERS, Bench, RoundSpoilt
from bench.report import Figure, figure
from bench.sales import DOORS, LOST
from bench.stack import Stack
from engine.line.draw.merkle import CHUNK
from engine.line.place import BUYER_BYTES, Place

DOORS_S = 2.0
RECOVERY_S = 10.0
RECOVERY_PEOPLE = 200_000
OPENS_IN_S = 3.0
# The seal, the ticks and the first pass are some hundred writes, however many people there are.
WRITES_EACH = 0.01
STATISTICS_LATE_S = 1.5
CHUNKS_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Opened:
    """One opening, in wall-clock seconds: the closing of the lobby, the first head, the first pass; and how many more
    rows PostgreSQL has written and commands Redis has run by then than they do while nothing happens."""

    closed_s: float
    called_s: float
    admitted_s: float
    writes: int


def doors(bench: Bench) -> list[Figure]:
    """From the closing of a lobby, which is the opening of its sale, to the first admission over HTTP."""
    stack, people = bench.stack, bench.pace.doors_people
    stack.serve(WEB_WORKERS)
    buyers = _people("doors", people)
    gather(stack, DOORS, buyers)
    opened = uvloop.run(_open(stack, DOORS, buyers))
    took_s = opened.admitted_s - opened.closed_s
    bench.unit_costs["postgres_entry_bytes"] = stack.ask_ledger(
        "select pg_total_relation_size('lobby_entries')::float8 / (select count(*) from lobby_entries)"
    )
    bench.console.print(
        f"  {people:,} people: the first are called {opened.called_s - opened.closed_s:.2f} s after the lobby closed, "
        f"the first pass is out after {took_s:.2f} s; {opened.writes:,} more rows and commands than idle"
    )
    return [
        figure(
            f"doors open for {people:,}: close to first admission",
            values=[took_s],
            yardsticks=[1.0],
            unit="s",
            against="s",
            target=DOORS_S,
            at_most=True,
        ),
        figure(
            "rows and Redis commands meanwhile, per member",
            values=[opened.writes / people],
            yardsticks=[1.0],
            unit="",
            against="",
            target=WRITES_EACH,
            at_most=True,
        ),
    ]


def recovery(bench: Bench) -> list[Figure]:
    """From kill -9 of Redis, whose files are removed, to the next admission; and whether a place is given twice."""
    stack, count = bench.stack, bench.pace.recovery_joins
    stack.serve(WEB_WORKERS)
    buyers = _people("lost", RECOVERY_PEOPLE)
    gather(stack, LOST, buyers)
    uvloop.run(_open(stack, LOST, buyers))
    door = Door(stack, LOST)
    before = uvloop.run(door.join_all(_people("before", count)))

    began_s = time.time()
    stack.valkey.kill()
    shutil.rmtree(stack.valkey.folder / "appendonlydir")
    stack.valkey.start()
    admitted_s = uvloop.run(_admitted_again(stack, LOST, buyers))

    again = uvloop.run(door.join_all(buyers[:count]))
    after = uvloop.run(door.join_all(_people("after", count)))
    if any(place.index != index for index, place in enumerate(again)):
        raise RoundSpoilt("recovery: people of the lobby were told another place than before")
    places = [(place.cohort, place.index) for place in [*before, *again, *after]]
    doubled = len(places) - len(set(places))
    bench.console.print(f"  admitting again {admitted_s - began_s:.2f} s after the kill, {doubled} places given twice")
    return [
        figure(
            f"Redis lost everything, {RECOVERY_PEOPLE:,} waiting: to the next admission",
            values=[admitted_s - began_s],
            yardsticks=[1.0],
            unit="s",
            against="s",
            target=RECOVERY_S,
            at_most=True,
        ),
        figure(
            f"places given twice, of {len(places):,}",
            values=[float(doubled)],
            yardsticks=[1.0],
            unit="",
            against="",
            target=0.0,
            at_most=True,
        ),
    ]


async def _open(stack: Stack, sale: str, buyers: list[bytes]) -> Opened:
    """Let the sale open in a moment, and come forward for the first who is called."""
    door = Door(stack, sale)
    async with watching(stack, sale) as watched:
        await _chunks_built(watched, len(buyers))
        closed_s = await watched.pool.fetchval(
            """update sales set opens_at = now() + $2 * interval '1 second' where sale_id = $1
               returning extract(epoch from opens_at)::float8""",
            sale,
            OPENS_IN_S,
        )
        idle_s, idle = time.monotonic(), await _written(stack, watched)
        await asyncio.sleep(closed_s - time.time())
        opening_s, before = time.monotonic(), await _written(stack, watched)
        idle_per_s = (before - idle) / (opening_s - idle_s)
        head = await door.head_beyond(0)
        called_s = time.time()
        admitted_s = await door.let_in(await _called(watched, buyers, head))
        await asyncio.sleep(STATISTICS_LATE_S)
        writes = await _written(stack, watched) - before - idle_per_s * (time.monotonic() - opening_s)
        return Opened(closed_s, called_s, admitted_s, max(0, round(writes)))


async def _admitted_again(stack: Stack, sale: str, buyers: list[bytes]) -> float:
    """Come forward for somebody who is called, as soon as the sale is there again."""
    async with watching(stack, sale) as watched:
        sight = await watched.drawn()
        return await Door(stack, sale).let_in(await _called(watched, buyers, sight.lanes[0].head))


async def _called(watched: Watched, buyers: list[bytes], head: int) -> Place:
    sight = await watched.drawn()
    return called_member(sight.lanes[0], watched.live.sale.sale_id, buyers, head=head, epoch=sight.epoch)


async def _chunks_built(watched: Watched, people: int) -> None:
    """As in a real lobby, where the last full chunk has been there for a while when it closes."""
    async with asyncio.timeout(CHUNKS_TIMEOUT_S):
        sale, built = watched.live.sale.sale_id, -1
        while built < people // CHUNK:
            built = await watched.pool.fetchval("select count(*) from lobby_chunks where sale_id = $1", sale)
            await asyncio.sleep(0.05)


async def _written(stack: Stack, watched: Watched) -> int:
    rows = await watched.pool.fetchval(
        "select tup_inserted + tup_updated + tup_deleted from pg_stat_database where datname = current_database()"
    )
    return int(rows) + stack.commands_run()


def _people(name: str, count: int) -> list[bytes]:
    return [hashlib.blake2b(f"{name} {one}".encode(), digest_size=BUYER_BYTES).digest() for one in range(count)]
