"""Bills of the simulator's own process: a true ledger agrees to the fen, and every lie is found as what it is.

One simulator and one database for all: nothing here changes the ledger, and every lie is taken back.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest

from engine.app.bills import reconcile
from engine.config import Merchant
from engine.embedded.postgres import run_sql
from engine.infra.postgres import open_pool
from engine.payments.bills.days import day_of
from engine.payments.bills.outcome import DayResult, NotReconciled, Why
from engine.payments.bills.reconciler import Reconciler
from engine.payments.bills.store import BillStore
from engine.payments.port import PaidReport, Prepaid, PrepayRequest, RefundRequest, RefundState
from engine.payments.wechat.bills import WechatBills
from engine.payments.wechat.client import WeChatPay, from_config
from tests.conftest import url_of_database
from tests.support.engine import Engine, Stores

OPENID = "oTestBuyer_-0000000000000001"
ORDERS = 4
LUCK = {"callback_loss": 1.0, "refund_delay_ms": [0, 0], "refund_spacing_ms": 0, "bill_today": True}
REFUND_STATES = {RefundState.SUCCESS: "success", RefundState.PROCESSING: "processing"}


@dataclass
class Trade:
    """What was sold and given back: the same at WeChat and in our tables."""

    engine: Engine
    database_url: str
    day: date = date.min
    orders: list[str] = field(default_factory=list)
    transactions: list[str] = field(default_factory=list)
    refunds: list[str] = field(default_factory=list)

    @property
    def mchid(self) -> str:
        return self.engine.config.wechat.mchid

    async def luck(self, session: aiohttp.ClientSession, **knobs: object) -> None:
        url = f"{self.engine.simulator_url}/_admin/faults"
        async with session.put(url, json=LUCK | knobs) as response:
            assert response.status == 200, await response.text()

    @asynccontextmanager
    async def provider(self) -> AsyncIterator[tuple[WeChatPay, aiohttp.ClientSession]]:
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            provider = from_config(self.engine.config.wechat.model_copy(update={"bill_per_s": 1000.0}), session)
            try:
                yield provider, session
            finally:
                provider.close_signer()

    async def populate(self) -> None:
        conn = await asyncpg.connect(self.database_url)
        try:
            async with self.provider() as (provider, session):
                await self.luck(session)
                for _ in range(ORDERS):
                    await self._sell(provider, session, conn)
                await self._give_back(provider, conn, self.orders[0], 4000)
                await self._give_back(provider, conn, self.orders[1], 10000)
        finally:
            await conn.close()

    async def _sell(
        self, provider: WeChatPay, session: aiohttp.ClientSession, conn: "asyncpg.Connection[asyncpg.Record]"
    ) -> None:
        paid = await pay(provider, session, self.engine.simulator_url, secrets.token_hex(16), self.mchid)
        self.orders.append(paid.order_no)
        self.transactions.append(paid.transaction_id)
        self.day = day_of(paid.success_at)
        await conn.execute(
            "insert into orders (order_no, sale_id, buyer, request_id, body_digest, state, amount_fen, deadline)"
            " values ($1, 'spring', $2, $3, $3, 'paid', $4, now())",
            paid.order_no,
            bytes(16),
            bytes.fromhex(paid.order_no),
            paid.total_fen,
        )
        await conn.execute(
            "insert into payments (transaction_id, order_no, sale_id, mchid, total_fen, success_at, learned_by)"
            " values ($1, $2, 'spring', $3, $4, $5, 'query')",
            paid.transaction_id,
            paid.order_no,
            paid.mchid,
            paid.total_fen,
            paid.success_at,
        )

    async def _give_back(
        self, provider: WeChatPay, conn: "asyncpg.Connection[asyncpg.Record]", order_no: str, fen: int
    ) -> None:
        number = f"R{order_no}"
        report = await provider.refund(
            RefundRequest(
                out_refund_no=number,
                order_no=order_no,
                mchid=self.mchid,
                refund_fen=fen,
                total_fen=10000,
                reason="r",
            )
        )
        while report.state is RefundState.PROCESSING:
            report = await provider.query_refund(number, self.mchid)
        assert report.state is RefundState.SUCCESS, report
        self.refunds.append(number)
        await conn.execute(
            "insert into refunds (out_refund_no, order_no, sale_id, transaction_id, mchid, amount_fen, total_fen,"
            " reason, state, sent_at) values ($1, $2, 'spring', 't', $3, $4, 10000, 'r', 'success', now())",
            number,
            order_no,
            self.mchid,
            fen,
        )


async def pay(
    provider: WeChatPay, session: aiohttp.ClientSession, simulator_url: str, order_no: str, mchid: str
) -> PaidReport:
    """An order that is paid at WeChat and that nobody told us of."""
    prepaid = await provider.create(
        PrepayRequest(
            order_no=order_no,
            mchid=mchid,
            description="票, 两张",
            total_fen=10000,
            openid=OPENID,
            expires_at=datetime.now(UTC) + timedelta(minutes=10),
        )
    )
    assert isinstance(prepaid, Prepaid), prepaid
    async with session.post(f"{simulator_url}/_admin/pay", json={"out_trade_no": order_no}) as response:
        assert response.status == 200, await response.text()
    trade = await provider.query(order_no, mchid)
    assert trade.paid is not None, trade
    return trade.paid


@pytest.fixture(scope="module")
def trade(tmp_path_factory: pytest.TempPathFactory, postgres_url: str, database_template: str) -> Iterator[Trade]:
    name = f"bills_{secrets.token_hex(6)}"
    run_sql(postgres_url, f"CREATE DATABASE {name} TEMPLATE {database_template}")
    database_url = url_of_database(postgres_url, name)
    stores = Stores(redis_url="redis://127.0.0.1:1/0", postgres_url=database_url)
    engine = Engine(tmp_path_factory.mktemp("bills"), stores)
    engine.simulator.launch()
    try:
        engine.simulator.wait_until_ready()
        trade = Trade(engine, database_url)
        asyncio.run(trade.populate())
        yield trade
    finally:
        engine.simulator.stop()
        run_sql(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


async def reconciled(trade: Trade, folder: Path, *lies: dict[str, Any], **knobs: object) -> DayResult:
    """The day as our reconciler finds it, with these lies in the bills."""
    pool = await open_pool(
        trade.database_url, connections_max=2, statement_timeout_s=5, connect_timeout_s=5, application="tests"
    )
    url = f"{trade.engine.simulator_url}/_admin/bills/mismatches"
    async with pool, trade.provider() as (provider, session):
        await trade.luck(session, **knobs)
        try:
            for lie in lies:
                async with session.post(url, json=lie) as response:
                    assert response.status == 200, await response.text()
            source = WechatBills(
                provider.gateway_of, folder, hash_over="either", now_s=lambda: datetime.now(UTC).timestamp()
            )
            reconciler = Reconciler(
                source,
                BillStore(pool),
                appid=provider.appid,
                fund_flow=True,
                clock=lambda: datetime.now(UTC),
                margin=timedelta(0),  # else a run in the last hour of China's day would wait for tomorrow
            )
            outcome = await reconciler.reconcile(trade.mchid, trade.day)
        finally:
            async with session.delete(url) as response:
                assert response.status == 200
    assert isinstance(outcome, DayResult), outcome
    return outcome


@pytest.mark.parametrize("hash_of", ["plain", "gzip"])
@pytest.mark.parametrize("bom", [True, False])
async def test_a_true_bill_agrees_to_the_fen(trade: Trade, tmp_path: Path, hash_of: str, bom: bool) -> None:
    outcome = await reconciled(trade, tmp_path, bill_hash_of=hash_of, bill_bom=bom, bill_crlf=bom)
    assert outcome.differences == []
    assert (outcome.payments.count, outcome.payments.fen) == (ORDERS, ORDERS * 10000)
    assert (outcome.refunds.count, outcome.refunds.fen) == (2, 14000)


async def test_the_account_moved_by_what_the_trade_bill_says(trade: Trade, tmp_path: Path) -> None:
    outcome = await reconciled(trade, tmp_path)
    assert outcome.funds is not None
    # 0.6 % of each payment, less what the refunds give back of it.
    assert outcome.funds.moved_fen == outcome.funds.billed_fen == (ORDERS * 10000 - 14000) * 994 // 1000


@pytest.mark.parametrize("kind", ["missing_there", "amount", "state", "duplicate"])
async def test_every_lie_about_a_payment_is_found_as_what_it_is(trade: Trade, tmp_path: Path, kind: str) -> None:
    outcome = await reconciled(trade, tmp_path, {"kind": kind, "out_trade_no": trade.orders[3]})
    [difference] = outcome.differences
    assert (difference.subject, difference.kind, difference.order_no) == ("payment", kind, trade.orders[3])


@pytest.mark.parametrize("kind", ["missing_there", "amount", "state", "duplicate"])
async def test_every_lie_about_a_refund_is_found_as_what_it_is(trade: Trade, tmp_path: Path, kind: str) -> None:
    outcome = await reconciled(trade, tmp_path, {"kind": kind, "out_refund_no": trade.refunds[0]})
    [difference] = outcome.differences
    assert (difference.subject, difference.kind, difference.out_refund_no) == ("refund", kind, trade.refunds[0])


async def test_a_payment_nobody_placed_is_missing_here(trade: Trade, tmp_path: Path) -> None:
    number = secrets.token_hex(16)
    outcome = await reconciled(trade, tmp_path, {"kind": "missing_here", "out_trade_no": number, "amount_fen": 100})
    [difference] = outcome.differences
    assert (difference.subject, difference.kind, difference.order_no) == ("payment", "missing_here", number)
    assert (difference.theirs_fen, difference.order_known) == (100, False)


async def test_a_sale_of_another_shop_on_this_account_is_foreign(trade: Trade, tmp_path: Path) -> None:
    outcome = await reconciled(trade, tmp_path, {"kind": "missing_here", "out_trade_no": "SHOP-2026-0001"})
    assert (outcome.differences, outcome.foreign.count) == ([], 1)


async def test_five_lies_at_once_are_five_differences(trade: Trade, tmp_path: Path) -> None:
    lies = [
        {"kind": "missing_here", "out_trade_no": secrets.token_hex(16)},
        {"kind": "missing_there", "out_trade_no": trade.orders[0]},
        {"kind": "amount", "out_trade_no": trade.orders[1]},
        {"kind": "state", "out_trade_no": trade.orders[2]},
        {"kind": "duplicate", "out_trade_no": trade.orders[3]},
    ]
    outcome = await reconciled(trade, tmp_path, *lies)
    payments = [difference.kind for difference in outcome.differences if difference.subject == "payment"]
    assert payments == ["missing_here", "missing_there", "amount", "state", "duplicate"]


@pytest.fixture
async def truthful(trade: Trade) -> Trade:
    async with trade.provider() as (_, session):
        await trade.luck(session)
    return trade


async def test_a_merchant_whose_bill_is_refused_does_not_hide_the_others(truthful: Trade) -> None:
    config = truthful.engine.config
    first = {name: getattr(config.wechat, name) for name in Merchant.model_fields}
    stranger = Merchant(**{**first, "mchid": "1999999999"})
    both = config.model_copy(update={"wechat": config.wechat.model_copy(update={"merchants": (stranger,)})})
    outcomes = {each.mchid: each for each in await reconcile(both, truthful.day, repair=False, strays=False)}
    known, refused = outcomes[truthful.mchid], outcomes["1999999999"]
    assert isinstance(known, DayResult)
    assert known.differences == []
    assert isinstance(refused, NotReconciled)
    assert refused.why is Why.REFUSED


def command(trade: Trade, *words: str, code: int) -> str:
    return trade.engine.floodgate("reconcile", *words, code=code)


async def test_the_command_says_that_all_agrees(truthful: Trade) -> None:
    told = json.loads(await asyncio.to_thread(command, truthful, str(truthful.day), "--json", code=0))
    assert (told["verdict"], told["differences"]) == ("agrees", 0)
    assert told["merchants"][0]["payments"] == {"count": ORDERS, "fen": ORDERS * 10000}


async def test_the_command_ends_with_1_and_a_spreadsheet_when_there_are_differences(
    truthful: Trade, tmp_path: Path
) -> None:
    number = secrets.token_hex(16)
    lie = {"kind": "missing_here", "out_trade_no": number}
    url = f"{truthful.engine.simulator_url}/_admin/bills/mismatches"
    file = tmp_path / "differences.csv"
    async with aiohttp.ClientSession() as session, session.post(url, json=lie):
        words = (str(truthful.day), "--lang", "zh", "--csv", str(file))
        told = await asyncio.to_thread(command, truthful, *words, code=1)
        async with session.delete(url):
            pass
    assert "微信有、本系统无" in told
    assert f"`{number}" in read(file)


def read(file: Path) -> str:
    return file.read_text(encoding="utf-8-sig")


async def test_the_command_ends_with_3_while_the_bill_is_not_there(truthful: Trade) -> None:
    async with truthful.provider() as (_, session):
        await truthful.luck(session, bill_today=False)
    told = json.loads(await asyncio.to_thread(command, truthful, str(day_of(datetime.now(UTC))), "--json", code=3))
    assert told["verdict"] == "not_ready"
