"""WeChat Pay's bill desk on loopback, signing as it does, and a ledger on the real database."""

import gzip
import hashlib
import json
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web

from engine.config import Wechat
from engine.embedded.postgres import run_sql
from engine.infra.postgres import connection, open_pool
from engine.payments.bills.days import day_of
from engine.payments.bills.reconciler import Reconciler
from engine.payments.bills.source import BillType
from engine.payments.bills.store import BillStore
from engine.payments.wechat.bills import WechatBills
from engine.payments.wechat.client import WeChatPay, from_config
from tests.conftest import url_of_database
from tests.payments.bills.writer import Row, flow_bill, trade_bill
from tests.payments.wechat import platform

if TYPE_CHECKING:
    from engine.infra.postgres import Pool

# The clock of these tests stands still, a little before now.
NOW = datetime.now(UTC)
TODAY = day_of(NOW)
DAY = TODAY - timedelta(days=3)
BEFORE, AFTER = DAY - timedelta(days=1), DAY + timedelta(days=1)
CALLED = {"tradebill": BillType.TRADE, "fundflowbill": BillType.FUND_FLOW}


def at(day: date, clock: str = "12:00:00") -> str:
    return f"{day} {clock}"


def moment(day: date, clock: str = "12:00:00") -> datetime:
    return datetime.fromisoformat(f"{day}T{clock}+08:00")


@dataclass
class BillDesk:
    """Bills by type and day; a day without one has no rows. `refusals` come first, in order, for every question."""

    url: str = ""
    bills: dict[tuple[BillType, date], bytes] = field(default_factory=dict)
    refusals: list[tuple[int, str]] = field(default_factory=list)
    refusing: dict[BillType, str] = field(default_factory=dict)
    not_ready: set[date] = field(default_factory=set)
    hash_over: str = "plain"
    spoil_hash: bool = False
    compressed: bool = True
    cut_bytes: int = 0
    expired_tokens: int = 0
    other_host: str | None = None
    asked: Counter[tuple[BillType, date]] = field(default_factory=Counter)
    downloads: int = 0

    def has(self, day: date, rows: Sequence[Row], movements: Sequence[Row] | None = None, **how: Any) -> None:
        self.bills[BillType.TRADE, day] = trade_bill(rows, **how).encode()
        if movements is not None:
            self.bills[BillType.FUND_FLOW, day] = flow_bill(movements).encode()

    async def announce(self, request: web.Request) -> web.Response:
        bill, day = CALLED[request.match_info["bill"]], date.fromisoformat(request.query["bill_date"])
        self.asked[bill, day] += 1
        if self.refusals:
            return _refusal(*self.refusals.pop(0))
        if bill in self.refusing:
            return _refusal(400, self.refusing[bill])
        if day in self.not_ready:
            return _refusal(400, "STATEMENT_CREATING")
        if (bill, day) not in self.bills:
            return _refusal(400, "NO_STATEMENT_EXIST")
        plain = self.bills[bill, day]
        hashed = plain if self.hash_over == "plain" else gzip.compress(plain, mtime=0)
        sha1 = hashlib.sha1(hashed).hexdigest()
        return _signed(
            200,
            {
                "hash_type": "SHA1",
                "hash_value": sha1[::-1] if self.spoil_hash else sha1,
                "download_url": f"{self.other_host or self.url}/v3/billdownload/file?token={bill}.{day}",
            },
        )

    async def download(self, request: web.Request) -> web.Response:
        self.downloads += 1
        if self.expired_tokens:
            self.expired_tokens -= 1
            return _refusal(400, "INVALID_REQUEST")
        name, _, day = request.query["token"].partition(".")
        plain = self.bills[BillType(name), date.fromisoformat(day)]
        content = gzip.compress(plain, mtime=0) if self.compressed else plain
        return web.Response(body=content[: len(content) - self.cut_bytes])


def _signed(status: int, document: object) -> web.Response:
    body = json.dumps(document).encode()
    return web.Response(status=status, body=body, headers=platform.signed(body, at_s=time.time()))


def _refusal(status: int, code: str) -> web.Response:
    return _signed(status, {"code": code, "message": "…"})


@pytest.fixture
async def desk() -> AsyncIterator[BillDesk]:
    desk = BillDesk()
    app = web.Application()
    app.router.add_get("/v3/bill/{bill}", desk.announce)
    app.router.add_get("/v3/billdownload/file", desk.download)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    desk.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield desk
    await runner.cleanup()


