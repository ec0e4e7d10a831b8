"""A run as it is kept: what `report.json` holds, what the page draws, what two runs are compared by.

Plain numbers and words, nothing that needs the lab to be read. Series share `timeline.t_s`, seconds from the opening
(negative in the lobby); a missing sample is None.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

SCHEMA = 1
Series = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Machine:
    cores: int
    cpu: str
    system: str
    memory_gib: float
    load_before: float
    """Load average of the minute before the run: others at work make every number waver."""


@dataclass(frozen=True, slots=True)
class SloResult:
    words: str
    """e.g. "orders p99_ms at most 800"."""
    kind: str
    measure: str
    bound: float
    found: float | None
    """None: nothing of the kind happened, which breaks the SLO."""
    holds: bool


@dataclass(frozen=True, slots=True)
class KindResult:
    """One kind of goodput over the whole run."""

    count: int
    per_s_mean: float
    """Over the seconds in which any came."""
    per_s_best: float
    """The best whole second."""
    outage_count: int
    p50_ms: float | None
    p90_ms: float | None
    p99_ms: float | None
    p999_ms: float | None
    max_ms: float | None
    distribution: Sequence[tuple[float, float]]
    """(percentile 0..100, milliseconds), rising; denser towards 100."""


@dataclass(frozen=True, slots=True)
class Timeline:
    t_s: Sequence[float]
    """Whole seconds from the opening."""
    goodput: dict[str, Series]
    """Kind of goodput to its answers per second."""
    offered: dict[str, Series]
    """Kind of goodput to attempts per second: good answers, refusals and outages of its requests."""
    arrivals: Series
    """People who were to come, per second."""
    latency_ms: dict[str, dict[str, Series]]
    """Kind of goodput to p50, p90, p99 and max per second."""
    stock: dict[str, Series]
    """free, held, sold: units of all SKUs."""
    line: dict[str, Series]
    """waiting, called, admitted: people of all lanes."""
    cpu: dict[str, Series]
    """Process to its share of one core: generator-0, web-0, work, redis, postgres, simulator ..."""
    memory_mib: dict[str, Series]
    connections: Series
    redis_keys: Series


@dataclass(frozen=True, slots=True)
class Generator:
    engine: str
    """open loop, or locust."""
    processes: int
    cpu_share_p95: float
    """Of one core, of the busiest process, in the seconds of the run."""
    was_the_limit: bool
    words: str


@dataclass(frozen=True, slots=True)
class Arrived:
    intended: int
    missed: int
    share: float
    allowed: float
    holds: bool


@dataclass(frozen=True, slots=True)
class Audit:
    """What the books say, against what everybody was told."""

    figures: dict[str, int]
    """capacity, sold, oversold, undersold, paid_orders, paid_fen, refunded_fen, lost_paid, double_paid."""
    reasons: Sequence[str]
    """Every disagreement; none, and the audit holds."""
    checked: Sequence[str]
    """What was compared: PostgreSQL, Redis, WeChat's ledger, the draw, the line, what buyers were told."""
    holds: bool


@dataclass(frozen=True, slots=True)
class CrossCheck:
    """The same reads by another generator."""

    tool: str
    path: str
    rate_per_s: float
    ours: dict[str, float]
    theirs: dict[str, float]
    """per_s, p50_ms, p99_ms."""
    agree: bool
    words: str


@dataclass(frozen=True, slots=True)
class Report:
    story: dict[str, Any]
    """The profile's story: name, title, title_zh, about, sources."""
    profile: dict[str, Any]
    """The whole profile as it was played."""
    digest: str
    seed: int
    command: str
    started_at: str
    """ISO 8601, UTC."""
    duration_s: float
    machine: Machine
    versions: dict[str, str]
    passed: bool
    """The audit, every SLO, the arrivals: all of them hold."""
    headline: str
    slos: Sequence[SloResult]
    audit: Audit
    arrived: Arrived
    generator: Generator
    kinds: dict[str, KindResult]
    timeline: Timeline
    outcomes: dict[str, dict[str, int]]
    """Kind of request to outcome to count."""
    saturation: dict[str, Sequence[tuple[float, float]]]
    """Kind of goodput to (offered per second, goodput per second), one point a second or a step."""
    costs: dict[str, float]
    """CPU microseconds per order by process, and the simulator's signing apart: web, postgres, redis, simulator,
    simulator_signing, generator."""
    ended: dict[str, int]
    """How the run ended for each buyer."""
    notes: Sequence[str]
    cross_checks: Sequence[CrossCheck] = field(default=())
    extra: dict[str, Any] = field(default_factory=dict)
    """breakpoint, overload, soak: what those searches found, for tables."""
    schema: int = SCHEMA

    def encoded(self) -> bytes:
        return orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2)
