"""Which callback goes out when: late, lost, twice, overtaken, spoilt, again and again, the way WeChat does.

This is the office's side: it owns every notice until it is over and gives its attempts to the dispatch. Only
200 and 204 acknowledge; anything else repeats on WeChat's schedule (15 times over a day, scaled by a knob),
then WeChat gives up. A spoilt attempt is followed by the right one on that schedule whatever the merchant
answered, and an answer that accepted it is counted. An acknowledged notice is recorded before it is
forgotten; what was not is sent again after a restart, also after a caller's.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from engine.simulator.luck.faults import Faults, delay_s, draw, happens
from engine.simulator.office.dispatch import Attempt, Dispatch, Send
from engine.simulator.pay.notices import Notice
from engine.simulator.pay.parcels import Flaw, Parcel

RETRIES_S = (15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600)
_ACKNOWLEDGED = (200, 204)
_KNOBS = {flaw: f"callback_bad_{flaw}" for flaw in Flaw if flaw is not Flaw.NONE} | {Flaw.SIGNTEST: "callback_signtest"}


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
class _Held:
    attempt: Attempt
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
        self._tally = Tally()
        self._faults = faults
        self._delivered = delivered
        self._signer = signer
        self._fresh_id = fresh_id
        self._loop = asyncio.get_running_loop()
        self._held: list[_Held] = []
        self._dispatch = Dispatch(write=self._parcel, judge=self._judge)

    @property
    def tally(self) -> Tally:
        return replace(self._tally, resent=self._dispatch.resent)

    def add_caller(self, send: Send) -> Callable[[], None]:
        """Give this caller its share of the work until the returned function is called."""
        return self._dispatch.add_caller(send)

    def close(self) -> None:
        """Send nothing more and ignore how attempts in flight end."""
        self._dispatch.close()

    async def stop(self) -> None:
        """Drop what is in flight; unacknowledged notices stay in the ledger."""
        await self._dispatch.stop()

    def post(self, notice: Notice, *, late: bool = False) -> None:
        """Take a notice; it goes out after its delay, or never when it is fated to be lost. `late` makes it late."""
        faults = self._faults()
        if self._strikes("callback_loss", notice):
            self._tally.lost += 1
            self._delivered(notice.id)
            return
        self._tally.unfinished += 1
        subject = _subject(notice)
        wait_s = delay_s(faults.callback_delay_ms, seed=faults.seed, knob="callback_delay_ms", subject=subject)
        if late or self._strikes("callback_late", notice):
            self._tally.late += 1
            wait_s += delay_s(faults.callback_late_ms, seed=faults.seed, knob="callback_late_ms", subject=subject)
        attempt = Attempt(notice, flaws=self._flaws(notice))
        if self._strikes("callback_reorder", notice):
            held = _Held(attempt, faults.callback_reorder_count)
            self._held.append(held)
            self._loop.call_later(wait_s + faults.callback_reorder_most_ms / 1000, self._release, held)
        else:
            self._dispatch.put(attempt, wait_s=wait_s)
        if self._strikes("callback_duplicate", notice) and not self._after_acknowledgement(notice):
            self._dispatch.put(Attempt(notice, echo=True), wait_s=wait_s)

    def _release(self, held: _Held) -> None:
        if held in self._held:
            self._held.remove(held)
            self._dispatch.put(held.attempt)

    def _parcel(self, attempt: Attempt) -> Parcel:
        self._tally.attempts += 1
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

    def _judge(self, attempt: Attempt, status: int | None) -> None:
        notice = attempt.notice
        acknowledged = status in _ACKNOWLEDGED
        if attempt.flaw is Flaw.SIGNTEST:
            self._tally.probes += 1
            self._tally.probes_accepted += acknowledged
            self._dispatch.put(Attempt(notice, attempt.number, flaws=attempt.flaws[1:]))
        elif attempt.flaw is not Flaw.NONE:
            name = attempt.flaw.value
            self._tally.bad[name] = self._tally.bad.get(name, 0) + 1
            if acknowledged:
                self._tally.bad_accepted[name] = self._tally.bad_accepted.get(name, 0) + 1
            self._again(attempt)
        elif attempt.echo:
            self._tally.duplicates += 1
        elif acknowledged:
            self._tally.acknowledged += 1
            self._finish(notice)
            if self._strikes("callback_duplicate", notice) and self._after_acknowledgement(notice):
                wait_s = self._faults().callback_delay_ms[1] / 1000
                self._dispatch.put(Attempt(notice, echo=True), wait_s=wait_s)
        else:
            self._tally.failed += 1
            if attempt.number < len(RETRIES_S):
                self._again(attempt)
            else:
                self._tally.given_up += 1
                self._finish(notice)
        if attempt.number == 0 and not attempt.echo and not attempt.flaws:
            self._overtake()

    def _again(self, attempt: Attempt) -> None:
        wait_s = RETRIES_S[attempt.number] * self._faults().callback_retry_scale
        self._dispatch.put(Attempt(attempt.notice, attempt.number + 1, flaws=attempt.flaws[1:]), wait_s=wait_s)

    def _overtake(self) -> None:
        """A callback was sent: those held back have one less to wait for."""
        for held in list(self._held):
            held.still -= 1
            if held.still <= 0:
                self._tally.overtaken += 1
                self._release(held)

    def _finish(self, notice: Notice) -> None:
        self._tally.unfinished -= 1
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
