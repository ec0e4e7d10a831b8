"""What a person sees of a run."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from loadtest.lab.playing import Chapter
from loadtest.profiles.profile import Profile
from loadtest.report.model import Report

PLAIN_EVERY_S = 2.0


class Screen:
    def __init__(self, console: Console, *, is_live: bool) -> None:
        self._console = console
        self._is_live = is_live

    def say(self, sentence: str) -> None:
        """One line that stays."""
        self._console.print(sentence, highlight=False, soft_wrap=True, markup=False)

    @contextlib.contextmanager
    def following(self, profile: Profile, chapter: Chapter) -> Iterator[None]:
        task = asyncio.get_running_loop().create_task(self._follow(chapter))
        try:
            yield
        finally:
            task.cancel()

    async def _follow(self, chapter: Chapter) -> None:
        while True:
            clock = "" if chapter.opens_at_s is None else f"{time.time() - chapter.opens_at_s:+.1f} s "
            self.say(f"{clock}{chapter.name} {chapter.live.underway if chapter.live else 0}")
            await asyncio.sleep(PLAIN_EVERY_S)

    def verdict(self, report: Report, folder: Path, *, has_verdict: bool) -> None:
        self.say(f"{report.passed} {report.headline} {folder}")
        for reason in report.audit.reasons:
            self.say(reason)
