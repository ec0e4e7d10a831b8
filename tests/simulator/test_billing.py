"""Bills over HTTP: asked for and downloaded by an independent client, refused by day and token, lied in on demand."""

import asyncio
import csv
import gzip
import hashlib
import io
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from wechatpayv3 import WeChatPay

from engine.simulator.bills.days import CUT_AFTER_MS, READY_AFTER_MS
from engine.simulator.pay.orders import DAY_MS
from engine.simulator.processes.server import Simulator, system_now_ms
from tests.simulator.conftest import PROMPT, Caller, Receiver, Reply
from tests.simulator.test_peer import ask, order, pay

CHINA = timezone(timedelta(hours=8))


def today() -> str:
    return datetime.now(UTC).astimezone(CHINA).date().isoformat()


@pytest.fixture
async def open_books(caller: Caller) -> Caller:
    """A caller whose simulator gives out the bill of today."""
    assert (await caller.house("PUT", "/_admin/faults", {"bill_today": True})).status == 200
    return caller


def table(content: bytes) -> list[dict[str, str]]:
    """The rows of a bill by column name."""
    read = [[cell.removeprefix("`") for cell in row] for row in csv.reader(io.StringIO(content.decode()))]
    return [dict(zip(read[0], row, strict=True)) for row in read[1:-2]]


async def fetch(caller: Caller, target: str) -> bytes:
    """Ask for a bill and download it."""
    told = await caller.send("GET", target)
    assert told.status == 200, told.body
    return (await caller.send("GET", told.json["download_url"].removeprefix(caller.url))).body


async def trade_bill(caller: Caller, bill_type: str = "ALL") -> list[dict[str, str]]:
    return table(await fetch(caller, f"/v3/bill/tradebill?bill_date={today()}&bill_type={bill_type}"))


async def test_peer_reads_the_trade_bill(peer: WeChatPay, open_books: Caller) -> None:
    transaction_id = await pay(peer, open_books)
    await order(peer, "T00002")
    status, told = await ask(peer.trade_bill, bill_date=today())
    assert status == 200
    status, packed = await asyncio.to_thread(peer.download_bill, told["download_url"])
    content = gzip.decompress(packed)
    assert (told["hash_type"], told["hash_value"]) == ("SHA1", hashlib.sha1(content).hexdigest())
    assert [(row["微信订单号"], row["商品名称"], row["订单金额"]) for row in table(content)] == [
        (transaction_id, "音乐节 两日票", "1.00")
    ]


async def test_peer_reads_the_fund_flow_bill(peer: WeChatPay, open_books: Caller) -> None:
    await pay(peer, open_books)
    status, told = await ask(peer.fundflow_bill, bill_date=today())
    assert status == 200
    _, packed = await asyncio.to_thread(peer.download_bill, told["download_url"])
    assert [row["业务类型"] for row in table(gzip.decompress(packed))] == ["交易", "扣除交易手续费"]


async def test_a_refund_stands_beside_its_payment(open_books: Caller) -> None:
    await open_books.order_and_pay()
    await open_books.refund(refund_fen=40)
    rows = await trade_bill(open_books)
    assert [(row["交易状态"], row["商户退款单号"], row["申请退款金额"]) for row in rows] == [
        ("SUCCESS", "0", "0.00"),
        ("REFUND", "R1", "0.40"),
    ]
    assert [row["商户退款单号"] for row in await trade_bill(open_books, "REFUND")] == ["R1"]


async def test_a_bill_without_tar_type_is_plain_with_its_line_ends(open_books: Caller) -> None:
    await open_books.order_and_pay()
    content = await fetch(open_books, f"/v3/bill/tradebill?bill_date={today()}")
    assert content.startswith("交易时间,".encode())
    assert content.count(b"\r\n") == 4


async def test_line_ends_byte_order_mark_and_hash_follow_their_knobs(open_books: Caller) -> None:
    await open_books.order_and_pay()
    knobs = {"bill_crlf": False, "bill_bom": True, "bill_hash_of": "gzip"}
    await open_books.house("PUT", "/_admin/faults", knobs)
    told = await open_books.send("GET", f"/v3/bill/tradebill?bill_date={today()}&tar_type=GZIP")
    packed = await open_books.send("GET", told.json["download_url"].removeprefix(open_books.url))
    content = gzip.decompress(packed.body)
    assert content.startswith("\ufeff交易时间".encode())
    assert b"\r" not in content
    assert told.json["hash_value"] == hashlib.sha1(packed.body).hexdigest()


