"""One storm against a running stack: pay, change keys, kill, come to rest, and gather the three accounts."""

from __future__ import annotations

import asyncio
import random
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

import aiohttp
import orjson
from yarl import URL

from loadtest.books.stack import Stack
from loadtest.books.watch import Watch
from loadtest.crowd.protocol import Shop
from loadtest.storm.books import Claimed, Trade, Verdict, judge
from loadtest.storm.payers import PAYING_SHARE, Memory, Payers
from loadtest.storm.weather import BEGINNING, CALM, HOLES, Weather
from loadtest.wires.loop import LoopWire
from loadtest.wires.port import NOTHING_CAME, Outage, Wire

SALE = "storm"
SKUS = ("storm-floor", "storm-stand", "storm-balcony")
REST_MAX_S = 90.0
REST_EVERY_S = 1.0
READERS = 32
COMMAND_TIMEOUT_S = 120.0
CHINA = timezone(timedelta(hours=8))
OPEN_NOTICES = "floodgate_inbox_open "

Floodgate = Callable[..., Sequence[str]]
"""The command line of one `floodgate` command, from the path of its settings and its words."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`orders` are to be paid; `kill_every_s` is None for a storm without deaths."""

    orders: int
    seed: int
    kill_every_s: float | None


@dataclass(slots=True)
class Aftermath:
    """Everything a storm left behind."""

    memory: Memory
    verdict: Verdict
    audit: Any
    repaired: int
    """Money that WeChat took without ever telling, found by its bill and settled: 2 % of the late money is lost so."""
    reconciliations: list[Any]
    callbacks: dict[str, Any]
    killed: list[str]
    key_changes: list[str]
    paying_s: float
    resting_s: float
    outcomes: dict[str, int] = field(default_factory=dict)


class StormRun:
    """`go` does all of it. Raises StackError when the stack goes away for good."""

    def __init__(self, stack: Stack, plan: Plan, *, floodgate: Floodgate, say: Callable[[str], None]) -> None:
        self._stack = stack
        self._plan = plan
        self._floodgate = floodgate
        self._say = say
        self._memory = Memory()
        self._outcomes: dict[str, int] = {}

    async def go(self) -> Aftermath:
        dice = random.Random(self._plan.seed)
        timeout = aiohttp.ClientTimeout(total=10)
        async with (
            LoopWire(dice=dice, observer=self._observe) as wire,
            aiohttp.ClientSession(timeout=timeout) as session,
        ):
            weather = Weather(session, self._stack, dice=dice)
            await weather.set(BEGINNING)
            addresses = self._stack.addresses()
            shop = Shop.at(public_url=addresses.public_url, wechat_url=addresses.simulator_url, sale=SALE)
            await Watch(wire, self._stack, sale=SALE).everywhere()
            began, began_on = time.monotonic(), _today()
            await self._pay(wire, shop, weather)
            paying_s = time.monotonic() - began
            await weather.set(CALM)
            self._say(f"{self._memory.paid:,} orders paid; waiting until everything is decided ...")
            await self._come_to_rest(wire, session, weather)
            resting_s = time.monotonic() - began - paying_s
            self._say("Reading WeChat's bill of today, and settling what nobody ever told ...")
            await weather.set({"bill_today": True})
            days = sorted({began_on, _today()})  # a storm may pass midnight in China
            repaired = [await self._run("reconcile", day, "--repair", "--json") for day in days]
            await self._come_to_rest(wire, session, weather)
            self._say("Comparing WeChat's ledger, the buyers' orders and the bill ...")
            return Aftermath(
                memory=self._memory,
                verdict=await self._judge(session, weather),
                audit=await self._run("audit", "--json"),
                repaired=sum(int(one.get("repaired", 0)) for one in repaired),
                reconciliations=[await self._run("reconcile", day, "--json") for day in days],
                callbacks=await weather.ask("/_admin/callbacks"),
                killed=weather.killed,
                key_changes=weather.changes,
                paying_s=paying_s,
                resting_s=resting_s,
                outcomes=dict(sorted(self._outcomes.items())),
            )

    def _observe(self, kind: str, outcome: str, _elapsed_s: float) -> None:
        key = f"{kind} {outcome}"
        self._outcomes[key] = self._outcomes.get(key, 0) + 1

    async def _pay(self, wire: Wire, shop: Shop, weather: Weather) -> None:
        payers = Payers(wire, shop, self._memory, seed=self._plan.seed, skus=SKUS)
        count = int(self._plan.orders / PAYING_SHARE * 1.01) + 1
        beside = [asyncio.create_task(weather.change_keys(lambda: self._memory.paid / self._plan.orders))]
        beside.append(asyncio.create_task(self._tell()))
        if self._plan.kill_every_s is not None:
            beside.append(asyncio.create_task(weather.kill(every_s=self._plan.kill_every_s)))
        try:
            await payers.pay(count)
        finally:
            for task in beside:
                task.cancel()
            ended = await asyncio.gather(*beside, return_exceptions=True)
        for problem in ended:
            if isinstance(problem, Exception):
                raise problem

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(5)
            self._stack.check()
            self._say(f"{self._memory.paid:,} of {self._plan.orders:,} orders paid")

    async def _come_to_rest(self, wire: Wire, session: aiohttp.ClientSession, weather: Weather) -> None:
        """Until nothing moves: no order without an end, no notice without a decision, no callback on its way."""
        watch = Watch(wire, self._stack, sale=SALE)
        until = time.monotonic() + REST_MAX_S
        while time.monotonic() < until:
            self._stack.check()
            if await watch.sample() and not watch.in_motion():
                tally = await weather.ask("/_admin/callbacks")
                if not tally["unfinished"] and not await self._open_notices(session):
                    return
            await asyncio.sleep(REST_EVERY_S)

    async def _open_notices(self, session: aiohttp.ClientSession) -> int:
        """As the jobs' metrics tell it."""
        url = URL(self._stack.addresses().jobs_admin_url) / "metrics"
        try:
            async with session.get(url) as answer:
                lines = (await answer.text()).splitlines()
        except NOTHING_CAME:
            return 1
        except aiohttp.ClientError:
            return 1
        return int(float(next(line for line in lines if line.startswith(OPEN_NOTICES)).split()[1]))

    async def _judge(self, session: aiohttp.ClientSession, weather: Weather) -> Verdict:
        rows = (await weather.ask("/_admin/ledger"))["orders"]
        trades = {
            row["out_trade_no"]: Trade(
                order_no=row["out_trade_no"],
                came_fen=row["total_fen"] if row["transaction_id"] else 0,
                refunded_fen=row["refunded_fen"],
                refunding_fen=row["refunding_fen"],
            )
            for row in rows
        }
        return judge(
            trades,
            await self._claims(),
            acknowledged=list(self._memory.acknowledged),
            open_notices=await self._open_notices(session),
        )

    async def _claims(self) -> dict[str, Claimed]:
        """Every order, as its own buyer reads it."""
        claims: dict[str, Claimed] = {}
        phones = list(self._memory.phones.values())

        async def read() -> None:
            while phones:
                for order in await phones.pop().listed():
                    claims[order["order_no"]] = Claimed(
                        order["order_no"], order["state"], order["amount_fen"], order["refunded_fen"]
                    )

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(READERS):
                    group.create_task(read())
        except* Outage as outages:
            raise outages.exceptions[0] from None
        return claims

    async def _run(self, *words: str) -> Any:
        """What a command prints as JSON, with its exit status beside it."""
        command = self._floodgate(self._stack.addresses().config, *words)
        done = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, check=False, timeout=COMMAND_TIMEOUT_S
        )
        try:
            said = orjson.loads(done.stdout)
        except orjson.JSONDecodeError:
            said = {"output": (done.stdout + done.stderr).decode(errors="replace")[-2000:]}
        return {**said, "exit_status": done.returncode}


