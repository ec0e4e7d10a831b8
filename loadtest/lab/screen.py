"""What a person sees of a run: a live view in a terminal, one plain line every two seconds elsewhere.

Its end has a page of its own, `ending.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from rich.console import Console
from rich.live import Live

from loadtest.lab.drawing import line, panel
from loadtest.lab.playing import Chapter
from loadtest.lab.tally import Tally
from loadtest.lab.view import view_of
from loadtest.profiles.profile import Profile

PLAIN_EVERY_S = 2.0
SHOW_S = 0.5


class Screen:
    def __init__(self, console: Console, *, is_live: bool) -> None:
        self._console = console
        self._is_live = is_live

    def say(self, sentence: str) -> None:
        """One line that stays."""
        self._console.print(sentence, highlight=False, soft_wrap=True, markup=False)

    @contextlib.contextmanager
    def following(self, profile: Profile, chapter: Chapter) -> Iterator[None]:
        """Show the run until the context ends."""
        live = Live(console=self._console, auto_refresh=False, transient=True) if self._is_live else None
        task = asyncio.get_running_loop().create_task(self._follow(profile, chapter, live))
        try:
            with live if live is not None else contextlib.nullcontext():
                yield
        finally:
            task.cancel()

    async def _follow(self, profile: Profile, chapter: Chapter, live: Live | None) -> None:
        tally = Tally()
        while True:
            view = view_of(profile, chapter, tally)
            if live is not None:
                live.update(panel(view), refresh=True)
            else:
                self.say(line(view))
            await asyncio.sleep(SHOW_S if live is not None else PLAIN_EVERY_S)
