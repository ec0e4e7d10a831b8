"""A front's or caller's hold on the office: one link, made again whenever the ledger process starts again.

A question that finds no link waits a while for the next one, since nothing has been asked yet; a question that
was on its way when the link broke is never asked twice.
"""

import asyncio
from pathlib import Path
from typing import Any

from engine.simulator.processes.links import Link, Serve

AWAY_S = 5.0  # How long a question waits for a ledger process that is starting.
RETRY_S = 0.02


class Reach:
    """`hello` is the first thing said on every link; `serve` answers what the office asks."""

    def __init__(self, socket: Path, *, hello: object, serve: Serve) -> None:
        self._socket = socket
        self._hello = hello
        self._serve = serve
        self._stopped = False
        self._link: asyncio.Future[Link] = asyncio.get_running_loop().create_future()
        self._connecting = asyncio.create_task(self._connect())

    async def ready(self) -> None:
        """Return once the office knows us."""
        await asyncio.shield(self._link)

    async def ask(self, question: object) -> Any:
        """The answer. Raises LinkLost, TimeoutError when there is no office for AWAY_S, or RemoteError."""
        if self._link.done():
            return await self._link.result().ask(question)
        link = await asyncio.wait_for(asyncio.shield(self._link), AWAY_S)
        return await link.ask(question)

    async def stop(self) -> None:
        self._stopped = True
        self._connecting.cancel()
        if self._link.done():
            self._link.result().close()
        else:
            self._link.cancel()

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                _, link = await loop.create_unix_connection(lambda: Link(self._serve, self._broken), str(self._socket))
                await link.ask(self._hello)
            except OSError:
                await asyncio.sleep(RETRY_S)
                continue
            if link.is_up:
                self._link.set_result(link)
                return

    def _broken(self, link: Link) -> None:
        """Make a new link for one that was in use; one that broke before is tried again anyway."""
        if not self._stopped and self._link.done() and self._link.result() is link:
            loop = asyncio.get_running_loop()
            self._link = loop.create_future()
            self._connecting = loop.create_task(self._connect())
