"""What a phone needs from whatever carries it: to ask, to wait, and to do two things at once.

The crowd is written once, as `async` functions over this port. `loop.py` carries it on asyncio, cheaply, thousands of
phones to a process; `greenlets.py` carries it on gevent, where nothing is ever awaited for real, inside Locust.

Latency counts from the moment at which the person meant to act (`due_s`), not from when this process got round to
it: a generator that is late must not make the server look good. A request that finds no answer is repeated with
growing pauses, never earlier than `retry_after_ms`; whoever asks must therefore send only what may be repeated.
Refusals are replies; an outage raises when patience ends.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import orjson
from yarl import URL

from loadtest.wires.network import Network

ATTEMPT_TIMEOUT_S = 8.0
"""From sending to the answer; the wait for a connection is not the engine's silence."""
BACKOFF_FIRST_S = 0.1
BACKOFF_MAX_S = 2.0
PATIENCE_S = 40.0
"""How long a phone repeats one request through outages before it tells its owner."""

Body = dict[str, Any]
Observer = Callable[[str, str, float], None]
"""Is told the kind of request, its outcome (a status, a code, or `outage:` and why) and the seconds it took."""

NOTHING_CAME = (OSError, TimeoutError, orjson.JSONDecodeError)
"""What a single attempt raises when no whole answer came."""

T = TypeVar("T")


class Outage(Exception):
    """Nobody answered, or only with 5xx, until the phone's patience ended."""


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: Body

    @property
    def outcome(self) -> str:
        """The status of a success, the code of a refusal."""
        return str(self.status if self.status < 400 else self.body.get("code", self.status))


class Signal(Protocol):
    """An event of either engine."""

    def set(self) -> Any: ...
    def clear(self) -> Any: ...


class Wire(ABC):
    """All connections of one process, and its clock."""

    def __init__(self, *, dice: random.Random, observer: Observer, network: Network | None = None) -> None:
        """`network` is what lies between phones and server; without one they stand beside each other."""
        self._dice = dice
        self._observer = observer
        self._network = network

    @abstractmethod
    def now(self) -> float:
        """Seconds of a clock that only goes forward."""

    @abstractmethod
    async def sleep(self, seconds: float, *, unless: Signal | None = None) -> None:
        """Wait; less long when the signal is set meanwhile."""

    @abstractmethod
    async def together(self, *works: Coroutine[Any, Any, T]) -> list[T]:
        """Do all of it at the same time; the results in the order given."""

    @abstractmethod
    def signal(self) -> Signal:
        """A new signal, not set."""

    @abstractmethod
    async def once(
        self, method: str, url: URL, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Reply:
        """Send one request once. Raises one of NOTHING_CAME when no whole answer comes."""

    async def ask(
        self,
        kind: str,
        method: str,
        url: URL,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        due_s: float | None = None,
    ) -> Reply:
        """Send a request that may be repeated, until an answer below 500 comes.

        `due_s` is when it was meant to be sent, by `now`. The observer hears of every outage on the way and once of
        the answer, with the time since then: that is what the buyer waited, the network between not counted. Raises
        Outage when patience ends.
        """
        now = self.now()
        started = min(now, due_s) if due_s is not None else now
        backoff_s = BACKOFF_FIRST_S
        while True:
            after_ms: object = None
            try:
                if self._network is None:
                    reply = await self.once(method, url, headers=headers, body=body)
                else:
                    travel_s = self._network.travel_s(self._dice)
                    await self.sleep(travel_s)
                    reply = await self.once(method, url, headers=headers, body=body)
                    started += travel_s
                    if self._network.drops(self._dice):
                        raise ConnectionError("dropped on the way back")
            except NOTHING_CAME as broken:
                outcome = "timeout" if isinstance(broken, TimeoutError) else "connection"
            else:
                outcome = reply.outcome
                if reply.status < 500:
                    self._observer(kind, outcome, self.now() - started)
                    return reply
                after_ms = reply.body.get("retry_after_ms")
            self._observer(kind, f"outage:{outcome}", self.now() - started)
            if self.now() - started > PATIENCE_S:
                raise Outage(f"{kind}: {outcome}")
            least_s = after_ms / 1000 if isinstance(after_ms, int) else 0.0
            await self.sleep(max(least_s, backoff_s * (0.5 + self._dice.random())))
            backoff_s = min(2 * backoff_s, BACKOFF_MAX_S)
