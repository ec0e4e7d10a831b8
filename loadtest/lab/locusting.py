"""Locust as the generator of a run: headless, along the profile's own curve, its books handed over in a folder."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

from loadtest.lab.generators import GeneratorDied, last_words
from loadtest.lab.live import Live
from loadtest.lab.talk import Moment, Scene
from loadtest.lab.target import OWN
from loadtest.locusts import handing
from loadtest.profiles.profile import ClosedArrivals, Profile
from loadtest.recording.record import Record

END_S = 10.0


class LocustLoop:
    """A Generator; see `lab.generators.Generator`. What it measured is known only when it is over."""

    engine = "locust"
    lead_s = 8.0
    """It starts when the sale is there, and needs so long until its first user may come."""

    def __init__(self, profile: Profile, *, processes: int, folder: Path, owned: bool) -> None:
        self.live = Live()
        self._profile = profile
        self._processes = processes
        self._folder = folder
        self._books = folder / "locust"
        self._log = folder / "logs" / "locust.log"
        self._owned = owned
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pids(self) -> dict[str, int]:
        process = self._process
        return {} if process is None or process.returncode is not None else {"generator": process.pid}

    async def start(self) -> None:
        return None

    async def play(self, scene: Scene) -> None:
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command(scene),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        # Its exit status is its own verdict; ours comes from its books.
        status = await self._process.wait()
        if not (self._books / "handed.json").exists():
            raise GeneratorDied(f"Locust ended with status {status} and left no books{last_words(self._log)}")

    def _command(self, scene: Scene) -> list[str]:
        profile = self._profile
        is_open = not isinstance(profile.arrivals, ClosedArrivals)
        return [
            *(sys.executable, "-m", "loadtest.locusts", "--headless", "--host", scene.public_url),
            *("--story-file", str(self._folder / "profile.toml"), "--seed", str(profile.seed)),
            *("--scale", f"{profile.scale.people:g}", "--pace", f"{profile.scale.pace:g}"),
            *("--sale", scene.sale, "--wechat", scene.wechat_url),
            *("--arrivals", "open" if is_open else "closed", "--shape", "none" if is_open else "story"),
            *("--run-time", f"{self.lead_s + profile.lobby_s + profile.run.after_opening_s + 30:.0f}s"),
            *("--record-to", str(self._books), "--processes", str(self._processes)),
            *([OWN] if self._owned else []),
        ]

    def send_home(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)

    async def stop(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(END_S):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    def heard(self) -> tuple[Record, list[bytes], int]:
        """Raises GeneratorDied when a worker's books are missing: nothing can be proved from the others."""
        handed = handing.read(self._books)
        if handed.missing:
            raise GeneratorDied(f"the books of {', '.join(handed.missing)} are missing (log: {self._log})")
        for number, (_, beats) in enumerate(sorted(handed.beats.items())):
            self.live.moments[f"generator-{number}"] = [
                Moment(beat.wall_s, beat.cpu_share, beat.lag_s, 0, {}, b"") for beat in beats
            ]
        return handed.record, handed.testimonies, handed.line_reads
