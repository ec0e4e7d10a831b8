"""Which callback goes out when: late, lost, twice, overtaken, spoilt, again and again, the way WeChat does.

This is the office's side: it owns every notice until it is over and hands attempts to callers, each of which
has a bounded number in flight. Only 200 and 204 acknowledge; anything else repeats on WeChat's schedule (15
times over a day, scaled by a knob), then WeChat gives up. A spoilt attempt is followed by the right one on
that schedule whatever the merchant answered, and an answer that accepted it is counted. An acknowledged
notice is recorded before it is forgotten; what was not is sent again after a restart, also after a caller's.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from engine.simulator.faults import Faults, delay_s, draw, happens
from engine.simulator.notices import Notice
from engine.simulator.parcels import Flaw, Parcel

RETRIES_S = (15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600)
PLACES = 64  # How many callbacks a caller may have in flight; WeChat publishes no number.
_ACKNOWLEDGED = (200, 204)
_KNOBS = {flaw: f"callback_bad_{flaw}" for flaw in Flaw if flaw is not Flaw.NONE} | {Flaw.SIGNTEST: "callback_signtest"}


class CallerLost(Exception):
    """The caller ended before it could say how an attempt went; the attempt goes to another one."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    """`number` counts from 0. An echo is a duplicate: its answer changes nothing. `flaws` go out one by one first."""

    notice: Notice
    number: int = 0
    echo: bool = False
    flaws: tuple[Flaw, ...] = ()

    @property
    def flaw(self) -> Flaw:
        return self.flaws[0] if self.flaws else Flaw.NONE


@dataclass(slots=True)
class Tally:
    """What happened so far; `unfinished` notices still wait for an acknowledgement.

    `bad` and `bad_accepted` count spoilt attempts by flaw. An accepted one (200 or 204) points to a check that the
    merchant does not make, unless it merely says "received" to what it then ignores.
    """

    unfinished: int = 0
    attempts: int = 0
    acknowledged: int = 0
    failed: int = 0
    lost: int = 0
    late: int = 0
    overtaken: int = 0
    given_up: int = 0
    duplicates: int = 0
    resent: int = 0
    probes: int = 0
    probes_accepted: int = 0
    bad: dict[str, int] = field(default_factory=dict)
    bad_accepted: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Line:
    """One caller and how many attempts it has in flight."""

    send: Callable[[Parcel], Awaitable[int | None]]
    busy: int = 0


@dataclass(slots=True, eq=False)
class _Held:
    attempt: _Attempt
    still: int


class Callbacks:
    """`delivered` is told the id of each notice that is over, `signer` names the serial behind a knob's key."""

    def __init__(
        self,
        *,
        faults: Callable[[], Faults],
        delivered: Callable[[str], None],
        signer: Callable[[str, str], str],
        fresh_id: Callable[[], str],
    ) -> None:
        self.tally = Tally()
        self._faults = faults
        self._delivered = delivered
        self._signer = signer
        self._fresh_id = fresh_id
        self._loop = asyncio.get_running_loop()
        self._due: deque[_Attempt] = deque()
        self._held: list[_Held] = []
        self._lines: list[_Line] = []
        self._sending: set[asyncio.Task[None]] = set()
        self._open = True

    def add_caller(self, send: Callable[[Parcel], Awaitable[int | None]]) -> Callable[[], None]:
        """Give this caller its share of the work until the returned function is called."""
        line = _Line(send)
        self._lines.append(line)
        self._pump()
        return lambda: self._forget(line)

    def close(self) -> None:
        """Send nothing more and ignore how attempts in flight end."""
        self._open = False
        self._lines.clear()

    def post(self, notice: Notice, *, late: bool = False) -> None:
        """Take a notice; it goes out after its delay, or never when it is fated to be lost. `late` makes it late."""
        faults = self._faults()
        if self._strikes("callback_loss", notice):
            self.tally.lost += 1
            self._delivered(notice.id)
            return
        self.tally.unfinished += 1
        subject = _subject(notice)
        wait_s = delay_s(faults.callback_delay_ms, seed=faults.seed, knob="callback_delay_ms", subject=subject)
        if late or self._strikes("callback_late", notice):
            self.tally.late += 1
            wait_s += delay_s(faults.callback_late_ms, seed=faults.seed, knob="callback_late_ms", subject=subject)
        attempt = _Attempt(notice, flaws=self._flaws(notice))
        if self._strikes("callback_reorder", notice):
            held = _Held(attempt, faults.callback_reorder_count)
            self._held.append(held)
            self._loop.call_later(wait_s + faults.callback_reorder_most_ms / 1000, self._release, held)
        else:
            self._later(wait_s, attempt)
        if self._strikes("callback_duplicate", notice) and not self._after_acknowledgement(notice):
            self._later(wait_s, _Attempt(notice, echo=True))

    async def stop(self) -> None:
        """Drop what is in flight; unacknowledged notices stay in the ledger."""
        self.close()
        for sending in list(self._sending):
            sending.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)

    def _forget(self, line: _Line) -> None:
        if line in self._lines:
            self._lines.remove(line)

    def _later(self, wait_s: float, attempt: _Attempt) -> None:
        if wait_s <= 0:
            self._put(attempt)
        else:
            self._loop.call_later(wait_s, self._put, attempt)

    def _put(self, attempt: _Attempt) -> None:
        self._due.append(attempt)
        self._pump()

    def _release(self, held: _Held) -> None:
        if held in self._held:
            self._held.remove(held)
            self._put(held.attempt)

    def _pump(self) -> None:
        """Hand out what is due while a caller has a free place; the least busy one first."""
        while self._open and self._due and self._lines:
            line = min(self._lines, key=lambda line: line.busy)
            if line.busy >= PLACES:
                return
            attempt = self._due.popleft()
            line.busy += 1
            sending = self._loop.create_task(self._deliver(line, attempt))
            self._sending.add(sending)
            sending.add_done_callback(self._sending.discard)

    async def _deliver(self, line: _Line, attempt: _Attempt) -> None:
        self.tally.attempts += 1
        try:
            status = await line.send(self._parcel(attempt))
        except CallerLost:
            self.tally.resent += 1
            self._due.appendleft(attempt)
            self._forget(line)
        else:
            if self._open:
                self._judge(attempt, acknowledged=status in _ACKNOWLEDGED)
        finally:
            line.busy -= 1
        self._pump()

    def _parcel(self, attempt: _Attempt) -> Parcel:
        faults, notice = self._faults(), attempt.notice
        subject = f"{_subject(notice)} {attempt.number}"
        key = "public_key"
        if attempt.flaw is Flaw.EXPIRED:
            key = "certificate_expired"
        elif not happens(faults.callback_public_key, seed=faults.seed, knob="callback_public_key", subject=subject):
            second = happens(
                faults.callback_certificate_b, seed=faults.seed, knob="callback_certificate_b", subject=subject
            )
            key = "certificate_b" if second else "certificate_a"
        if attempt.number and not faults.callback_same_id:
            notice = replace(notice, id=self._fresh_id())
        return Parcel(
            notice=notice,
            signer=self._signer(key, notice.mchid),
            flaw=attempt.flaw,
            aad_empty=self._strikes("callback_aad_empty", notice),
            timeout_ms=faults.callback_timeout_ms,
        )

    def _judge(self, attempt: _Attempt, *, acknowledged: bool) -> None:
        notice = attempt.notice
        if attempt.flaw is Flaw.SIGNTEST:
            self.tally.probes += 1
            self.tally.probes_accepted += acknowledged
            self._due.append(_Attempt(notice, attempt.number, flaws=attempt.flaws[1:]))
        elif attempt.flaw is not Flaw.NONE:
            name = attempt.flaw.value
            self.tally.bad[name] = self.tally.bad.get(name, 0) + 1
            if acknowledged:
                self.tally.bad_accepted[name] = self.tally.bad_accepted.get(name, 0) + 1
            self._again(attempt)
        elif attempt.echo:
            self.tally.duplicates += 1
        elif acknowledged:
            self.tally.acknowledged += 1
            self._finish(notice)
            if self._strikes("callback_duplicate", notice) and self._after_acknowledgement(notice):
                self._later(self._faults().callback_delay_ms[1] / 1000, _Attempt(notice, echo=True))
        else:
            self.tally.failed += 1
            if attempt.number < len(RETRIES_S):
                self._again(attempt)
            else:
                self.tally.given_up += 1
                self._finish(notice)
        if attempt.number == 0 and not attempt.echo and not attempt.flaws:
            self._overtake()

    def _again(self, attempt: _Attempt) -> None:
        wait_s = RETRIES_S[attempt.number] * self._faults().callback_retry_scale
        self._later(wait_s, _Attempt(attempt.notice, attempt.number + 1, flaws=attempt.flaws[1:]))

    def _overtake(self) -> None:
        """A callback was sent: those held back have one less to wait for."""
        for held in list(self._held):
            held.still -= 1
            if held.still <= 0:
                self.tally.overtaken += 1
                self._release(held)

    def _finish(self, notice: Notice) -> None:
        self.tally.unfinished -= 1
        self._delivered(notice.id)

    def _flaws(self, notice: Notice) -> tuple[Flaw, ...]:
        return tuple(
            flaw
            for flaw, knob in _KNOBS.items()
            if (flaw is not Flaw.XML or notice.original_type == "refund") and self._strikes(knob, notice)
        )

    def _strikes(self, knob: str, notice: Notice) -> bool:
        """Luck is drawn for the business fact, so that a restart or a new notice id changes nothing."""
        faults = self._faults()
        return happens(getattr(faults, knob), seed=faults.seed, knob=knob, subject=_subject(notice))

    def _after_acknowledgement(self, notice: Notice) -> bool:
        return draw(self._faults().seed, "duplicate_after", _subject(notice)) < 0.5


def _subject(notice: Notice) -> str:
    return f"{notice.event_type} {notice.subject}"