async def test_the_download_is_not_signed_and_not_json(open_books: Caller) -> None:
    await open_books.order_and_pay()
    told = await open_books.send("GET", f"/v3/bill/tradebill?bill_date={today()}&tar_type=GZIP")
    reply = await open_books.send("GET", told.json["download_url"].removeprefix(open_books.url))
    assert "Wechatpay-Signature" in told.headers
    assert "Wechatpay-Signature" not in reply.headers
    assert reply.headers["Content-Type"] == "application/x-gzip"
    assert "Content-Encoding" not in reply.headers


async def test_a_download_must_be_signed(open_books: Caller) -> None:
    await open_books.order_and_pay()
    told = await open_books.send("GET", f"/v3/bill/tradebill?bill_date={today()}")
    target = told.json["download_url"].removeprefix(open_books.url)
    assert (await open_books.send("GET", target, Authorization=None)).status == 401


def code(reply: Reply) -> tuple[int, Any]:
    return reply.status, reply.json["code"]


async def test_a_day_without_money_has_no_bill(open_books: Caller) -> None:
    await open_books.order()
    reply = await open_books.send("GET", f"/v3/bill/tradebill?bill_date={today()}")
    assert code(reply) == (400, "NO_STATEMENT_EXIST")


@pytest.mark.parametrize("account", ["OPERATION", "FEES"])
async def test_accounts_that_never_move_have_no_bill(open_books: Caller, account: str) -> None:
    await open_books.order_and_pay()
    reply = await open_books.send("GET", f"/v3/bill/fundflowbill?bill_date={today()}&account_type={account}")
    assert code(reply) == (400, "NO_STATEMENT_EXIST")


@pytest.mark.parametrize(
    "query",
    ["bill_type=ALL", "bill_date=20260301", "bill_date={day}&bill_type=OTHER", "bill_date={day}&tar_type=ZIP"],
)
async def test_a_bill_asked_for_wrongly_is_refused(open_books: Caller, query: str) -> None:
    reply = await open_books.send("GET", f"/v3/bill/tradebill?{query.format(day=today())}")
    assert code(reply) == (400, "PARAM_ERROR")


async def test_an_unknown_token_downloads_nothing(caller: Caller) -> None:
    assert code(await caller.send("GET", "/v3/billdownload/file?token=1")) == (400, "INVALID_REQUEST")


