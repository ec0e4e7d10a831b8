"""What the bench says, as tables."""

from __future__ import annotations

from bench.published.numbers import Document, number


def figures(bench: Document) -> str:
    """The table of the bench."""
    day = bench["measured_at"][:10]
    lines = [
        f"Measured on {day}: {bench['machine']}; load average before it {bench['load_before']:.1f}.",
        "",
        "| figure | measured | yardstick of the same run | ratio (spread) | goal |",
        "|---|---|---|---|---|",
    ]
    for one in bench["figures"]:
        is_ratio = one["yardstick"] != 1.0
        low, high = one["spread"]
        yardstick = f"{number(one['yardstick'])} {one['against']}" if is_ratio else ""
        goal = f"{'at most' if one['at_most'] else 'at least'} {one['target']:g}"
        met = "" if one["met"] else ", **not met**"
        ratio = f"{number(one['ratio'])} ({number(low)} to {number(high)})"
        lines.append(f"| {one['name']} | {number(one['value'])} {one['unit']} | {yardstick} | {ratio} | {goal}{met} |")
    busiest = max(bench["rounds"], key=lambda one: one["generator_share"])
    lines += ["", f"The generator used {busiest['generator_share']:.0%} of a core at most ({busiest['name']})."]
    return "\n".join(lines)


def saturation(bench: Document) -> str:
    """A row for each curve: its best share, ten times the peak, and what an answer costs at both."""
    lines = [
        "| kind | goodput at best | at ten times | ratio (spread) | p50, p99 there | CPU at one, ten |",
        "|---|---|---|---|---|---|",
    ]
    ratios = {one["name"].rpartition(",")[0]: one for one in bench["figures"] if one["name"].endswith("peak offered")}
    for kind, points in bench["curves"].items():
        most, held = points[-1], ratios[kind]
        peak = next(point for point in points if point["share"] == 1)
        low, high = held["spread"]
        cells = (
            kind,
            f"{number(held['yardstick'])} /s",
            f"{number(most['goodput_per_s'])} /s of {number(most['offered_per_s'])}",
            f"{held['ratio']:.2f} ({low:.2f} to {high:.2f})",
            f"{number(most['p50_ms'])}, {number(most['p99_ms'])} ms",
            f"{number(sum(peak['cpu_us'].values()))}, {number(sum(most['cpu_us'].values()))} µs",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def scale(bench: Document) -> str:
    """A row for each kind and number of workers."""
    lines = [
        "| kind | workers | per second | to one worker (spread) | web workers | Redis | PostgreSQL |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in bench["scale"]:
        costs = " | ".join(f"{one[whose]:.1f} µs" for whose in ("web_us", "redis_us", "postgres_us"))
        ratio = f"{one['ratio']:.2f} ({one['lowest']:.2f} to {one['highest']:.2f})"
        lines.append(f"| {one['kind']} | {one['workers']} | {one['per_s']:,.0f} | {ratio} | {costs} |")
    return "\n".join(lines)


def peers(bench: Document) -> str:
    """A row for each design, the engine first."""
    lines = ["| design | orders a second | p50 | p99 | CPU for an order, all processes |", "|---|---|---|---|---|"]
    for one in bench["peers"]:
        cells = (f"{one['orders_per_s']:,.0f}", f"{one['p50_ms']:.0f} ms", f"{one['p99_ms']:.0f} ms")
        lines.append(f"| {one['design']} | {' | '.join(cells)} | {one['cpu_us']:,.0f} µs |")
    return "\n".join(lines)
