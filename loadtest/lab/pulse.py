"""What one process of the generator costs and how late it is, told twice a second beside the seconds that closed."""

from __future__ import annotations

import asyncio
import sys
import time

from loadtest.lab.sending import Crowd
from loadtest.lab.talk import Moment
from loadtest.recording.record import Record

LIVE_S = 0.5
BEAT_S = 0.05
"""How often the own lateness is felt."""


class Pulse:
    """What this process costs, and how late it is."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._lag_s = 0.0
        self._told = 0
        self._at = time.monotonic()
        self._cpu_s = time.process_time()

    async def feel(self) -> None:
        while True:
            due_s = time.monotonic() + BEAT_S
            await asyncio.sleep(BEAT_S)
            self._lag_s = max(self._lag_s, time.monotonic() - due_s)

    async def tell(self) -> None:
        while True:
            await asyncio.sleep(LIVE_S)
            say(self.moment().line())

    def moment(self) -> Moment:
        now, cpu_s = time.monotonic(), time.process_time()
        share = (cpu_s - self._cpu_s) / max(1e-6, now - self._at)
        lag_s, self._lag_s, self._at, self._cpu_s = self._lag_s, 0.0, now, cpu_s
        return Moment(
            wall_s=time.time(),
            cpu_share=round(share, 4),
            lag_s=round(lag_s, 4),
            underway=len(self._crowd.underway),
            stages={stage.name: count for stage, count in self._crowd.journal.stages.items()},
            seconds=self._closed(),
        )

    def _closed(self) -> bytes:
        """The seconds that closed since the last time."""
        seconds = self._crowd.recorder.seconds
        closed = sorted(seconds)[:-1]
        fresh = {at: seconds[at] for at in closed if at > self._told}
        self._told = max(fresh, default=self._told)
        return Record(fresh).packed()


def say(line: bytes) -> None:
    """To the process that judges."""
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
