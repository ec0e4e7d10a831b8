"""The master's side of handing over: who began a round, whose books are in, and waiting for the others."""

from __future__ import annotations

import time
from typing import Any

import gevent
from locust.runners import STATE_MISSING, LocalRunner, MasterRunner

from loadtest.locusts.handing import Books, Gathering
from loadtest.locusts.player import HOME

BOOKS_MAX_S = 60.0
"""So long the master waits for the books of workers that are still there."""
LOOK_S = 0.05


class Collection:
    """One round's. The listeners are called as Locust calls them."""

    def __init__(self, runner: LocalRunner | MasterRunner, *, number: int) -> None:
        self._runner = runner
        self._number = number
        self._begun: dict[str, str] = {}
        self._gathering = Gathering()

    @property
    def books(self) -> dict[str, Books]:
        return self._gathering.books

    def hear_begun(self, msg: Any) -> None:
        if msg.data["round"] == self._number:
            self._begun[msg.node_id] = msg.data["trouble"]

    def hear_books(self, msg: Any) -> None:
        if msg.data["round"] == self._number:
            part, parts, piece = msg.data["part"], msg.data["parts"], msg.data["piece"]
            self._gathering.take(msg.node_id, part=part, parts=parts, piece=piece)

    def take(self, client_id: str, books: Books) -> None:
        """The books of the process that this one is itself."""
        self._gathering.books[client_id] = books

    def missing(self, expected: set[str]) -> list[str]:
        """Workers, of those expected or heard of, whose books are not in."""
        return sorted((expected | self._begun.keys()) - self.books.keys())

    def wait(self) -> None:
        """Ask the workers that owe books for them, and wait. Nobody waits for a worker that is gone."""
        runner = self._runner
        if not isinstance(runner, MasterRunner):
            return
        until = time.monotonic() + BOOKS_MAX_S
        asked: set[str] = set()
        while time.monotonic() < until:
            there = {worker.id for worker in runner.clients.values() if worker.state != STATE_MISSING}
            owing = {worker for worker, trouble in self._begun.items() if not trouble and worker in there}
            owing -= self.books.keys()
            if not owing:
                return
            for worker in owing - asked:
                runner.send_message(HOME, client_id=worker)
            asked |= owing
            gevent.sleep(LOOK_S)