@pytest.fixture
async def pay(desk: BillDesk) -> AsyncIterator[WeChatPay]:
    config = Wechat.model_validate(
        {
            "appid": platform.APPID,
            "app_secret": "secret",
            "mchid": platform.MCHID,
            "api_v3_key": platform.API_V3_KEY,
            "private_key_file": platform.KEYS / "merchant_private.pem",
            "certificate_serial": platform.MERCHANT_SERIAL,
            "public_key_id": platform.SERIAL,
            "public_key_file": platform.KEYS / "platform_public.pem",
            "gateway_url": desk.url,
            "notify_url": "https://shop.example.com/wechatpay/notify",
            "timeout_s": 1.0,
            "bill_per_s": 1000,
        }
    )
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        pay = from_config(config, session)
        yield pay
        pay.close_signer()


@dataclass
class Books:
    """Our side: rows of the ledger as orders, payments and refunds leave them."""

    pool: "Pool"

    async def sql(self, statement: str, *args: object) -> Any:
        async with connection(self.pool) as conn:
            return await conn.fetch(statement, *args)

    async def order(self, order_no: str, *, state: str = "paid", fen: int = 68000) -> None:
        await self.sql(
            "insert into orders (order_no, sale_id, buyer, request_id, body_digest, state, amount_fen, deadline)"
            " values ($1, 'spring', $2, $3, $3, $4::text::order_state, $5, now())",
            order_no,
            bytes(16),
            bytes.fromhex(order_no),
            state,
            fen,
        )

    async def payment(self, order_no: str, transaction_id: str, when: datetime, *, fen: int = 68000) -> None:
        await self.sql(
            "insert into payments (transaction_id, order_no, sale_id, mchid, total_fen, success_at, learned_by)"
            " values ($1, $2, 'spring', $3, $4, $5, 'notify')",
            transaction_id,
            order_no,
            platform.MCHID,
            fen,
            when,
        )

    async def paid(
        self, order_no: str, transaction_id: str, when: datetime, *, state: str = "paid", fen: int = 68000
    ) -> None:
        await self.order(order_no, state=state, fen=fen)
        await self.payment(order_no, transaction_id, when, fen=fen)

    async def refund(
        self, order_no: str, out_refund_no: str, when: datetime, *, state: str = "success", fen: int = 68000
    ) -> None:
        await self.sql(
            "insert into refunds (out_refund_no, order_no, sale_id, transaction_id, mchid, amount_fen, total_fen,"
            " reason, state, created_at, sent_at)"
            " values ($1, $2, 'spring', '4200000001', $3, $4, 68000, 'r', $5::text::refund_state, $6, $6)",
            out_refund_no,
            order_no,
            platform.MCHID,
            fen,
            state,
            when,
        )


@pytest.fixture(scope="package")
def bills_url(postgres_url: str, database_template: str) -> Iterator[str]:
    """One database for the package: making one takes longer than most of these tests."""
    name = f"bills_{secrets.token_hex(6)}"
    run_sql(postgres_url, f"CREATE DATABASE {name} TEMPLATE {database_template}")
    yield url_of_database(postgres_url, name)
    run_sql(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def books(bills_url: str) -> AsyncIterator[Books]:
    """An empty ledger."""
    pool = await open_pool(
        bills_url, connections_max=4, statement_timeout_s=5, connect_timeout_s=5, application="tests"
    )
    books = Books(pool)
    await books.sql("truncate orders, payments, refunds, bill_days cascade")
    yield books
    await pool.close()


@pytest.fixture
def store(books: Books) -> BillStore:
    return BillStore(books.pool)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "bills"


@pytest.fixture
def source(pay: WeChatPay, folder: Path) -> WechatBills:
    return source_of(pay, folder)


def source_of(pay: WeChatPay, folder: Path, *, hash_over: str = "either") -> WechatBills:
    return WechatBills(pay.gateway_of, folder, hash_over=hash_over, now_s=NOW.timestamp)


@pytest.fixture
def reconciler(source: WechatBills, store: BillStore) -> Reconciler:
    """It compares the trade bill alone; `with_funds` compares both."""
    return Reconciler(source, store, appid=platform.APPID, fund_flow=False, clock=lambda: NOW)


@pytest.fixture
def with_funds(source: WechatBills, store: BillStore) -> Reconciler:
    return Reconciler(source, store, appid=platform.APPID, fund_flow=True, clock=lambda: NOW)