def _today() -> str:
    return datetime.now(CHINA).date().isoformat()


def report(aftermath: Aftermath, plan: Plan, *, duration_s: float) -> dict[str, Any]:
    """The report, verdict first; see `docs/payments.md`."""
    verdict = aftermath.verdict
    differences = sum(int(one.get("differences", 1)) for one in aftermath.reconciliations)
    reasons = list(verdict.reasons)
    if verdict.paid < plan.orders:
        reasons.append(f"only {verdict.paid} of {plan.orders} orders were paid")
    reasons += [
        f"the bill does not reconcile: {str(one)[:600]}" for one in aftermath.reconciliations if one["exit_status"]
    ]
    if aftermath.audit["exit_status"]:
        reasons.append(f"the audit fails: {str(aftermath.audit)[:600]}")
    bad_accepted = {kind: n for kind, n in aftermath.callbacks["bad_accepted"].items() if kind in HOLES}
    if bad_accepted or aftermath.callbacks["probes_accepted"]:
        reasons.append(f"notices that nobody signed were accepted: {bad_accepted}")
    return {
        "verdict": "fail" if reasons else "pass",
        "reasons": reasons,
        "orders": verdict.orders,
        "paid": verdict.paid,
        "refunded": verdict.refunded,
        "lost": verdict.lost,
        "double": verdict.double,
        "unresolved": verdict.unresolved,
        "reconcile_differences": differences,
        "repaired_by_bill": aftermath.repaired,
        "paid_fen": verdict.paid_fen,
        "refunded_fen": verdict.refunded_fen,
        "duration_s": round(duration_s, 1),
        "paying_s": round(aftermath.paying_s, 1),
        "resting_s": round(aftermath.resting_s, 1),
        "paid_per_s": round(verdict.paid / aftermath.paying_s, 1),
        "killed": aftermath.killed,
        "key_changes": aftermath.key_changes,
        "callbacks": aftermath.callbacks,
        "ways": {way.value: count for way, count in aftermath.memory.ways.items()},
        "tickets_returned": aftermath.memory.returned,
        "complaints": dict(aftermath.memory.complaints),
        "outages": dict(aftermath.memory.outages),
        "requests": aftermath.outcomes,
        "audit": aftermath.audit,
        "reconciliations": aftermath.reconciliations,
        "plan": asdict(plan),
    }
