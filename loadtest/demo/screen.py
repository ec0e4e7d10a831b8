"""What a person sees of a drop: a live view in a terminal, plain lines elsewhere, and the summary at the
end.

It only draws: every number comes from a `View` or a report that somebody else made. Without a terminal (a
pipe, a CI log, `--plain`) the same numbers come as one line every two seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from loadtest.books.verdict import Judgement, Stock
from loadtest.crowd.journal import Stage

BAR_WIDTH_MAX = 44
COUNT_WIDTH = 10
GAP = 2
FRAME_WIDTH = 6
PLAIN_EVERY_S = 2.0
SOLD, HELD, FREE = "green", "yellow", "bright_black"


@dataclass(frozen=True, slots=True)
class LineView:
    """The line at one moment, from the public document: the lobby, who is not called yet, positions called."""

    lobby: int
    waiting: int
    called: int
    rate_per_s: float
    band: str
    drawn_after_s: float | None
    """From the closing of the lobby to the draw; None before it."""


@dataclass(frozen=True, slots=True)
class View:
    """One moment of the drop."""

    title: str
    chapter: str
    clock_s: float
    """Seconds since the opening; negative before it."""
    elapsed_s: float
    tiers: Mapping[str, str]
    stock: Mapping[str, Stock]
    stages: Mapping[Stage, int]
    line: LineView
    orders_per_s: int
    refusals_per_s: int
    order_count: int
    refusals: Mapping[str, int]
    outage_count: int
    order_p50_ms: float
    order_p99_ms: float
    notes: Sequence[str]


class Screen:
    """Use as a context; `show` may be called as often as you like."""

    def __init__(self, console: Console, *, is_live: bool) -> None:
        self._console = console
        self._live = (
            Live(console=console, auto_refresh=False, transient=True, vertical_overflow="crop") if is_live else None
        )
        self._plain_at_s = float("-inf")

    def __enter__(self) -> Screen:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, sentence: str) -> None:
        """One line that stays."""
        self._console.print(sentence, highlight=False, soft_wrap=True)

    def show(self, view: View) -> None:
        if self._live is not None:
            self._live.update(_panel(view, width=self._console.width), refresh=True)
        elif view.elapsed_s - self._plain_at_s >= PLAIN_EVERY_S:
            self._plain_at_s = view.elapsed_s
            self._console.print(_line(view), highlight=False, soft_wrap=True)


def _line(view: View) -> str:
    stock = view.stock.values()
    return (
        f"{view.clock_s:+6.1f} s {view.chapter:<8} "
        f"sold {sum(row.sold for row in stock):>5,} held {sum(row.held for row in stock):>5,} "
        f"free {sum(row.free for row in stock):>5,} | lobby {view.line.lobby:>5,} "
        f"waiting {view.line.waiting:>5,} called {view.line.called:>5,} "
        f"asking {view.stages.get(Stage.ASKING, 0):>5,} | orders {view.order_count:>5,} {view.orders_per_s:>4,}/s "
        f"refused {sum(view.refusals.values()):>6,} {view.refusals_per_s:>5,}/s "
        f"| p50 {view.order_p50_ms:.0f} p99 {view.order_p99_ms:.0f} ms"
    )


def _panel(view: View, *, width: int) -> RenderableType:
    when = f"opens in {-view.clock_s:.1f} s" if view.clock_s < 0 else f"open for {view.clock_s:.1f} s"
    return Panel(
        Group(
            *(_stock_table(view, width=width), Text(), _line_row(view.line), Text(), _crowd(view), Text()),
            *(_answers(view), *_notes(view)),
        ),
        title=f"[bold]Floodgate[/] · {view.title}",
        subtitle=f"{view.chapter} · {when}",
        border_style="cyan",
        box=box.ROUNDED,
        padding=(1, 2),
    )


def _stock_table(view: View, *, width: int) -> Table:
    tier_width = max((cell_len(tier) for tier in view.tiers.values()), default=0)
    bar_width = max(0, min(BAR_WIDTH_MAX, width - FRAME_WIDTH - tier_width - 3 * COUNT_WIDTH - 4 * GAP))
    table = Table.grid(padding=(0, GAP))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    for _ in range(3):
        table.add_column(justify="right", no_wrap=True, width=COUNT_WIDTH)
    for sku, tier in view.tiers.items():
        row = view.stock.get(sku)
        if row is None:
            continue
        table.add_row(
            tier,
            _bar(row, bar_width),
            Text(f"{row.sold:,} sold", SOLD),
            Text(f"{row.held:,} held", HELD),
            Text(f"{row.free:,} free", FREE),
        )
    return table


def _bar(row: Stock, width: int) -> Text:
    """Sold, held and free side by side; what is not zero is at least one cell wide."""

    if width < 3 or row.capacity <= 0:
        return Text("░" * width, FREE)
    most_sold = width - (row.held > 0) - (row.free > 0)
    sold = min(max(row.sold > 0, round(width * row.sold / row.capacity)), most_sold)
    held = min(max(row.held > 0, round(width * row.held / row.capacity)), width - sold - (row.free > 0))
    return Text.assemble(("█" * sold, SOLD), ("▓" * held, HELD), ("░" * (width - sold - held), FREE))


def _line_row(line: LineView) -> Table:
    """What the public document says of the line."""
    drawn = "not drawn yet" if line.drawn_after_s is None else f"drawn {line.drawn_after_s:.1f} s after it closed"
    table = Table.grid(padding=(0, 3))
    table.add_row(*(Text(word, "dim") for word in ("lobby", "the draw", "waiting", "called", "per second", "tickets")))
    table.add_row(
        Text(f"{line.lobby:,}", "bold"),
        drawn,
        Text(f"{line.waiting:,}", "bold"),
        Text(f"{line.called:,}", "bold"),
        f"{line.rate_per_s:,.0f}",
        line.band,
    )
    return table


def _crowd(view: View) -> Table:
    table = Table.grid(padding=(0, 3))
    table.add_row(*(Text(stage.value, "dim") for stage in Stage))
    table.add_row(*(Text(f"{view.stages.get(stage, 0):,}", "bold") for stage in Stage))
    return table


def _answers(view: View) -> Table:
    table = Table.grid(padding=(0, 3))
    table.add_row(
        Text("orders", "dim"),
        Text.assemble(
            (f"{view.order_count:,}", "bold green"),
            f"  {view.orders_per_s:,}/s   p50 {view.order_p50_ms:.0f} ms   p99 {view.order_p99_ms:.0f} ms",
        ),
    )
    refused = Text.assemble((f"{sum(view.refusals.values()):,}", "bold yellow"), f"  {view.refusals_per_s:,}/s")
    table.add_row(Text("refused", "dim"), refused)
    for code, count in view.refusals.items():
        table.add_row("", Text(f"{count:>7,}  {code}", "dim"))
    if view.outage_count:
        table.add_row(Text("outages retried", "dim"), Text(f"{view.outage_count:,}", "red"))
    return table


def _notes(view: View) -> list[RenderableType]:
    return [Text(), *(Text(note, "red") for note in view.notes[-3:])] if view.notes else []


def summary(console: Console, judgement: Judgement, report: Mapping[str, Any]) -> None:
    """The end of the story: the figures of the report, then one line with the verdict and every reason."""
    table = Table(box=box.SIMPLE_HEAD, show_header=False, padding=(0, 2), show_edge=False)
    table.add_column(style="dim", no_wrap=True, min_width=21)
    table.add_column(overflow="fold")
    for name, text in _summary_rows(judgement, report):
        table.add_row(name, text)
    word, colour = ("PASS", "green") if judgement.is_pass else ("FAIL", "red")
    console.print()
    console.print(Panel(table, title=f"[bold]{report['title']}[/]", border_style=colour, box=box.ROUNDED, expand=False))
    if report["generator_is_suspect"]:
        console.print("[yellow]The generator was short of CPU: latencies may be its own.[/]")
    if judgement.is_pass:
        console.print(
            Text.assemble(
                (f" {word} ", f"bold white on {colour}"),
                "  every unit sold once, every fen accounted for, draw and line checked, nothing left running",
            )
        )
    else:
        console.print(Text.assemble((f" {word} ", f"bold white on {colour}")))
        for reason in judgement.reasons:
            console.print(f"  [red]·[/] {reason}", highlight=False, soft_wrap=True)


def _summary_rows(judgement: Judgement, report: Mapping[str, Any]) -> list[tuple[str, str]]:
    def yuan(fen: int) -> str:
        return f"¥{fen / 100:,.2f}"

    def top(counts: Mapping[str, int], limit: int) -> str:
        return "\n".join(f"{count:>7,}  {what}" for what, count in list(counts.items())[:limit])

    def pace(count: int, kind: str) -> str:
        return (
            f"{count:,}, {report[kind + 's_per_s']:,}/s at best, "
            f"p50 {report[kind + '_p50_ms']:.0f} ms, p99 {report[kind + '_p99_ms']:.0f} ms"
        )

    def draw() -> str:
        word = "verified: every entry and one buyer's proof" if report["draw_verified"] else "NOT verified"
        return f"{report['lobby_size']:,} people of the lobby, {word}"

    def fair() -> str:
        most = report["largest_overtaking"]
        passed_over = f"somebody was passed over by {most} positions" if most else "nobody was passed over"
        return (
            f"{report['admitted']:,} let in; {report['show_rate']:.0%} of those called came, "
            f"{report['came_late']} of them late\n"
            f"in the order of their places: Kendall's tau {report['kendall_tau']}; {passed_over}"
        )

    def generator() -> str:
        return (
            f"{report['generator_cpu_s']:.1f} s of CPU, {report['generator_cpu_share']:.0%} of a core, "
            f"{report['generator_lag_p99_ms']:.0f} ms late at p99"
        )

    return [
        ("tickets", f"{judgement.sold:,} of {judgement.capacity:,} sold"),
        ("oversold / undersold", f"{judgement.oversold} / {judgement.undersold}"),
        ("money", f"{yuan(judgement.paid_fen)} in {judgement.paid_orders:,} paid orders"),
        ("refunded", yuan(judgement.refunded_fen)),
        ("paid and lost / twice", f"{judgement.lost_paid} / {judgement.double_paid}"),
        ("draw", draw()),
        ("line", fair()),
        ("buyers", f"{report['buyers']:,} (seed {report['seed']})\n" + top(report["buyers_ended"], 12)),
        ("orders", pace(report["orders_acknowledged"], "order")),
        (
            "refusals",
            pace(sum(report["refusals"].values()), "refusal") + "\n" + top(report["refusals"], 10),
        ),
        *([("killed", ", ".join(report["killed"]))] if report["killed"] else []),
        ("outages retried", f"{sum(report['outages'].values()):,}"),
        ("generator", generator()),
        ("took", f"{report['duration_s']:.1f} s on {report['machine']}"),
    ]
