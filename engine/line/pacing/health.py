"""How much the machinery can take: a limit on people at the till that follows its pulse.

The limit grows while everything answers quickly and people actually fill it, and shrinks when something is slow. It
never falls to zero: a sale that crawls is slow, a sale that stops is broken. It lies with the pacing's memory in Redis,
so all workers move one limit, each by what it sees itself.
"""

import math
from collections import deque
from dataclasses import dataclass

LIMIT_START, LIMIT_FLOOR, LIMIT_CEILING = 2_000.0, 200.0, 1_000_000.0
GROWTH_RAMP_PER_S, GROWTH_PER_S = 0.5, 0.1  # before the first strain it feels its way up quickly
SHRINK = 0.8
SHRINK_EVERY_MS = 2_000  # what was let through before still has to pass before less of it can be felt
FULL_SHARE = 0.9  # a limit that is not used says nothing about what could be borne
EASY_STRAIN = 0.5

# What each signal may be before it counts as strained. A hiccup of a shared machine is no strain.
COMMIT_P95_S = 0.25
REDIS_P99_S = 0.25
LAG_P99_S = 0.25
PAYMENT_WAIT_P95_S = 1.0
PAYMENT_ERROR_SHARE = 0.1
SAMPLES_MIN = 20  # fewer say nothing

SAMPLES = 256
SAMPLE_AGE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What one worker measured lately; None where nothing happened."""

    commit_p95_s: float | None = None
    redis_p99_s: float | None = None
    lag_p99_s: float | None = None
    payment_wait_p95_s: float | None = None
    payment_error_share: float | None = None

    @property
    def strain(self) -> float:
        """The worst signal as a multiple of what it may be: 1 is too much."""
        return max(
            (self.commit_p95_s or 0.0) / COMMIT_P95_S,
            (self.redis_p99_s or 0.0) / REDIS_P99_S,
            (self.lag_p99_s or 0.0) / LAG_P99_S,
            (self.payment_wait_p95_s or 0.0) / PAYMENT_WAIT_P95_S,
            (self.payment_error_share or 0.0) / PAYMENT_ERROR_SHARE,
        )


@dataclass(frozen=True, slots=True)
class Limit:
    """The adaptive limit. ramping: never strained so far; shrunk_ms: when it was lowered last, in serving_ms."""

    people: float = LIMIT_START
    ramping: bool = True
    shrunk_ms: int = -SHRINK_EVERY_MS

    def after(self, strain: float, *, inflight: int, serving_ms: int, dt_ms: int) -> "Limit":
        """The limit after a tick that found so many people at the till."""
        if strain >= 1:
            if serving_ms - self.shrunk_ms < SHRINK_EVERY_MS:
                return self
            return Limit(max(LIMIT_FLOOR, self.people * SHRINK), False, serving_ms)
        if strain > EASY_STRAIN or inflight < self.people * FULL_SHARE:
            return self
        growth = (GROWTH_RAMP_PER_S if self.ramping else GROWTH_PER_S) * dt_ms / 1000
        return Limit(min(LIMIT_CEILING, self.people * (1 + growth)), self.ramping, self.shrunk_ms)


class Samples:
    """The newest durations of one kind, in seconds. Adding one costs a tuple."""

    def __init__(self) -> None:
        self._kept: deque[tuple[float, float]] = deque(maxlen=SAMPLES)

    def add(self, value: float, now_s: float) -> None:
        self._kept.append((now_s, value))

    def recent(self, now_s: float) -> list[float]:
        """Those of the last few seconds."""
        return [value for at_s, value in self._kept if now_s - at_s <= SAMPLE_AGE_S]


def quantile(values: list[float], share: float) -> float | None:
    """The value that this share of them does not exceed, and at least one does: a single bad one is bad luck. None for
    too few."""
    if len(values) < SAMPLES_MIN:
        return None
    return sorted(values)[min(len(values) - 1, math.ceil(share * len(values))) - 1]


class Pulse:
    """The samples of one worker, filled where commits, calls and payments happen. Times are monotonic seconds."""

    def __init__(self) -> None:
        self.commits, self.redis, self.lags, self.payments = Samples(), Samples(), Samples(), Samples()
        self._payments_failed = Samples()

    def paid(self, now_s: float, waited_s: float | None) -> None:
        """A payment was begun, after its buyer had waited here for so many seconds; None: it was not, because the
        provider gave nothing or the buyer found no room."""
        if waited_s is not None:
            self.payments.add(waited_s, now_s)
        self._payments_failed.add(0.0 if waited_s is not None else 1.0, now_s)

    def health(self, now_s: float) -> Health:
        """What the samples of the last seconds say."""
        failed = self._payments_failed.recent(now_s)
        return Health(
            commit_p95_s=quantile(self.commits.recent(now_s), 0.95),
            redis_p99_s=quantile(self.redis.recent(now_s), 0.99),
            lag_p99_s=quantile(self.lags.recent(now_s), 0.99),
            payment_wait_p95_s=quantile(self.payments.recent(now_s), 0.95),
            payment_error_share=sum(failed) / len(failed) if len(failed) >= SAMPLES_MIN else None,
        )
