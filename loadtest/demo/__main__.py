"""`make demo`: one concert drop, sold end to end on this machine, and an honest verdict on it.

Starts `floodgate up` on fresh data, sends the crowd through login, line, pass, order, payment and callback
over real HTTP, waits until everything came to rest, compares what everybody was told with what the books say,
stops the stack, and ends with the verdict as exit status: 0 pass, 1 fail, 2 no verdict because the stack
would not run, 130 stopped by a signal.

The report, `.run/demo-report.json`, holds the figures of `verdict.py` and these:
orders_per_s, refusals_per_s   acknowledged and refused orders in the best whole second
draw_verified                  `floodgate verify-draw` holds: rules, every entry, seed, one buyer's proof
lobby_size                     people who took part in the draw
kendall_tau, kendall_tau_of_all, admitted, came_late, largest_overtaking
                               how fair the line was; see `fairness.py`
show_rate                      of the phones that saw their call, the share that came
order_p50_ms, order_p99_ms     from a buyer's tap to the acknowledged order, waits and retries included
duration_s                     the whole run, from starting the stack to its last process gone
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
import uvloop
from rich.console import Console

from loadtest.books.reckoning import Evidence, Tools
from loadtest.books.stack import Stack, StackError, allow_open_files
from loadtest.books.verdict import Judgement, judge
from loadtest.crowd.journal import Journal, percentile_ms
from loadtest.demo.drop import SALE, DropRun, Plan
from loadtest.demo.screen import Screen, summary
from loadtest.recording.trust import BUSY_SHARE

RUN = Path(".run")
HOME = RUN / "demo"
LOG = RUN / "demo-stack.log"
REPORT = RUN / "demo-report.json"
DRAW = RUN / "draw"
SALE_FILE = Path("examples/concert.toml")
OPENS_IN_S = 8
"""From applying the sale, the last step of the start, to the opening: the time of the lobby."""
ENVIRONMENT = {"FLOODGATE_LINE_CLAIM_WINDOW_S": "10", "FLOODGATE_LINE_PASS_SERVING_S": "6"}
"""Times that belong to the hold: it is 12 s here and not ten minutes, so nobody is waited for a minute and a half, and
nobody chooses for two."""
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LATE_P99_MS = 1000.0
"""With buyers that late, too, the generator may be what is measured."""


def up_command(*, workers: int) -> list[str]:
    return [
        *_floodgate(),
        *("up", "--home", str(HOME), "--workers", str(workers)),
        *("--sale", str(SALE_FILE), "--opens-in", str(OPENS_IN_S)),
    ]


def audit_command(config: str) -> list[str]:
    return [*_floodgate(), "--config", config, "audit", "--json"]


def line_audit_command(config: str) -> list[str]:
    return [*_floodgate(), "--config", config, "line", "audit", SALE]


def tools() -> Tools:
    return Tools(
        audit=audit_command, line_audit=line_audit_command, verify_draw=[*_floodgate(), "verify-draw"], draw_folder=DRAW
    )


def _floodgate() -> list[str]:
    return [str(Path(sys.executable).with_name("floodgate"))]


async def run(arguments: argparse.Namespace, *, stack: Stack, console: Console) -> int:
    began = time.monotonic()
    plan = Plan(buyer_count=arguments.buyers, seed=arguments.seed, chaos_every_s=arguments.chaos)
    is_live = console.is_terminal and not arguments.plain
    shutil.rmtree(DRAW, ignore_errors=True)
    try:
        console.print(f"Starting the stack (log: {LOG}) ...", highlight=False)
        await stack.start()
        console.print(
            f"Up after {time.monotonic() - began:.1f} s. {plan.buyer_count:,} buyers are on their way.",
            highlight=False,
        )
        with Screen(console, is_live=is_live) as screen:
            evidence = await DropRun(stack, plan, screen=screen, tools=tools()).go()
        if arguments.keep:
            await _keep(stack, console)
    finally:
        left_running = await stack.stop()
    judgement = judge(evidence.facts(left_running=left_running))
    report = build_report(judgement, evidence, plan=plan, duration_s=time.monotonic() - began)
    REPORT.write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2))
    summary(console, judgement, report)
    console.print(f"Report: {REPORT}", highlight=False)
    console.print(f"The draw again, without any server: .venv/bin/floodgate verify-draw {DRAW}", highlight=False)
    return 0 if judgement.is_pass else 1


async def _keep(stack: Stack, console: Console) -> None:
    addresses = stack.addresses()
    console.print(
        f"The drop is over and the stack still runs: {addresses.public_url}, "
        f"admin {', '.join(addresses.admin_urls)}, WeChat {addresses.simulator_url}. Ctrl-C ends it."
    )
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stopped.set)
    await stopped.wait()


def build_report(judgement: Judgement, evidence: Evidence, *, plan: Plan, duration_s: float) -> dict[str, Any]:
    journal = evidence.journal
    share = evidence.rush_cpu_s / evidence.rush_s if evidence.rush_s else 0.0
    late_p99_ms = percentile_ms(journal.arrival_lag_s, 0.99)
    return {
        "verdict": "pass" if judgement.is_pass else "fail",
        "capacity": judgement.capacity,
        "sold": judgement.sold,
        "oversold": judgement.oversold,
        "undersold": judgement.undersold,
        "paid_orders": judgement.paid_orders,
        "paid_fen": judgement.paid_fen,
        "refunded_fen": judgement.refunded_fen,
        "lost_paid": judgement.lost_paid,
        "double_paid": judgement.double_paid,
        "draw_verified": evidence.draw.is_verified,
        "lobby_size": evidence.draw.lobby_size,
        "drawn_after_s": evidence.draw.drawn_after_s,
        **asdict(evidence.fairness()),
        "overtaking_max": evidence.called_in_a_look,
        "show_rate": _show_rate(journal),
        "orders_per_s": max(journal.orders_at.values(), default=0),
        "refusals_per_s": max(journal.refusals_at.values(), default=0),
        "order_p50_ms": percentile_ms(journal.order_s, 0.50),
        "order_p99_ms": percentile_ms(journal.order_s, 0.99),
        "duration_s": round(duration_s, 1),
        "reasons": list(judgement.reasons),
        "complaint_examples": journal.examples,
        "title": f"{evidence.sale.event} · {evidence.sale.title}",
        "buyers": plan.buyer_count,
        "seed": plan.seed,
        "orders_acknowledged": len(journal.told),
        "orders_by_state": evidence.orders_by_state,
        "buyers_ended": _ends(evidence),
        "refusals": journal.refusals_by_code(),
        "refusal_p50_ms": percentile_ms(journal.refusal_s, 0.50),
        "refusal_p99_ms": percentile_ms(journal.refusal_s, 0.99),
        "requests": {f"{kind} {outcome}": count for (kind, outcome), count in sorted(journal.outcomes.items())},
        "outages": _outages(evidence),
        "line_document_reads": evidence.line_reads,
        "killed": evidence.killed,
        "draw_checks": evidence.draw.checks,
        "line": evidence.line,
        "room_waits": journal.room_waits,
        "audit": evidence.audit,
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}",
        "python": platform.python_version(),
        "generator_cpu_s": round(evidence.rush_cpu_s, 2),
        "generator_cpu_share": round(share, 3),
        "generator_lag_p99_ms": late_p99_ms,
        "generator_is_suspect": share > BUSY_SHARE or late_p99_ms > LATE_P99_MS,
    }


def _show_rate(journal: Journal) -> float:
    came = sum(one.asked_s is not None for one in journal.claimings)
    return round(came / len(journal.claimings), 4) if journal.claimings else 0.0


def _ends(evidence: Evidence) -> dict[str, int]:
    """How the drop ended for each buyer."""
    ends = Counter({"paid": 0, **evidence.journal.leavings})
    for stage, count in evidence.journal.stages.items():
        if stage.value == "paid":
            ends["paid"] += count
    return dict(ends.most_common())


def _outages(evidence: Evidence) -> dict[str, int]:
    outages: Counter[str] = Counter()
    for (kind, outcome), count in evidence.journal.outcomes.items():
        if outcome.startswith("outage:"):
            outages[f"{kind} {outcome.removeprefix('outage:')}"] += count
    return dict(outages.most_common())


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m loadtest.demo", description="Sell one whole concert drop on this machine."
    )
    parser.add_argument("--buyers", type=_at_least_one, default=6000, help="how many come (6000)")
    parser.add_argument("--seed", type=int, default=20270301, help="the same seed brings the same crowd")
    parser.add_argument("--workers", type=_at_least_one, default=2, help="web workers (2)")
    parser.add_argument(
        "--chaos", type=float, metavar="SECONDS", help="kill -9 a random process of the stack this often"
    )
    parser.add_argument("--keep", action="store_true", help="leave the stack running until Ctrl-C")
    parser.add_argument("--plain", action="store_true", help="plain lines even on a terminal")
    return parser.parse_args(arguments)


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def main(arguments: Sequence[str] | None = None, *, stack: Stack | None = None) -> int:
    options = parse(sys.argv[1:] if arguments is None else arguments)
    console = Console()
    RUN.mkdir(exist_ok=True)
    allow_open_files()
    stack = stack or Stack(up_command(workers=options.workers), home=HOME, log=LOG, environment=ENVIRONMENT)

    async def until_told_to_stop() -> int:
        task = asyncio.ensure_future(run(options, stack=stack, console=console))
        loop = asyncio.get_running_loop()

        def stop_once() -> None:
            # A second signal must not interrupt the stopping of the stack.
            for number in STOPPING:
                loop.add_signal_handler(number, lambda: None)
            task.cancel()

        for number in STOPPING:
            loop.add_signal_handler(number, stop_once)
        return await task

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(until_told_to_stop())
    except asyncio.CancelledError:
        console.print("Stopped before the end; the stack is down and there is no verdict.")
        return 130
    except StackError as error:
        console.print(f"No verdict: {error}", highlight=False, soft_wrap=True, markup=False)
        return 2


if __name__ == "__main__":
    sys.exit(main())
