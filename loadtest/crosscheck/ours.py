"""Our own wire doing what autocannon does: `python -m loadtest.crosscheck.ours`, shots on stdin, findings on stdout.

A process of its own, as autocannon is, so that neither shares a core with whoever watches the run. The wire is the one
that carries the crowd; only the schedule is different here.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from dataclasses import asdict

import orjson
import uvloop
from hdrh.histogram import HdrHistogram
from yarl import URL

from loadtest.crosscheck.shots import Measured, Shot
from loadtest.recording.recorder import VALUE_MAX_US, histogram
from loadtest.wires.loop import LoopWire
from loadtest.wires.port import NOTHING_CAME


class _Firing:
    """One shot while it is fired."""

    def __init__(self, shot: Shot, wire: LoopWire) -> None:
        self._shot = shot
        self._wire = wire
        self._url = URL(shot.url, encoded=True)
        self._began_s = wire.now()
        self._from_s = self._began_s + shot.lead_s
        self._until_s = self._from_s + shot.seconds
        self._interval_us = round(shot.connections / shot.rate_per_s * 1e6) if shot.rate_per_s else 0
        self._latencies: HdrHistogram = histogram()
        self._count = 0
        self._failed = 0

    async def fire(self) -> Measured:
        shot = self._shot
        connect = self._pulse if shot.rate_per_s else self._flat_out
        connections = asyncio.gather(*(connect() for _ in range(shot.connections)))
        await asyncio.sleep(self._from_s - self._wire.now())
        cpu_s = time.process_time()
        await asyncio.sleep(self._until_s - self._wire.now())
        cpu_s = time.process_time() - cpu_s
        await connections
        return Measured(
            per_s=self._count / shot.seconds,
            p50_ms=self._latencies.get_value_at_percentile(50) / 1e3,
            p99_ms=self._latencies.get_value_at_percentile(99) / 1e3,
            cpu_share=cpu_s / shot.seconds,
            failed=self._failed,
        )

    async def _pulse(self) -> None:
        second = 0
        while (begins_s := self._began_s + second) < self._until_s:
            await asyncio.sleep(begins_s - self._wire.now())
            for _ in range(self._shot.rate_per_s // self._shot.connections):
                await self._once()
            second += 1

    async def _flat_out(self) -> None:
        while self._wire.now() < self._until_s:
            await self._once()

    async def _once(self) -> None:
        sent_s = self._wire.now()
        try:
            reply = await self._wire.once("GET", self._url, headers=self._shot.headers)
        except NOTHING_CAME:
            self._failed += 1
            return
        now_s = self._wire.now()
        if not self._from_s <= now_s < self._until_s:
            return
        if reply.status != 200:
            self._failed += 1
            return
        self._count += 1
        value_us = min(max(1, round((now_s - sent_s) * 1e6)), VALUE_MAX_US)
        if self._interval_us:
            self._latencies.record_corrected_value(value_us, self._interval_us)
        else:
            self._latencies.record_value(value_us)


async def fire_all(shots: list[Shot]) -> list[Measured]:
    """One after the other, each over connections of its own."""
    found = []
    for shot in shots:
        async with LoopWire(dice=random.Random(0), observer=lambda *_: None) as wire:
            found.append(await _Firing(shot, wire).fire())
    return found


def main() -> None:
    shots = [Shot(**row) for row in orjson.loads(sys.stdin.buffer.read())]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(fire_all(shots))
    sys.stdout.buffer.write(orjson.dumps([asdict(one) for one in found]))


if __name__ == "__main__":
    main()
