"""The knobs of bad luck and of WeChat's ambiguities: validated, seeded, replaceable while running.

Luck is drawn from (seed, knob, subject), never from a shared stream: the same order suffers the same fate
whatever runs beside it, and a restart draws the same again. Probabilities are 0 to 1, delays are [least,
most] in ms. A document with an unknown knob or an impossible value changes nothing and is answered with
every problem at once. What each knob does stands in `knobs.py`.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from hashlib import blake2b
from pathlib import Path

from engine.simulator.luck.knobs import KNOBS


class FaultsError(ValueError):
    """The knobs cannot be used; `problems` names each one and why."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Faults:
    """All knobs; the defaults are a well-behaved WeChat."""

    seed: int = 1
    callback_delay_ms: tuple[int, int] = (50, 400)
    callback_late: float = 0.0
    callback_late_ms: tuple[int, int] = (5_000, 30_000)
    callback_reorder: float = 0.0
    callback_reorder_count: int = 3
    callback_reorder_most_ms: int = 10_000
    callback_loss: float = 0.0
    callback_duplicate: float = 0.0
    callback_aad_empty: float = 0.0
    callback_retry_scale: float = 1.0
    callback_timeout_ms: int = 5000
    callback_public_key: float = 1.0
    callback_certificate_b: float = 0.0
    callback_signtest: float = 0.0
    callback_bad_body: float = 0.0
    callback_bad_tag: float = 0.0
    callback_bad_aad: float = 0.0
    callback_bad_stale: float = 0.0
    callback_bad_serial: float = 0.0
    callback_bad_expired: float = 0.0
    callback_bad_amount: float = 0.0
    callback_bad_mchid: float = 0.0
    callback_bad_xml: float = 0.0
    callback_bad_slow: float = 0.0
    refund_delay_ms: tuple[int, int] = (300, 1500)
    refund_abnormal: float = 0.0
    refund_closed: float = 0.0
    refund_not_enough: float = 0.0
    refund_spacing_ms: int = 60_000
    answer_routes: tuple[str, ...] = ()
    answer_delay_ms: tuple[int, int] = (0, 0)
    answer_reset: float = 0.0
    answer_limited: float = 0.0
    answer_error_before: float = 0.0
    answer_unavailable: float = 0.0
    answer_lost: float = 0.0
    answer_truncated: float = 0.0
    answer_limited_after: float = 0.0
    answer_error_after: float = 0.0
    answer_unavailable_after: float = 0.0
    answer_unsigned: float = 0.0
    answer_bad_signature: float = 0.0
    answer_stale: float = 0.0
    answer_signtest: float = 0.0
    limits_per_s: Mapping[str, int] = field(default_factory=dict)
    answers_signed_by: str = "public_key"
    unknown_serial: str = "default_key"
    certificates_listed: str = "a"
    nonce_replay_refused: bool = False
    buyer_delay_ms: tuple[int, int] = (0, 0)
    buyer_behaviours: Mapping[str, float] = field(default_factory=dict)
    bill_today: bool = False
    bill_hash_of: str = "plain"
    bill_crlf: bool = True
    bill_bom: bool = False
    bill_fee_bp: int = 60
    fapiao_opened: bool = True
    fapiao_delay_ms: tuple[int, int] = (300, 1500)
    fapiao_issue_failed: float = 0.0
    fapiao_reverse_failed: float = 0.0
    weixin_busy: float = 0.0
    weixin_delay_ms: tuple[int, int] = (0, 0)
    weixin_lost: float = 0.0
    login_blocked: float = 0.0
    token_quota_minute: int = 10_000
    token_quota_day: int = 500_000
    token_force_quota_day: int = 20
    token_force_spacing_ms: int = 30_000
    token_force_overlap_ms: int = 0
    wxacode_quota_minute: int = 5_000
    business_refusals_signed: bool = True
    callback_same_id: bool = True
    reentry_prepay: str = "same"
    expiry_most_days: int = 90
    close_least_age_ms: int = 0
    changed_code: str = "INVALID_REQUEST"
    paid_code: str = "ORDERPAID"
    limited_code: str = "FREQUENCY_LIMITED"

    def document(self) -> dict[str, object]:
        """All knobs as JSON values."""
        return asdict(self)


assert tuple(KNOBS) == tuple(knob.name for knob in fields(Faults)), "faults.py and knobs.py differ"


def read(document: object, base: Faults) -> Faults:
    """Return `base` with the knobs of `document` put over it. Raises FaultsError with every problem."""
    if not isinstance(document, Mapping):
        raise FaultsError(["the faults must be an object"])
    problems: list[str] = []
    values: dict[str, object] = {}
    for name, value in document.items():
        knob = KNOBS.get(name)
        if knob is None:
            problems.append(f"{name}: no such knob")
            continue
        problem = knob.check(value)
        if problem is not None:
            problems.append(f"{name}: {problem}")
        values[name] = tuple(value) if isinstance(value, list) else value
    if not problems and sum((values.get("buyer_behaviours") or {}).values()) > 1:  # type: ignore[attr-defined]
        problems.append("buyer_behaviours: the shares add up to more than 1")
    if problems:
        raise FaultsError(problems)
    return replace(base, **values)  # type: ignore[arg-type]  # each value passed the check of its knob


def read_profile(file: Path, base: Faults) -> Faults:
    """Return `base` with the knobs of a TOML file put over it. Raises FaultsError naming file, key and reason."""
    try:
        return read(tomllib.loads(file.read_text("utf-8")), base)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FaultsError([f"{file}: {error}"]) from error
    except FaultsError as error:
        raise FaultsError([f"{file}: {problem}" for problem in error.problems]) from error


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
