"""`make payment-storm`: the storm on this machine, and the verdict as exit status: 0 pass, 1 fail, 2 no verdict
because the stack would not run, 130 stopped. The report is `.run/payment-storm.json`."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import uvloop
from rich.console import Console
from rich.table import Table

from loadtest.books.stack import Stack, StackError, allow_open_files
from loadtest.storm.storm import Plan, StormRun, report
from loadtest.storm.weather import PROFILE
from loadtest.wires.port import Outage

RUN = Path(".run")
HOME = RUN / "storm"
LOG = RUN / "storm-stack.log"
REPORT = RUN / "payment-storm.json"
SALE_FILE = Path(__file__).with_name("sale.toml")
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Certificates are believed beside the public key, as a merchant does who migrates from one to the other.
ENVIRONMENT = {"FLOODGATE_WECHAT_PLATFORM_CERTIFICATES": "true"}
FIGURES = ("orders", "paid", "refunded", "lost", "double", "unresolved", "reconcile_differences")


def up_command(*, workers: int) -> list[str]:
    return [
        *(_floodgate(), "up", "--home", str(HOME), "--workers", str(workers)),
        *("--sale", str(SALE_FILE), "--opens-in", "0", "--simulator", f"--callers 1 --profile {PROFILE}"),
    ]


def floodgate(config: str, *words: str) -> list[str]:
    return [_floodgate(), "--config", config, *words]


def _floodgate() -> str:
    return str(Path(sys.executable).with_name("floodgate"))


async def run(plan: Plan, *, stack: Stack, console: Console) -> int:
    began = time.monotonic()
    console.print(f"Starting the stack (log: {LOG}) ...", highlight=False)
    try:
        await stack.start()
        console.print(f"Up after {time.monotonic() - began:.1f} s. {plan.orders:,} orders are to be paid.")

        def say(what: str) -> None:
            console.print(f"{time.monotonic() - began:5.0f} s  {what}", highlight=False)

        aftermath = await StormRun(stack, plan, floodgate=floodgate, say=say).go()
    finally:
        left_running = await stack.stop()
    found = report(aftermath, plan, duration_s=time.monotonic() - began)
    if left_running:
        found["verdict"] = "fail"
        found["reasons"].append(f"still running: {', '.join(left_running)}")
    REPORT.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    _show(console, found)
    return 0 if found["verdict"] == "pass" else 1


def _show(console: Console, found: dict[str, Any]) -> None:
    table = Table(title="Payment storm", title_justify="left")
    table.add_column("what")
    table.add_column("count", justify="right")
    for name in FIGURES:
        table.add_row(name.replace("_", " "), f"{found[name]:,}")
    console.print(table)
    told = found["callbacks"]
    console.print(
        f"WeChat sent {told['attempts']:,} notices: {told['lost']:,} never left, {told['late']:,} late, "
        f"{told['duplicates']:,} doubled, {told['bad']} bad, {told['overtaken']:,} overtaken. "
        f"{len(found['killed'])} processes were killed, the keys changed {len(found['key_changes'])} times.",
        highlight=False,
    )
    good = found["verdict"] == "pass"
    console.print(
        f"[bold {'green' if good else 'red'}]{found['verdict']}[/]: {found['paid']:,} orders paid in "
        f"{found['paying_s']:.0f} s ({found['paid_per_s']:.0f}/s), {found['duration_s']:.0f} s in all"
    )
    for reason in found["reasons"]:
        console.print(f"  {reason}", style="red", highlight=False, markup=False)
    console.print(f"Report: {REPORT}", highlight=False)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtest.storm", description="Pay through a storm, and count.")
    parser.add_argument("--orders", type=int, default=20_000, help="how many orders are to be paid (20000)")
    parser.add_argument("--seed", type=int, default=20270301, help="the same seed brings the same payers and luck")
    parser.add_argument("--workers", type=int, default=2, help="web workers (2)")
    parser.add_argument("--kill", type=float, default=6.0, metavar="SECONDS", help="kill -9 this often; 0 never (6)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(sys.argv[1:] if arguments is None else arguments)
    console = Console()
    RUN.mkdir(exist_ok=True)
    allow_open_files()
    stack = Stack(up_command(workers=options.workers), home=HOME, log=LOG, environment=ENVIRONMENT)
    plan = Plan(orders=options.orders, seed=options.seed, kill_every_s=options.kill or None)

    async def until_told_to_stop() -> int:
        task = asyncio.ensure_future(run(plan, stack=stack, console=console))
        for number in STOPPING:
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        return await task

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(until_told_to_stop())
    except asyncio.CancelledError:
        console.print("Stopped before the end; the stack is down and there is no verdict.")
        return 130
    except (StackError, Outage) as error:
        console.print(f"No verdict: {error}", highlight=False, soft_wrap=True, markup=False)
        return 2


if __name__ == "__main__":
    sys.exit(main())
