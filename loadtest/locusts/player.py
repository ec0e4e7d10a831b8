"""Where people play: in every worker, or in the one process of a Locust without workers.

It begins a round when Locust starts a test, tells of it while it runs, and hands over the books when everybody has
gone: to the master in parts, or to the director beside it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from locust.runners import LocalRunner, WorkerRunner

from loadtest.locusts.handing import Books, parts_of
from loadtest.locusts.rounds import Round
from loadtest.locusts.terms import KEY, Terms
from loadtest.wires.port import Outage

if TYPE_CHECKING:
    from locust.env import Environment

log = logging.getLogger("floodgate")

BEGUN = "floodgate-begun"
BOOKS = "floodgate-books"
HOME = "floodgate-home"
LIVE = "floodgate"
"""Under this name the live counts lie in Locust's reports to the master."""


class Failed(Exception):
    """Nothing came; for Locust's list of failures."""


class Player:
    def __init__(self, environment: Environment, *, deliver: Callable[[str, Books], None] | None = None) -> None:
        """`deliver` takes the books where there is no master."""
        assert isinstance(environment.runner, LocalRunner | WorkerRunner)
        self._environment = environment
        self._runner = environment.runner
        self._deliver = deliver
        self.round: Round | None = None

    @property
    def name(self) -> str:
        return str(self._runner.client_id)

    def begin(self) -> None:
        """Begin the round that the terms among Locust's options describe; none without terms."""
        said = vars(self._environment.parsed_options).get(KEY)
        if said is None:
            return
        terms = Terms.unpacked(said)
        begun = Round(terms, client_id=self.name, index=max(0, int(self._runner.worker_index)), tell=self._tell)
        try:
            begun.begin()
        except Outage as trouble:
            log.error("This worker cannot play: %s", trouble)
            self._say(BEGUN, {"round": terms.number, "trouble": str(trouble)})
            return
        self.round = begun
        self._say(BEGUN, {"round": terms.number, "trouble": ""})

    def report(self, report: dict[str, Any]) -> None:
        """Add what happened since the last time to what the master is told."""
        if self.round is not None:
            beat = self.round.beats[-1] if self.round.beats else None
            report[LIVE] = {
                "rows": self.round.live(),
                "beat": None if beat is None else [beat.wall_s, beat.cpu_share, beat.lag_s],
            }

    def end(self) -> None:
        """Hand over the books; nothing without a round."""
        ended, self.round = self.round, None
        if ended is None:
            return
        books = ended.end()
        if self._deliver is not None:
            self._deliver(self.name, books)
            return
        parts = parts_of(books.packed())
        for n, piece in enumerate(parts):
            self._say(BOOKS, {"round": ended.terms.number, "part": n, "parts": len(parts), "piece": piece})

    def go_home(self, environment: Environment, msg: Any) -> None:
        """The master wants the books before it ends."""
        self._runner.stop()

    def _say(self, kind: str, words: dict[str, Any]) -> None:
        if isinstance(self._runner, WorkerRunner):
            self._runner.send_message(kind, words)

    def _tell(self, method: str, name: str, elapsed_s: float, size: int, wrong: str | None) -> None:
        self._environment.events.request.fire(  # type: ignore[no-untyped-call]
            request_type=method,
            name=name,
            response_time=elapsed_s * 1000,
            response_length=size,
            exception=None if wrong is None else Failed(wrong),
            context={},
        )


_PLAYERS: WeakKeyDictionary[Environment, Player] = WeakKeyDictionary()


def keep_player(environment: Environment, player: Player) -> None:
    _PLAYERS[environment] = player


def round_of(environment: Environment) -> Round | None:
    """The round that runs in this process; None when there is none."""
    player = _PLAYERS.get(environment)
    return None if player is None else player.round
