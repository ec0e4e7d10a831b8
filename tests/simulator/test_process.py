"""The command: one line when ready, a clean end, and a kill -9 that loses no money."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import orjson
import pytest

from engine.simulator.keys import credentials
from tests.simulator.conftest import Caller, Receiver


class Process:
    """`python -m engine.simulator` in a home; `names` and `port` let a Caller speak to it."""

    def __init__(self, home: Path, child: asyncio.subprocess.Process, line: str) -> None:
        self.credentials = credentials.ensure(home)
        self.child = child
        self.line = line
        self.port = int(line.split("127.0.0.1:")[1].split(maxsplit=1)[0])

    async def end(self, number: int) -> int:
        if self.child.returncode is None:
            self.child.send_signal(number)
        return await asyncio.wait_for(self.child.wait(), 15)


async def command(home: Path, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "engine.simulator",
        "--home",
        str(home),
        "--port",
        "0",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONUNBUFFERED": "1", "COLUMNS": "200"},
    )


class Launcher:
    def __init__(self, home: Path, faults: Path) -> None:
        self.home = home
        self.faults = faults
        self.started: list[Process] = []

    async def __call__(self, **knobs: object) -> Process:
        lines = [f"{name} = {orjson.dumps(value).decode()}" for name, value in knobs.items()]
        self.faults.write_text("\n".join(lines))
        child = await command(self.home, "--faults", str(self.faults))
        assert child.stdout is not None
        line = (await asyncio.wait_for(child.stdout.readline(), 20)).decode()
        self.started.append(Process(self.home, child, line))
        return self.started[-1]


@pytest.fixture
async def launch(home: Path, tmp_path: Path) -> AsyncIterator[Launcher]:
    launcher = Launcher(home, tmp_path / "faults.toml")
    yield launcher
    for process in launcher.started:
        await process.end(signal.SIGKILL)


def caller_of(process: Process, session: aiohttp.ClientSession, receiver: Receiver) -> Caller:
    return Caller(session, process.credentials, process.port, receiver.url)


async def test_it_says_when_it_is_ready_and_ends_on_sigterm(launch: Launcher) -> None:
    process = await launch()
    assert process.line.startswith("simulator ready on http://127.0.0.1:")
    assert await process.end(signal.SIGTERM) == 0
    assert process.child.stderr is not None
    assert await process.child.stderr.read() == b""


async def test_kill_9_loses_no_payment_and_its_callback_comes_after_the_restart(
    launch: Launcher, session: aiohttp.ClientSession, receiver: Receiver
) -> None:
    first = await launch(callback_delay_ms=[60_000, 60_000])
    transaction_id = await caller_of(first, session, receiver).order_and_pay()
    await first.end(signal.SIGKILL)
    second = caller_of(await launch(callback_delay_ms=[0, 0]), session, receiver)
    assert (await second.query()).json["transaction_id"] == transaction_id
    await receiver.wait(1)


async def test_kill_9_loses_no_refund(launch: Launcher, session: aiohttp.ClientSession, receiver: Receiver) -> None:
    first = await launch(callback_delay_ms=[0, 0], refund_delay_ms=[60_000, 60_000])
    caller = caller_of(first, session, receiver)
    await caller.order_and_pay()
    await receiver.wait(1)
    assert (await caller.refund()).json["status"] == "PROCESSING"
    await first.end(signal.SIGKILL)
    await launch(callback_delay_ms=[0, 0], refund_delay_ms=[0, 0])
    again = caller_of(launch.started[-1], session, receiver)
    await receiver.wait(2)
    ledger = (await again.house("GET", "/_admin/ledger")).json["orders"]
    assert [row["refunded_fen"] for row in ledger] == [100]


async def test_an_acknowledged_callback_does_not_come_again_after_a_restart(
    launch: Launcher, session: aiohttp.ClientSession, receiver: Receiver
) -> None:
    first = await launch(callback_delay_ms=[0, 0])
    caller = caller_of(first, session, receiver)
    await caller.order_and_pay()
    async with asyncio.timeout(10):
        while (await caller.house("GET", "/_admin/callbacks")).json["acknowledged"] == 0:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await first.end(signal.SIGKILL)
    again = caller_of(await launch(callback_delay_ms=[0, 0]), session, receiver)
    assert (await again.house("GET", "/_admin/callbacks")).json["unfinished"] == 0


@pytest.mark.parametrize(
    ("content", "reason"), [("callback_loss = 2", "callback_loss"), ("callback_loss =", "Invalid")]
)
async def test_a_wrong_fault_file_starts_nothing_and_says_why(
    home: Path, tmp_path: Path, content: str, reason: str
) -> None:
    file = tmp_path / "faults.toml"
    file.write_text(content)
    child = await command(home, "--faults", str(file))
    _, said = await asyncio.wait_for(child.communicate(), 20)
    assert child.returncode == 2
    assert reason in said.decode()


async def test_a_home_in_use_starts_nothing_and_says_why(launch: Launcher) -> None:
    await launch()
    child = await command(launch.home)
    _, said = await asyncio.wait_for(child.communicate(), 20)
    assert child.returncode == 2
    assert "another simulator" in said.decode()
