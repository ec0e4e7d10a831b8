"""What luck does to one answer, drawn before the call is decided. Pure.

A fate strikes once, before the effect (then there is none) or after it (then the merchant does not hear the
truth about it). The first knob that strikes wins, those before the effect first. The n-th call of a route
has its own fate, whatever runs beside it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from engine.simulator.luck import faults
from engine.simulator.luck.faults import Faults
from engine.simulator.pay.refusals import LIMITED, REFUND_NOT_ENOUGH, SYSTEM_ERROR, Refusal

HTML_TYPE = "text/html"


class Flaw(StrEnum):
    """What a front does to an answer on its way."""

    NONE = ""
    RESET = "reset"
    TRUNCATED = "truncated"
    UNSIGNED = "unsigned"
    BAD_SIGNATURE = "bad_signature"
    STALE = "stale"
    SIGNTEST = "signtest"


@dataclass(frozen=True, slots=True)
class Unavailable:
    """An answer of the proxy in front of WeChat: unsigned, not JSON, often empty."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Fate:
    """`before` is sent instead of deciding; otherwise the call is decided and `after`, if any, sent instead."""

    delay_s: float = 0.0
    before: Refusal | Unavailable | Flaw | None = None
    after: Refusal | Unavailable | None = None
    flaw: Flaw = Flaw.NONE


LUCKY = Fate()


def _unavailable(luck: Faults, subject: str) -> Unavailable:
    status = 502 if faults.draw(luck.seed, "unavailable_status", subject) < 0.5 else 503
    if faults.draw(luck.seed, "unavailable_body", subject) < 0.5:
        return Unavailable(status, b"")
    name = {502: "Bad Gateway", 503: "Service Temporarily Unavailable"}[status]
    page = (
        f"<html>\r\n<head><title>{status} {name}</title></head>\r\n<body>\r\n<center><h1>{status} {name}</h1></center>"
    )
    return Unavailable(status, f"{page}\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n".encode())


_Outcome = Refusal | Unavailable | Flaw
_BEFORE: Mapping[str, Callable[[Faults, str], _Outcome]] = {
    "answer_reset": lambda luck, subject: Flaw.RESET,
    "answer_limited": lambda luck, subject: LIMITED[luck.limited_code],
    "answer_error_before": lambda luck, subject: SYSTEM_ERROR,
    "answer_unavailable": _unavailable,
}
_AFTER: Mapping[str, Callable[[Faults, str], _Outcome]] = {
    "answer_lost": lambda luck, subject: Flaw.RESET,
    "answer_truncated": lambda luck, subject: Flaw.TRUNCATED,
    "answer_limited_after": lambda luck, subject: LIMITED[luck.limited_code],
    "answer_error_after": lambda luck, subject: SYSTEM_ERROR,
    "answer_unavailable_after": _unavailable,
    "answer_unsigned": lambda luck, subject: Flaw.UNSIGNED,
    "answer_bad_signature": lambda luck, subject: Flaw.BAD_SIGNATURE,
    "answer_stale": lambda luck, subject: Flaw.STALE,
    "answer_signtest": lambda luck, subject: Flaw.SIGNTEST,
}


def suffers(luck: Faults, route: str) -> bool:
    """Whether anything at all can strike this route; False spares the hot path every draw."""
    if route == "refund" and luck.refund_not_enough:
        return True
    if luck.answer_routes and route not in luck.answer_routes:
        return False
    return bool(luck.answer_delay_ms[1]) or any(getattr(luck, knob) for knob in (*_BEFORE, *_AFTER))


def fate(luck: Faults, route: str, count: int) -> Fate:
    """The fate of the `count`-th call of this route."""
    subject = f"{route} {count}"

    def struck(knobs: Mapping[str, Callable[[Faults, str], _Outcome]]) -> _Outcome | None:
        for knob, outcome in knobs.items():
            if faults.happens(getattr(luck, knob), seed=luck.seed, knob=knob, subject=subject):
                return outcome(luck, subject)
        return None

    if luck.answer_routes and route not in luck.answer_routes:
        return Fate(before=_not_enough(luck, route, subject))
    wait_s = faults.delay_s(luck.answer_delay_ms, seed=luck.seed, knob="answer_delay_ms", subject=subject)
    before = struck(_BEFORE) or _not_enough(luck, route, subject)
    if before is not None:
        return Fate(wait_s, before=before)
    after = struck(_AFTER)
    if isinstance(after, Flaw):
        return Fate(wait_s, flaw=after)
    return Fate(wait_s, after=after)


def _not_enough(luck: Faults, route: str, subject: str) -> Refusal | None:
    chance = luck.refund_not_enough if route == "refund" else 0.0
    struck = faults.happens(chance, seed=luck.seed, knob="refund_not_enough", subject=subject)
    return REFUND_NOT_ENOUGH if struck else None
