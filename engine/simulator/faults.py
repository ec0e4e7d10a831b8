"""The knobs of bad luck and of WeChat's ambiguities: validated, seeded, replaceable while running.

Luck is drawn from (seed, knob, subject), never from a shared stream: the same order suffers the same fate
whatever runs beside it, and a restart draws the same again. Probabilities are 0 to 1, delays are [least,
most] in ms. A document with an unknown knob or an impossible value changes nothing and is answered with
every problem at once.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from hashlib import blake2b

from engine.simulator.refusals import ORDER_PAID, REENTRY_CHANGED

DELAY_MOST_MS = 86_400_000
ROUTES = ("order", "query", "close", "refund", "query_refund")


class FaultsError(ValueError):
    """The knobs cannot be used; `problems` names each one and why."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Faults:
    """All knobs; the defaults are a well-behaved WeChat.

    callback_loss: the notice is never sent at all. callback_duplicate: it is sent twice, half of the time at
    once, half after it was acknowledged. callback_signtest: a wrongly signed probe goes first.
    callback_retry_scale: the real schedule (15 s to 6 h) times this.
    answer_*: on the API calls named in answer_routes (none named: all). limited and error_before refuse without
    any effect; error_after answers 500, and lost resets the connection, after it.
    bill_today: bills of today and of yesterday before 10:00 are there already. bill_hash_of: the SHA1 is over the
    plain file or over the gzip that is downloaded. bill_fee_bp: WeChat's fee in 1/10,000 of a payment.
    """

    seed: int = 1
    callback_delay_ms: tuple[int, int] = (50, 400)
    callback_loss: float = 0.0
    callback_duplicate: float = 0.0
    callback_signtest: float = 0.0
    callback_retry_scale: float = 1.0
    callback_timeout_ms: int = 5000
    refund_delay_ms: tuple[int, int] = (300, 1500)
    refund_abnormal: float = 0.0
    refund_closed: float = 0.0
    refund_spacing_ms: int = 60_000
    answer_routes: tuple[str, ...] = ()
    answer_delay_ms: tuple[int, int] = (0, 0)
    answer_limited: float = 0.0
    answer_error_before: float = 0.0
    answer_error_after: float = 0.0
    answer_lost: float = 0.0
    answer_signtest: float = 0.0
    business_refusals_signed: bool = True
    bill_today: bool = False
    bill_hash_of: str = "plain"
    bill_crlf: bool = True
    bill_bom: bool = False
    bill_fee_bp: int = 60
    changed_code: str = "INVALID_REQUEST"
    paid_code: str = "ORDERPAID"

    @property
    def answers_suffer(self) -> bool:
        """False spares the hot path every draw."""
        return bool(
            self.answer_delay_ms[1]
            or self.answer_limited
            or self.answer_error_before
            or self.answer_error_after
            or self.answer_lost
            or self.answer_signtest
        )

    def document(self) -> dict[str, object]:
        """All knobs as JSON values."""
        return asdict(self)


def read(document: object, base: Faults) -> Faults:
    """Return `base` with the knobs of `document` put over it. Raises FaultsError with every problem."""
    if not isinstance(document, Mapping):
        raise FaultsError(["the faults must be an object"])
    problems: list[str] = []
    knobs: dict[str, object] = {}
    for name, value in document.items():
        check = _CHECKS.get(name)
        if check is None:
            problems.append(f"{name}: no such knob")
            continue
        problem = check(value)
        if problem is not None:
            problems.append(f"{name}: {problem}")
        knobs[name] = tuple(value) if isinstance(value, list) else value
    if problems:
        raise FaultsError(problems)
    return replace(base, **knobs)  # type: ignore[arg-type]  # each value passed the check of its knob


def draw(seed: int, knob: str, subject: str) -> float:
    """A number in [0, 1), the same for the same three arguments."""
    digest = blake2b(f"{seed}\0{knob}\0{subject}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest) >> 11) / 2**53


def happens(chance: float, *, seed: int, knob: str, subject: str) -> bool:
    """Whether a fault of this chance strikes this subject; 0 and 1 cost no draw."""
    return chance > 0 and (chance >= 1 or draw(seed, knob, subject) < chance)


def delay_s(span_ms: tuple[int, int], *, seed: int, knob: str, subject: str) -> float:
    """A delay between the two ends of the span, in seconds."""
    least, most = span_ms
    if least == most:
        return least / 1000
    return (least + (most - least) * draw(seed, knob, subject)) / 1000


def _chance(value: object) -> str | None:
    right = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
    return None if right else "must be a number from 0 to 1"


def _whole(least: int, most: int) -> Callable[[object], str | None]:
    def check(value: object) -> str | None:
        right = type(value) is int and least <= value <= most
        return None if right else f"must be an integer from {least} to {most}"

    return check


def _span(value: object) -> str | None:
    right = (
        isinstance(value, list | tuple)
        and len(value) == 2
        and all(type(end) is int and 0 <= end <= DELAY_MOST_MS for end in value)
        and value[0] <= value[1]
    )
    return None if right else f"must be [least, most] in ms, 0 to {DELAY_MOST_MS}"


def _scale(value: object) -> str | None:
    right = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1000
    return None if right else "must be a number from 0 to 1000"


def _flag(value: object) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


def _routes(value: object) -> str | None:
    right = isinstance(value, list | tuple) and all(route in ROUTES for route in value)
    return None if right else f"must be a list of {', '.join(ROUTES)}"


def _one_of(options: Mapping[str, object]) -> Callable[[object], str | None]:
    def check(value: object) -> str | None:
        right = isinstance(value, str) and value in options
        return None if right else f"must be one of {', '.join(options)}"

    return check


_CHECKS: Mapping[str, Callable[[object], str | None]] = {
    "seed": _whole(0, 2**63 - 1),
    "callback_delay_ms": _span,
    "callback_loss": _chance,
    "callback_duplicate": _chance,
    "callback_signtest": _chance,
    "callback_retry_scale": _scale,
    "callback_timeout_ms": _whole(1, DELAY_MOST_MS),
    "refund_delay_ms": _span,
    "refund_abnormal": _chance,
    "refund_closed": _chance,
    "refund_spacing_ms": _whole(0, DELAY_MOST_MS),
    "answer_routes": _routes,
    "answer_delay_ms": _span,
    "answer_limited": _chance,
    "answer_error_before": _chance,
    "answer_error_after": _chance,
    "answer_lost": _chance,
    "answer_signtest": _chance,
    "business_refusals_signed": _flag,
    "bill_today": _flag,
    "bill_hash_of": _one_of({"plain": None, "gzip": None}),
    "bill_crlf": _flag,
    "bill_bom": _flag,
    "bill_fee_bp": _whole(0, 1000),
    "changed_code": _one_of(REENTRY_CHANGED),
    "paid_code": _one_of(ORDER_PAID),
}
assert set(_CHECKS) == {knob.name for knob in fields(Faults)}
