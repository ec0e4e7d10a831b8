"""The processes of the open loop, as the process that judges holds them: started, heard, and ended.

None outlives the run: each ends when the pipe to it closes, by whatever end of ours.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Protocol

import orjson

from loadtest.lab.live import Live
from loadtest.lab.talk import HOME, Moment, Plan, Scene, testimony_in
from loadtest.profiles.profile import Profile
from loadtest.recording.record import Record

LINE_MAX = 1 << 24
END_S = 5.0
TAIL_LINES = 12


class GeneratorDied(Exception):
    """A process of the generator ended before its people did: there is no verdict. The message has its last words."""


class Generator(Protocol):
    """Whatever plays the crowd."""

    engine: str
    live: Live
    lead_s: float
    """How long it needs between the sale's being there and the first arrival."""

    @property
    def pids(self) -> dict[str, int]:
        """Process to its id, as long as they live."""

    async def start(self) -> None:
        """Everything that can be done before the sale is there."""

    async def play(self, scene: Scene) -> None:
        """Send the crowd out; returns when everybody is back. Raises GeneratorDied."""

    def send_home(self) -> None:
        """End the run before its time; `play` returns soon."""

    async def stop(self) -> None:
        """Leave no process behind; safe at any time."""

    def heard(self) -> tuple[Record, list[bytes], int]:
        """After `play`: what was measured, what people were told (testimonies), how often the document was looked
        at."""


class OpenLoop:
    """A Generator of several processes, each playing every n-th visitor."""

    engine = "open loop"
    lead_s = 0.0

    def __init__(self, profile: Profile, *, processes: int, folder: Path) -> None:
        """`folder` is for logs and testimonies."""
        self.live = Live()
        self._profile = profile
        self._folder = folder
        self._parts = [_Part(number, folder) for number in range(processes)]

    @property
    def pids(self) -> dict[str, int]:
        return {part.name: part.process.pid for part in self._parts if part.process is not None}

    async def start(self) -> None:
        for part in self._parts:
            await part.start(self._profile, parts=len(self._parts))
        await asyncio.gather(*(part.ready() for part in self._parts))

    async def play(self, scene: Scene) -> None:
        for part in self._parts:
            part.tell(scene.line())
        playing = [asyncio.create_task(part.follow(self.live)) for part in self._parts]
        try:
            await asyncio.gather(*playing)
        finally:
            for task in playing:
                task.cancel()

    def send_home(self) -> None:
        for part in self._parts:
            part.tell(HOME)

    async def stop(self) -> None:
        await asyncio.gather(*(part.stop() for part in self._parts))

    def heard(self) -> tuple[Record, list[bytes], int]:
        record, testimonies, reads = Record(), [], 0
        for part in self._parts:
            testimony, measured, looked = testimony_in(part.testimony.read_bytes())
            record.add(Record.unpacked(measured))
            testimonies.append(testimony)
            reads += looked
            part.testimony.unlink()
        return record, testimonies, reads


class _Part:
    """One process."""

    def __init__(self, number: int, folder: Path) -> None:
        self.name = f"generator-{number}"
        self.testimony = folder / f"{self.name}.testimony"
        self.process: asyncio.subprocess.Process | None = None
        self._number = number
        self._log = folder / f"{self.name}.log"

    async def start(self, profile: Profile, *, parts: int) -> None:
        with self._log.open("wb") as log:
            self.process = await _spawn([sys.executable, "-m", "loadtest.lab.process"], log)
        plan = Plan(profile=profile, part=self._number, parts=parts, testimony=str(self.testimony))
        self.tell(plan.line())

    async def ready(self) -> None:
        await self._next("ready")

    async def follow(self, live: Live) -> None:
        """Hear it until it has testified."""
        while True:
            word, said = await self._heard()
            if word == "live":
                live.hear(self.name, Moment.read(said))
            elif word == "done":
                return

    def tell(self, line: bytes) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        with contextlib.suppress(ConnectionError):
            self.process.stdin.write(line)

    async def stop(self) -> None:
        if self.process is None:
            return
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            async with asyncio.timeout(END_S):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()

    async def _next(self, wanted: str) -> None:
        while (await self._heard())[0] != wanted:
            pass

    async def _heard(self) -> tuple[str, dict[str, Any]]:
        assert self.process is not None
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        if not line:
            status = await self.process.wait()
            raise GeneratorDied(f"{self.name} ended with status {status} before its people did{last_words(self._log)}")
        ((word, said),) = orjson.loads(line).items()
        return word, said


def last_words(log: Path) -> str:
    """The end of what a process wrote, to put behind a sentence."""
    lines = log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
    return "".join(f"\n    {line}" for line in lines) + f"\n  (log: {log})"


async def _spawn(command: Sequence[str], log: IO[bytes]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=log,
        limit=LINE_MAX,
        start_new_session=True,
    )
