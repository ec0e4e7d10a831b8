"""A moment of a run as one plain line, and as a panel for a terminal of 80 columns or more. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from loadtest.lab.tally import KindSoFar
from loadtest.lab.view import View
from loadtest.lab.watching import Sample

DONE = frozenset({"settling", "audit"})
"""Nobody asks any more."""
BAR_WIDTH = 28
SOLD, HELD, FREE = "green", "yellow", "bright_black"
HOT = 0.8
"""Of one core: shown in yellow."""
WEBS_MAX = 4
"""More web workers than these do not fit beside each other."""


def line(view: View) -> str:
    """Everything of a moment in one line, aligned with the lines before it."""
    clock = " " * 9 if view.clock_s is None else f"{view.clock_s:+7.1f} s"
    words = [f"{clock} {view.chapter:<8} came {_count(view.arrived):>6}"]
    if view.missed:
        words.append(f"MISSED {view.missed:,}")
    if view.sample is not None and view.sample.stock is not None:
        free, held, sold = view.sample.stock
        words.append(f"sold {sold:>5,} held {held:>5,} free {free:>5,}")
    if view.sample is not None and view.sample.line is not None:
        words.append(f"waiting {view.sample.line[0]:>6,}")
    for kind in ("joins", "orders", "refusals", "payments"):
        if kind in view.kinds and view.chapter not in DONE:
            one = view.kinds[kind]
            words.append(f"{kind} {one.per_s:,}/s p99 {_ms(one.p99_ms)}")
    if view.outages:
        words.append(f"outages {view.outages:,}")
    if view.chapter not in DONE:
        if view.generator_cpu is not None:
            words.append(f"cpu gen {view.generator_cpu:.0%}")
        if (web := _busiest(view.sample, "web")) is not None:
            words.append(f"web {web:.0%}")
    return " | ".join(words)


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f} ms"


def _busiest(sample: Sample | None, group: str) -> float | None:
    """None where nobody can see these processes."""
    shares = sample.cpu_share if sample is not None else {}
    return max((share for name, share in shares.items() if name.startswith(group)), default=None)


# Live.


def panel(view: View) -> RenderableType:
    if view.clock_s is None:
        when = "getting ready"
    else:
        when = f"opens in {-view.clock_s:.1f} s" if view.clock_s < 0 else f"open for {view.clock_s:.1f} s"
    parts: list[RenderableType] = [_people(view)]
    if view.sample is not None:
        parts += [Text(), *_stock(view.sample)]
    parts += [Text(), _kinds(view.kinds), Text(), _processors(view)]
    if view.notes:
        parts += [Text(), *(Text(note, "yellow") for note in view.notes)]
    return Panel(
        Group(*parts),
        title=f"[bold]Floodgate load test[/] · {view.title}",
        subtitle=f"{view.chapter} · {when}",
        border_style="cyan",
        box=box.ROUNDED,
        padding=(1, 2),
    )


def _people(view: View) -> Table:
    table = Table.grid(padding=(0, 2))
    heads = ["people", "came", "underway", "missed", "outages"]
    expected = f"{view.expected:,}" if view.expected else "-"
    cells = [
        Text(expected),
        Text(_count(view.arrived), "bold"),
        Text(_count(view.underway), "bold"),
        Text(f"{view.missed:,}", "bold red" if view.missed else ""),
        Text(f"{view.outages:,}", "red" if view.outages else ""),
    ]
    if view.sample is not None and view.sample.line is not None:
        heads += ["waiting", "called", "passes used"]
        cells += [Text(f"{count:,}", "bold") for count in view.sample.line]
    table.add_row(*(Text(head, "dim") for head in heads))
    table.add_row(*cells)
    return table


def _stock(sample: Sample) -> list[RenderableType]:
    if sample.stock is None:
        return [Text("the engine's stock is not to be seen at the moment", "dim")]
    free, held, sold = sample.stock
    table = Table.grid(padding=(0, 3))
    table.add_row(
        bar(free=free, held=held, sold=sold),
        Text(f"{sold:,} sold", SOLD),
        Text(f"{held:,} held", HELD),
        Text(f"{free:,} free", FREE),
    )
    return [table]


def bar(*, free: int, held: int, sold: int, width: int = BAR_WIDTH) -> Text:
    """Sold, held and free side by side; what is not zero is at least one cell wide."""
    whole = free + held + sold
    if whole <= 0:
        return Text("░" * width, FREE)
    most_sold = width - (held > 0) - (free > 0)
    sold_width = min(max(sold > 0, round(width * sold / whole)), most_sold)
    held_width = min(max(held > 0, round(width * held / whole)), width - sold_width - (free > 0))
    rest = width - sold_width - held_width
    return Text.assemble(("█" * sold_width, SOLD), ("▓" * held_width, HELD), ("░" * rest, FREE))


def _kinds(kinds: Mapping[str, KindSoFar]) -> RenderableType:
    if not kinds:
        return Text("no answers yet", "dim")
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    table.add_column("goodput")
    for head in ("so far", "per second", "at best", "p50", "p99"):
        table.add_column(head, justify="right", no_wrap=True)
    for name, one in kinds.items():
        table.add_row(
            name,
            f"{one.count:,}",
            Text(f"{one.per_s:,}", "bold"),
            f"{one.per_s_best:,}",
            _ms(one.p50_ms),
            _ms(one.p99_ms),
        )
    return table


def _processors(view: View) -> Table:
    """Shares of one core, now; many web workers as the busiest of them."""
    table = Table.grid(padding=(0, 2))
    shares = view.sample.cpu_share if view.sample is not None else {}
    groups = {name: share for name, share in sorted(shares.items()) if not name.startswith("generator")}
    webs = [name for name in groups if name.startswith("web")]
    if len(webs) > WEBS_MAX:
        groups[f"busiest of {len(webs)} web"] = max(groups.pop(name) for name in webs)
    lag = Text(_ms(None if view.generator_lag_s is None else view.generator_lag_s * 1000))
    cells = [("CPU", Text()), ("generator", _share(view.generator_cpu)), ("its lag", lag)]
    cells += [(name, _share(share)) for name, share in groups.items()]
    table.add_row(*(Text(name, "dim") for name, _ in cells))
    table.add_row(*(value for _, value in cells))
    return table


def _share(share: float | None) -> Text:
    if share is None:
        return Text("-")
    return Text(f"{share:.0%}", "bold yellow" if share > HOT else "")
