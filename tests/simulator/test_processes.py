"""Several processes: they act as one, and killing any of them loses no money and no callback."""

import asyncio
import base64
import contextlib
import gzip
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import psutil
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from engine.simulator.keys import credentials, crypto
from engine.simulator.pay.shapes import CHINA
from tests.simulator.conftest import OPENID, Caller, Receiver, Reply

COMMAND = (sys.executable, "-u", "-m", "engine.simulator")
KNOBS: dict[str, object] = {
    "callback_delay_ms": [0, 0],
    "callback_retry_scale": 0.001,
    "refund_delay_ms": [0, 0],
    "refund_spacing_ms": 0,
}


class Running:
    """Two fronts and two callers of one home."""

    def __init__(self, home: Path) -> None:
        profile = home / "profile.toml"
        profile.write_text("\n".join(f"{name} = {orjson.dumps(value).decode()}" for name, value in KNOBS.items()))
        self.child = subprocess.Popen(
            [*COMMAND, "--home", str(home), "--port", "0", "--workers", "2", "--callers", "2", "--profile", profile],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.child.stdout is not None
        line = self.child.stdout.readline()
        self.port = int(line.split("127.0.0.1:")[1].split(maxsplit=1)[0])
        self.credentials = credentials.ensure(home)

    def end(self, number: int) -> int:
        self.child.send_signal(number)
        return self.child.wait(15)

    def close(self) -> None:
        self.end(signal.SIGKILL)
        for stream in (self.child.stdout, self.child.stderr):
            assert stream is not None
            stream.close()


@pytest.fixture(scope="module")
def lasting(made_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One for all tests that leave its parent alive."""
    running = Running(shutil.copytree(made_home, tmp_path_factory.mktemp("processes") / "home"))
    yield running
    running.close()


@pytest.fixture
def brief(home: Path) -> Iterator[Running]:
    running = Running(home)
    yield running
    running.close()


@pytest.fixture
async def separate() -> AsyncIterator[aiohttp.ClientSession]:
    """Every call has a connection of its own, so that both fronts get their share."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
        yield session


@pytest.fixture
async def merchant(lasting: Running, separate: aiohttp.ClientSession, receiver: Receiver) -> AsyncIterator[Caller]:
    merchant = Caller(separate, lasting.credentials, lasting.port, receiver.url)
    yield merchant
    assert (await merchant.house("POST", "/_admin/reset")).status == 200


async def pids(merchant: Caller) -> dict[str, Any]:
    return (await merchant.house("GET", "/_admin/processes")).json  # type: ignore[no-any-return]


async def kill(merchant: Caller, role: str) -> dict[str, Any]:
    """Kill all of a role; the processes once all are there again. The office may be away for a moment."""
    before = await pids(merchant)
    killed = before[role] if isinstance(before[role], list) else [before[role]]
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                reply = await merchant.house("GET", "/_admin/processes")
                if reply.status == 200 and is_whole(reply.json, without=killed):
                    return reply.json  # type: ignore[no-any-return]
            await asyncio.sleep(0.01)


def is_whole(running: dict[str, Any], *, without: list[int]) -> bool:
    found = {running["ledger"], *running["fronts"], *running["callers"]}
    return len(found) == 5 and found.isdisjoint(without)


async def callbacks_until(merchant: Caller, **wanted: int) -> None:
    async with asyncio.timeout(20):
        while True:
            tally = (await merchant.house("GET", "/_admin/callbacks")).json
            if wanted.items() <= tally.items():
                return
            await asyncio.sleep(0.01)


async def test_every_role_is_a_process_of_its_own(merchant: Caller, lasting: Running) -> None:
    running = await pids(merchant)
    assert running["parent"] == lasting.child.pid
    assert is_whole(running, without=[lasting.child.pid])


async def costs(merchant: Caller) -> Any:
    return (await merchant.house("GET", "/_admin/costs")).json


def by_role(told: Any, count: str) -> dict[str, int]:
    """One count, summed over the processes of each role."""
    sums = {"ledger": 0, "front": 0, "caller": 0}
    for process in told["processes"]:
        sums[process["role"]] += process[count]
    return sums


async def test_every_process_tells_what_it_has_signed_and_verified(merchant: Caller, receiver: Receiver) -> None:
    """Fronts verify requests and sign answers, callers sign callbacks, the buyer's app in the office verifies."""
    before = await costs(merchant)
    await merchant.order_and_pay()
    await receiver.wait(1)
    after = await costs(merchant)

    def grown(count: str) -> dict[str, int]:
        was = by_role(before, count)
        return {role: now - was[role] for role, now in by_role(after, count).items()}

    assert grown("signed") == {"ledger": 0, "front": 1, "caller": 1}
    assert grown("verified") == {"ledger": 1, "front": 1, "caller": 0}


async def test_the_costs_of_all_processes_are_told_once_each_and_in_sum(merchant: Caller) -> None:
    await merchant.order_and_pay()
    running, told = await pids(merchant), await costs(merchant)
    processes = told["processes"]
    assert {each["pid"] for each in processes} == {running["ledger"], *running["fronts"], *running["callers"]}
    assert len(processes) == 5
    assert told["silent"] == []
    for name in ("cpu_s", "signed", "sign_cpu_s", "verified", "verify_cpu_s"):
        assert told["total"][name] == pytest.approx(sum(each[name] for each in processes))


async def test_signing_takes_cpu_time_of_the_process_that_signs_and_no_more_than_all_of_it(merchant: Caller) -> None:
    await merchant.order()
    spent = [each for each in (await costs(merchant))["processes"] if each["signed"]]
    assert spent
    assert all(0 < each["sign_cpu_s"] <= each["cpu_s"] for each in spent)


async def test_a_front_that_was_killed_begins_to_count_anew(merchant: Caller) -> None:
    await merchant.order_and_pay()
    await kill(merchant, "fronts")
    assert by_role(await costs(merchant), "signed")["front"] == 0


async def test_a_process_that_hangs_is_named_and_keeps_nobody_waiting(merchant: Caller) -> None:
    hanging = (await pids(merchant))["callers"][0]
    os.kill(hanging, signal.SIGSTOP)
    try:
        told = await costs(merchant)
    finally:
        os.kill(hanging, signal.SIGCONT)
    assert told["silent"] == [hanging]
    assert len(told["processes"]) == 4


async def test_an_order_paid_at_one_front_is_known_at_every_other(merchant: Caller, receiver: Receiver) -> None:
    transaction_id = await merchant.order_and_pay()
    found = await asyncio.gather(*(merchant.query() for _ in range(12)))
    assert {reply.json["transaction_id"] for reply in found} == {transaction_id}
    assert len(await receiver.wait(1)) == 1


async def test_of_closes_and_payments_at_all_fronts_at_once_one_kind_wins(merchant: Caller) -> None:
    payment = merchant.payment((await merchant.order()).json["prepay_id"])
    answers = await asyncio.gather(
        *(merchant.house("POST", "/_buyer/pay", payment) for _ in range(25)),
        *(merchant.close() for _ in range(25)),
    )
    paid = sum(answer.json["result"] == "ok" for answer in answers[:25])
    closed = sum(answer.status == 204 for answer in answers[25:])
    assert (paid, closed) in [(1, 0), (0, 25)]


async def test_a_login_code_of_one_front_works_once_at_any(merchant: Caller) -> None:
    code = (await merchant.house("POST", "/_buyer/login", {"openid": OPENID})).json["code"]
    names = merchant.names
    path = (
        f"/sns/jscode2session?appid={names.appid}&secret={names.app_secret}"
        f"&js_code={code}&grant_type=authorization_code"
    )
    told = await asyncio.gather(*(merchant.house("GET", path) for _ in range(8)))
    assert [reply.json["openid"] for reply in told if "openid" in reply.json] == [OPENID]


async def test_a_knob_turned_at_one_front_turns_everywhere(merchant: Caller) -> None:
    await merchant.house("PUT", "/_admin/faults", {"answer_error_before": 1.0})
    assert {reply.status for reply in await asyncio.gather(*(merchant.query() for _ in range(12)))} == {500}


async def test_killed_fronts_are_started_again_on_the_same_port(merchant: Caller) -> None:
    transaction_id = await merchant.order_and_pay()
    await kill(merchant, "fronts")
    assert (await merchant.query()).json["transaction_id"] == transaction_id


async def test_a_killed_ledger_process_knows_everything_it_answered(merchant: Caller) -> None:
    paid = [await merchant.order_and_pay(f"T0000{number}") for number in range(5)]
    await kill(merchant, "ledger")
    found = [(await merchant.query(f"T0000{number}")).json["transaction_id"] for number in range(5)]
    assert found == paid


async def test_a_knob_stays_turned_when_the_ledger_process_is_killed(merchant: Caller) -> None:
    await merchant.house("PUT", "/_admin/faults", {"seed": 77, "limits_per_s": {"order": 5}})
    await kill(merchant, "ledger")
    knobs = (await merchant.house("GET", "/_admin/faults")).json
    assert (knobs["seed"], knobs["limits_per_s"]) == (77, {"order": 5})


async def test_callbacks_of_killed_callers_are_sent_by_their_successors(merchant: Caller, receiver: Receiver) -> None:
    receiver.waits_s = [60.0] * 6
    for number in range(6):
        await merchant.order_and_pay(f"T0000{number}")
    await receiver.wait(6)
    receiver.waits_s = []
    await kill(merchant, "callers")
    await callbacks_until(merchant, acknowledged=6, unfinished=0)


async def test_callbacks_of_a_killed_ledger_process_are_sent_again(merchant: Caller, receiver: Receiver) -> None:
    receiver.answers = [500] * 1000
    await merchant.house("PUT", "/_admin/faults", {"callback_retry_scale": 1000.0})
    await merchant.order_and_pay()
    await callbacks_until(merchant, failed=1)
    receiver.answers = []
    await kill(merchant, "ledger")
    await callbacks_until(merchant, acknowledged=1, unfinished=0)


async def test_a_reset_forgets_everything_and_stays_forgotten(merchant: Caller) -> None:
    await merchant.order_and_pay()
    await merchant.house("PUT", "/_admin/faults", {"seed": 9})
    await merchant.house("POST", "/_admin/reset")
    assert (await merchant.house("GET", "/_admin/faults")).json["seed"] == 1
    await kill(merchant, "ledger")
    assert (await merchant.house("GET", "/_admin/ledger")).json == {"orders": []}


async def test_no_payment_is_lost_or_invented_while_everybody_is_killed_in_a_storm(
    merchant: Caller, receiver: Receiver
) -> None:
    """Every buyer who heard ok has paid, every order that was paid once is told, and nothing else is."""
    storm = tomllib.loads((Path(__file__).parents[2] / "examples/simulator/storm.toml").read_text())
    quick = {"callback_delay_ms": [0, 20], "callback_late_ms": [10, 50], "callback_retry_scale": 0.001}
    await merchant.house("PUT", "/_admin/faults", storm | quick | {"callback_loss": 0.0, "callback_bad_slow": 0.0})
    buyers = asyncio.create_task(buy_all(merchant, [f"T{number:05}" for number in range(60)]))
    for role in ("callers", "ledger", "fronts", "ledger"):
        await kill(merchant, role)
    heard = await buyers
    await callbacks_until(merchant, unfinished=0)
    orders = (await merchant.house("GET", "/_admin/ledger")).json["orders"]
    paid = {order["out_trade_no"] for order in orders if order["transaction_id"]}
    told = {number for got in receiver.got if (number := told_number(merchant, *got))}
    assert len(heard) == 60
    assert heard == paid == told


async def buy_all(merchant: Caller, numbers: list[str]) -> set[str]:
    """Order and pay, as often as it takes; the numbers whose buyers heard that they have paid."""
    heard: set[str] = set()

    async def persist(call: Callable[[], Awaitable[Reply]]) -> Reply:
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                reply = await call()
                if reply.status == 200:
                    return reply
            await asyncio.sleep(0.01)

    async def buy(number: str) -> None:
        placed = await persist(lambda: merchant.order(number))
        payment = merchant.payment(placed.json["prepay_id"])
        told = await persist(lambda: merchant.house("POST", "/_buyer/pay", payment))
        # A second try after a broken first one hears that the order is paid already.
        if told.json["result"] in ("ok", "fail 该订单已支付"):
            heard.add(number)

    for start in range(0, len(numbers), 6):
        await asyncio.gather(*map(buy, numbers[start : start + 6]))
    return heard


def told_number(merchant: Caller, headers: dict[str, str], body: bytes) -> str | None:
    """The order number of a callback that is wholly right."""
    try:
        resource = orjson.loads(body)["resource"]
        cipher = AESGCM(merchant.names.api_v3_key.encode())
        sealed = base64.b64decode(resource["ciphertext"])
        plain = cipher.decrypt(resource["nonce"].encode(), sealed, resource["associated_data"].encode())
        public = credentials.private_key(merchant.names.platform_private_key_file).public_key()
        message = crypto.answer_message(
            timestamp=headers["Wechatpay-Timestamp"], nonce=headers["Wechatpay-Nonce"], body=body
        )
        if not crypto.verify(public, message, headers["Wechatpay-Signature"]):
            return None
        return str(orjson.loads(plain)["out_trade_no"])
    except (orjson.JSONDecodeError, InvalidTag, KeyError):
        return None


async def test_a_port_in_use_starts_nothing_and_says_why(lasting: Running, home: Path) -> None:
    child = await asyncio.create_subprocess_exec(
        *(*COMMAND, "--home", str(home), "--port", str(lasting.port), "--workers", "2"),
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await asyncio.wait_for(child.communicate(), 20)
    assert child.returncode == 2
    assert "in use" in said.decode()


async def test_a_killed_parent_leaves_nobody_behind(brief: Running, separate: aiohttp.ClientSession) -> None:
    running = await pids(Caller(separate, brief.credentials, brief.port, ""))
    sockets = [Path(link.laddr) for link in psutil.Process(running["ledger"]).net_connections("unix") if link.laddr]
    assert sockets[0].exists()
    brief.end(signal.SIGKILL)
    async with asyncio.timeout(10):
        while any(map(is_alive, (running["ledger"], *running["fronts"], *running["callers"]))):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert not sockets[0].parent.exists()


async def test_all_of_it_ends_on_sigterm(brief: Running, separate: aiohttp.ClientSession) -> None:
    running = await pids(Caller(separate, brief.credentials, brief.port, ""))
    assert await asyncio.to_thread(brief.end, signal.SIGTERM) == 0
    assert not any(map(is_alive, (running["ledger"], *running["fronts"], *running["callers"])))
    assert brief.child.stderr is not None
    assert brief.child.stderr.read() == ""


def is_alive(pid: int) -> bool:
    """A process that has ended and still waits for its parent does not live."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_a_bill_asked_of_one_front_is_downloaded_from_any(merchant: Caller) -> None:
    await merchant.house("PUT", "/_admin/faults", {"bill_today": True})
    await merchant.order_and_pay()
    day = datetime.now(UTC).astimezone(CHINA).date().isoformat()
    told = await merchant.send("GET", f"/v3/bill/tradebill?bill_date={day}&tar_type=GZIP")
    target = told.json["download_url"].removeprefix(merchant.url)
    files = [await merchant.send("GET", target) for _ in range(4)]
    assert {(file.status, hashlib.sha1(gzip.decompress(file.body)).hexdigest()) for file in files} == {
        (200, told.json["hash_value"])
    }


async def test_an_access_token_of_one_front_is_good_at_any(merchant: Caller) -> None:
    names = merchant.names
    asked = {"grant_type": "client_credential", "appid": names.appid, "secret": names.app_secret}
    tokens = {(await merchant.house("POST", "/cgi-bin/stable_token", asked)).json["access_token"] for _ in range(4)}
    assert len(tokens) == 1
    codes = [
        await merchant.house("POST", f"/wxa/getwxacodeunlimit?access_token={token}", {"scene": "s=1"})
        for token in tokens
        for _ in range(4)
    ]
    assert {code.headers["Content-Type"] for code in codes} == {"image/png"}