class Clock:
    """The simulator's clock, moved by the test; Authorization is checked against it too."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def __call__(self) -> int:
        return system_now_ms() + self.ahead_ms

    def set(self, moment: datetime) -> None:
        self.ahead_ms = int(moment.timestamp() * 1000) - system_now_ms()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def travelled(
    home: Path, clock: Clock, session: aiohttp.ClientSession, receiver: Receiver
) -> AsyncIterator[Caller]:
    """A caller of a simulator whose clock is the test's; it signs with that clock."""
    simulator = Simulator(home, luck=PROMPT, now_ms=clock)
    await simulator.start()
    yield Caller(session, simulator.credentials, simulator.port, receiver.url, now_s=lambda: clock() // 1000)
    await simulator.stop()


DAY = date(2031, 3, 1)
NOON = datetime(2031, 3, 1, 12, tzinfo=CHINA)


@pytest.mark.parametrize(
    ("moment", "answer"),
    [
        (NOON, "INVALID_REQUEST"),
        (datetime(2031, 3, 2, 9, 59, 58, tzinfo=CHINA), "STATEMENT_CREATING"),
        (datetime(2031, 3, 2, 10, 0, 1, tzinfo=CHINA), None),
        (datetime(2031, 6, 1, 10, tzinfo=CHINA), None),
        (datetime(2031, 6, 2, 10, tzinfo=CHINA), "INVALID_REQUEST"),
        (datetime(2031, 2, 28, 12, tzinfo=CHINA), "INVALID_REQUEST"),
    ],
)
async def test_a_bill_is_there_from_ten_the_next_day_for_three_months(
    travelled: Caller, clock: Clock, moment: datetime, answer: str | None
) -> None:
    clock.set(NOON)
    await travelled.order_and_pay()
    clock.set(moment)
    reply = await travelled.send("GET", f"/v3/bill/tradebill?bill_date={DAY}")
    assert reply.json.get("code") == answer


async def test_a_token_dies_after_five_minutes(travelled: Caller, clock: Clock) -> None:
    clock.set(NOON)
    await travelled.order_and_pay()
    clock.set(NOON + timedelta(days=1))
    told = await travelled.send("GET", f"/v3/bill/tradebill?bill_date={DAY}")
    target = told.json["download_url"].removeprefix(travelled.url)
    assert (await travelled.send("GET", target)).status == 200
    clock.set(NOON + timedelta(days=1, minutes=5, seconds=1))
    assert code(await travelled.send("GET", target)) == (400, "INVALID_REQUEST")


async def test_another_merchants_bill_is_not_given_out(running: Simulator, open_books: Caller) -> None:
    await open_books.order_and_pay()
    told = await open_books.send("GET", f"/v3/bill/tradebill?bill_date={today()}")
    token = told.json["download_url"].partition("token=")[2]
    ours = running.office.merchants[running.credentials.mchid]
    stranger = type(ours)(
        mchid="1999999999",
        appids=ours.appids,
        certificate_serial=ours.certificate_serial,
        public_key=ours.public_key,
        cipher=ours.cipher,
    )
    outcome = running.office.billing.download(stranger, {"token": token})
    assert (outcome.status, outcome.body if isinstance(outcome.body, bytes) else outcome.body()) == (
        403,
        '{"code":"NO_AUTH","message":"无权下载该账单"}'.encode(),
    )


async def lie(caller: Caller, **document: object) -> Reply:
    return await caller.house("POST", "/_admin/bills/mismatches", document)


async def test_a_lie_changes_the_bill_and_never_the_truth(open_books: Caller) -> None:
    await open_books.order_and_pay()
    await lie(open_books, kind="amount", out_trade_no="T00001")
    assert [row["订单金额"] for row in await trade_bill(open_books)] == ["1.01"]
    assert (await open_books.query()).json["amount"]["total"] == 100


async def test_an_invented_payment_is_in_both_bills(open_books: Caller) -> None:
    await lie(open_books, kind="missing_here", out_trade_no="T77777", amount_fen=500)
    assert [(row["商户订单号"], row["订单金额"]) for row in await trade_bill(open_books)] == [("T77777", "5.00")]
    flow = table(await fetch(open_books, f"/v3/bill/fundflowbill?bill_date={today()}"))
    assert [row["收支金额(元)"] for row in flow] == ["5.00", "0.03"]


async def test_a_lie_in_the_fund_flow_keeps_the_balance_in_step(open_books: Caller) -> None:
    await open_books.order_and_pay()
    await lie(open_books, kind="duplicate", out_trade_no="T00001")
    flow = table(await fetch(open_books, f"/v3/bill/fundflowbill?bill_date={today()}"))
    assert [row["账户结余(元)"] for row in flow] == ["1.00", "2.00", "1.99", "1.98"]


async def test_a_paid_order_cannot_be_invented(open_books: Caller) -> None:
    await open_books.order_and_pay()
    reply = await lie(open_books, kind="missing_here", out_trade_no="T00001")
    assert (reply.status, len(reply.json["problems"])) == (400, 1)


async def test_a_lie_about_nobodys_account_is_refused(open_books: Caller) -> None:
    assert (await lie(open_books, kind="amount", out_trade_no="T00001", mchid="1")).status == 400


async def test_lies_are_shown_and_taken_back(open_books: Caller) -> None:
    await open_books.order_and_pay()
    shown = await lie(open_books, kind="missing_there", out_trade_no="T00001")
    assert [entry["kind"] for entry in shown.json["mismatches"]] == ["missing_there"]
    assert (await open_books.house("DELETE", "/_admin/bills/mismatches")).json == {"mismatches": []}
    assert len(await trade_bill(open_books)) == 1


async def test_lies_survive_a_restart(home: Path) -> None:
    first = Simulator(home, luck=PROMPT)
    merchant = next(iter(first.office.merchants.values()))
    assert first.office.billing.mislead({"kind": "missing_there", "out_trade_no": "T00001"}, merchant) is None
    await first.stop()
    again = Simulator(home, luck=PROMPT)
    try:
        assert [entry["number"] for entry in again.office.billing.mismatches()] == ["T00001"]
    finally:
        await again.stop()


async def test_old_bills_make_room_for_new_ones(open_books: Caller) -> None:
    await open_books.order_and_pay()
    told = [await open_books.send("GET", f"/v3/bill/tradebill?bill_date={today()}") for _ in range(17)]
    targets = [reply.json["download_url"].removeprefix(open_books.url) for reply in told]
    assert [(await open_books.send("GET", targets[n])).status for n in (0, 1, 16)] == [400, 200, 200]


def test_the_bill_is_cut_before_it_can_be_fetched() -> None:
    assert CUT_AFTER_MS < READY_AFTER_MS < DAY_MS
