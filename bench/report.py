"""What the bench found: the figures, how steady they were, and what each round cost; as a table and as JSON.

A figure is judged by its ratio against its target and by nothing else. One that falls short is printed
as it is, beside the CPU time of every process, which shows where the time went.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import orjson
from rich.console import Console
from rich.table import Table

from bench.saturation.curve import Curve
from bench.saturation.curve import document as drawn

# A generator this busy may be what is measured.
GENERATOR_SHARE_MAX = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """`ratio` is the median over the rounds of value / yardstick, each pair measured one after the other."""

    name: str
    value: float
    unit: str
    yardstick: float
    against: str
    ratio: float
    lowest: float
    highest: float
    target: float
    at_most: bool = False

    @property
    def met(self) -> bool:
        return self.ratio <= self.target if self.at_most else self.ratio >= self.target


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """One kind of round at its median: what came through, how long it took, and the CPU microseconds per
    request that each process spent on it, which waver less than rates do where others use the machine."""

    name: str
    per_s: float
    p50_ms: float
    p99_ms: float
    generator_share: float
    generator_us: float
    cpu_us: Mapping[str, float]
    note: str = ""

    @property
    def server_us(self) -> float:
        """Of all processes but the generator."""
        return sum(self.cpu_us.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaled:
    """One kind of request with so many workers. ratio: to one worker, of paired rounds, with its spread; the costs are
    CPU microseconds per request."""

    kind: str
    workers: int
    per_s: float
    ratio: float
    lowest: float
    highest: float
    web_us: float
    redis_us: float
    postgres_us: float
    generator_share: float


@dataclass(slots=True)
class Report:
    """Everything one run found. unit_costs: what one of each thing costs, for `floodgate plan`; peers: the names of
    the efforts that belong side by side; spoilt: one sentence for each figure that could not be measured."""

    figures: list[Figure] = field(default_factory=list)
    efforts: list[Effort] = field(default_factory=list)
    unit_costs: dict[str, float] = field(default_factory=dict)
    curves: list[Curve] = field(default_factory=list)
    scaled: list[Scaled] = field(default_factory=list)
    peers: list[str] = field(default_factory=list)
    spoilt: list[str] = field(default_factory=list)


def figure(
    name: str,
    *,
    values: Sequence[float],
    yardsticks: Sequence[float],
    unit: str,
    against: str,
    target: float,
    at_most: bool = False,
) -> Figure:
    """The figure of paired rounds."""
    ratios = [value / yardstick for value, yardstick in zip(values, yardsticks, strict=True)]
    return Figure(
        name=name,
        value=median(values),
        unit=unit,
        yardstick=median(yardsticks),
        against=against,
        ratio=median(ratios),
        lowest=min(ratios),
        highest=max(ratios),
        target=target,
        at_most=at_most,
    )


def write(path: Path, *, machine: str, load: float, found: Report) -> None:
    """The report as one JSON document; the folder is made when it is missing."""
    document = {
        "machine": machine,
        "load_before": _short(load),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "figures": [
            {
                "name": one.name,
                "value": _short(one.value),
                "unit": one.unit,
                "yardstick": _short(one.yardstick),
                "ratio": _short(one.ratio),
                "target": one.target,
                "at_most": one.at_most,
                "against": one.against,
                "met": one.met,
                "spread": [_short(one.lowest), _short(one.highest)],
            }
            for one in found.figures
        ],
        "unit_costs": {name: _short(cost) for name, cost in found.unit_costs.items()},
        "scale": [
            {name: _short(cell) if isinstance(cell, float) else cell for name, cell in asdict(one).items()}
            for one in found.scaled
        ],
        "peers": [
            {
                "design": effort.name,
                "orders_per_s": _short(effort.per_s),
                "p50_ms": _short(effort.p50_ms),
                "p99_ms": _short(effort.p99_ms),
                "cpu_us": round(effort.server_us, 1),
            }
            for effort in found.efforts
            if effort.name in found.peers
        ],
        "curves": {curve.name: drawn(curve) for curve in found.curves},
        "rounds": [
            {
                "name": effort.name,
                "per_s": _short(effort.per_s),
                "p50_ms": _short(effort.p50_ms),
                "p99_ms": _short(effort.p99_ms),
                "generator_share": _short(effort.generator_share),
                "generator_us": _short(effort.generator_us),
                "cpu_us": {name: round(us, 1) for name, us in effort.cpu_us.items()},
                "note": effort.note,
            }
            for effort in found.efforts
        ],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")


def ship(path: Path, *, machine: str, costs: Mapping[str, float], wanted: Set[str]) -> list[str]:
    """Renew the unit costs that come with the engine; the sentence that refuses it when some were not measured."""
    if missing := sorted(wanted - costs.keys()):
        return [f"unit costs are not shipped, for these were not measured: {', '.join(missing)}"]
    document = {"machine": machine, "unit_costs": {name: _short(costs[name]) for name in sorted(wanted)}}
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    return []


def show(console: Console, *, machine: str, found: Report) -> None:
    """Two tables: the figures, and what each round cost."""
    table = Table(title=f"Floodgate on {machine}", title_justify="left")
    for name in ("figure", "value", "yardstick", "ratio", "spread", "target", ""):
        table.add_column(name, justify="left" if name in ("figure", "") else "right")
    for one in found.figures:
        table.add_row(
            one.name,
            f"{one.value:,.{_decimals(one.value)}f} {one.unit}",
            f"{one.yardstick:,.{_decimals(one.yardstick)}f} {one.against}",
            f"{one.ratio:.2f}",
            f"{one.lowest:.2f} to {one.highest:.2f}",
            f"{'at most' if one.at_most else 'at least'} {one.target:g}",
            "[green]met[/]" if one.met else "[red]not met[/]",
        )
    console.print(table)

    table = Table(title="What each round cost", title_justify="left")
    for name in ("round", "per s", "p50 ms", "p99 ms", "generator", "CPU us per request, by process"):
        table.add_column(name, justify="left" if "round" in name or "CPU" in name else "right")
    for effort in found.efforts:
        warning = " [red]busy[/]" if effort.generator_share > GENERATOR_SHARE_MAX else ""
        table.add_row(
            effort.name,
            f"{effort.per_s:,.0f}",
            f"{effort.p50_ms:.1f}",
            f"{effort.p99_ms:.1f}",
            f"{effort.generator_share:.0%}, {effort.generator_us:.1f} us{warning}",
            ", ".join(f"{name} {us:.0f}" for name, us in effort.cpu_us.items())
            + (f"\n{effort.note}" if effort.note else ""),
        )
    console.print(table)
    if found.scaled:
        console.print(_scale(found.scaled))
    if found.peers:
        console.print(_peers([effort for effort in found.efforts if effort.name in found.peers]))
    for curve in found.curves:
        console.print(_curve(curve))


def _scale(scaled: Sequence[Scaled]) -> Table:
    table = Table(title="Scale: web workers, and CPU us per request of whom", title_justify="left")
    for name in ("kind", "workers", "per s", "to one", "spread", "web", "redis", "postgres", "generator"):
        table.add_column(name, justify="left" if name == "kind" else "right")
    for one in scaled:
        table.add_row(
            one.kind,
            str(one.workers),
            f"{one.per_s:,.0f}",
            f"{one.ratio:.2f}",
            f"{one.lowest:.2f} to {one.highest:.2f}",
            f"{one.web_us:.1f}",
            f"{one.redis_us:.1f}",
            f"{one.postgres_us:.1f}",
            f"{one.generator_share:.0%}",
        )
    return table


def _peers(efforts: Sequence[Effort]) -> Table:
    table = Table(title="Durable orders beside other designs, the closed loop", title_justify="left")
    for name in ("design", "orders/s", "p50 ms", "p99 ms", "CPU us per order, all processes"):
        table.add_column(name, justify="left" if name == "design" else "right")
    for effort in efforts:
        table.add_row(
            effort.name,
            f"{effort.per_s:,.0f}",
            f"{effort.p50_ms:.1f}",
            f"{effort.p99_ms:.1f}",
            f"{effort.server_us:.0f}",
        )
    return table


def _curve(curve: Curve) -> Table:
    table = Table(
        title=f"{curve.name}: offered against goodput, {curve.connections:,} connections, {curve.deadline_s:g} s",
        title_justify="left",
    )
    for name in ("of peak", "offered/s", "goodput/s", "spread", "late/s", "refused/s", "turned away/s"):
        table.add_column(name, justify="right")
    for name in ("p50 ms", "p99 ms", "CPU us each", "generator", "behind ms"):
        table.add_column(name, justify="right")
    for point in curve.points:
        table.add_row(
            f"{point.share:g}",
            f"{point.offered_per_s:,.0f}",
            f"{point.goodput_per_s:,.0f}",
            f"{point.lowest_per_s:,.0f} to {point.highest_per_s:,.0f}",
            f"{point.late_per_s:,.0f}",
            f"{point.refused_per_s:,.0f}",
            f"{point.turned_away_per_s:,.0f}",
            f"{point.p50_ms:.1f}",
            f"{point.p99_ms:.1f}",
            f"{point.server_us:.0f}",
            f"{point.sender_share:.0%}",
            f"{point.lag_ms:.0f}",
        )
    return table


def _short(number: float) -> float:
    return round(number, 4)


def _decimals(number: float) -> int:
    return 0 if abs(number) >= 100 else 2
