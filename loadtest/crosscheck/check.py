"""The cross-check of a run: our wire and autocannon read the same addresses in turns, and the report has both.

It asks for nothing but reads, so it changes nothing that the audit compares; it belongs into an idle moment, before the
crowd or after it. Without Node there is none, and the report says so.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import orjson

from loadtest.crosscheck import agreeing, node
from loadtest.crosscheck.node import NotMade
from loadtest.crosscheck.shots import Measured, Shot
from loadtest.report.model import CrossCheck

__all__ = ["NotMade", "Read", "cross_check"]

CACHE = Path(".run/crosscheck")
CONNECTIONS = 10
WARM_UP_S = 0.5
GRACE_S = 20.0
"""Beyond the time of its shots, for a generator to start and to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """An address that anybody may read again and again. `path`: as the report calls it."""

    path: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)


async def cross_check(
    reads: Sequence[Read], *, seconds: int = 1, rounds: int = 3, rate_per_s: int = 400, cache: Path = CACHE
) -> list[CrossCheck]:
    """One row for each read.

    It takes about 2 x rounds x (1.5 + rows x (seconds + 0.5)) seconds. `rate_per_s` becomes a multiple of CONNECTIONS.
    Raises NotMade where the other generator cannot be had or does not work.
    """
    theirs = await node.command(cache)
    ours = [sys.executable, "-m", "loadtest.crosscheck.ours"]
    rate_per_s = max(1, round(rate_per_s / CONNECTIONS)) * CONNECTIONS
    plan = [
        (
            read,
            Shot(url=read.url, headers=read.headers, connections=CONNECTIONS, rate_per_s=rate_per_s, seconds=seconds),
        )
        for read in reads
    ]
    # Whatever compiles itself while it runs, on either side, does so in a first shot that nobody judges.
    warm_up = replace(plan[0][1], rate_per_s=0, lead_s=0.0, seconds=WARM_UP_S)
    shots = [warm_up, *(shot for _, shot in plan)]
    found = [
        (await _fired(ours, shots, who="our own generator"), await _fired(theirs, shots, who=node.TOOL))
        for _ in range(rounds)
    ]
    return [
        agreeing.judged(
            read.path,
            shot,
            ours=[mine[number] for mine, _ in found],
            theirs=[other[number] for _, other in found],
            tool=node.TOOL,
        )
        for number, (read, shot) in enumerate(plan, start=1)
    ]


async def _fired(command: Sequence[str], shots: Sequence[Shot], *, who: str) -> list[Measured]:
    """Start a generator, give it the shots, and read what it measured."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(sum(shot.lead_s + shot.seconds + 1 for shot in shots) + GRACE_S):
            said, complaint = await process.communicate(orjson.dumps([asdict(shot) for shot in shots]))
    except TimeoutError:
        raise NotMade(f"{who} did not come to an end") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        words = complaint.decode(errors="replace").strip()[-node.COMPLAINT_CHARS :]
        raise NotMade(f"{who} ended with status {process.returncode}: {words}")
    return [Measured(**row) for row in orjson.loads(said)]
