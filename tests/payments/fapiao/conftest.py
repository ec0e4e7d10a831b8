"""A shop that issues fapiao: its ledger on a real database, WeChat Pay on loopback, time moved by hand."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from engine.config import Fapiao as Rules
from engine.config import Wechat
from engine.embedded.postgres import run_sql
from engine.infra.postgres import connection, open_pool
from engine.payments.fapiao.book import FapiaoBook
from engine.payments.fapiao.desk import FapiaoDesk
from engine.payments.fapiao.invoicer import Invoicer
from engine.payments.fapiao.records import Fapiao
from engine.payments.fapiao.titles import Titles
from engine.payments.port import OtherNotice
from engine.payments.wechat.client import from_config
from engine.payments.wechat.fapiao import FapiaoApi
from engine.payments.wechat.transport import open_session
from engine.web.buyers import Privacy
from tests.conftest import url_of_database
from tests.payments.fapiao.tax_office import TaxOffice
from tests.payments.wechat import platform
from tests.payments.wechat.platform import KEYS

if TYPE_CHECKING:
    from engine.infra.postgres import Pool

RULES = Rules(enabled=True, tax_code="3070301000000000000", goods_name="门票", tax_rate_bp=600, unit="张")
TABLES = ("fapiaos", "refunds", "payments", "order_items", "orders", "buyers")
OPENID = "oBuyerOfTickets0000000000001"


@dataclass(slots=True)
class Shop:
    pool: Pool
    book: FapiaoBook
    privacy: Privacy
    api: FapiaoApi
    office: TaxOffice
    rules: Rules

    @property
    def buyer(self) -> bytes:
        return self.privacy.buyer_of(OPENID)

    @property
    def desk(self) -> FapiaoDesk:
        return FapiaoDesk(self.book, self.privacy, self._api_of, self.rules)

    @property
    def invoicer(self) -> Invoicer:
        """A new one each time: nothing may hang on what a process remembers."""
        titles = Titles(self.privacy, lambda: secrets.token_bytes(12))
        return Invoicer(self.book, titles, self._api_of, self.rules)

    def _api_of(self, mchid: str) -> FapiaoApi | None:
        return self.api if mchid == platform.MCHID else None

    async def sql(self, statement: str, *args: Any) -> Any:
        async with connection(self.pool) as conn:
            return await conn.fetchval(statement, *args)

    async def paid_order(self, *, amount_fen: int = 10_000, quantity: int = 2, state: str = "paid") -> str:
        """The number of an order of this buyer that was paid."""
        order_no = secrets.token_hex(16)
        await self.sql(
            "insert into buyers (buyer, openid_sealed) values ($1, $2) on conflict do nothing",
            self.buyer,
            self.privacy.seal_openid(OPENID, secrets.token_bytes(12)),
        )
        await self.sql(
            "insert into orders (order_no, sale_id, buyer, request_id, body_digest, state, amount_fen, deadline)"
            " values ($1, 'spring', $2, $3, '', $4::text::order_state, $5, now())",
            order_no,
            self.buyer,
            secrets.token_bytes(16),
            state,
            amount_fen,
        )
        await self.sql(
            "insert into order_items (order_no, sale_id, sku_id, quantity, price_fen)"
            " values ($1, 'spring', 'floor', $2, $3)",
            order_no,
            quantity,
            amount_fen // quantity,
        )
        await self.sql(
            "insert into payments (transaction_id, order_no, sale_id, mchid, total_fen, success_at, learned_by)"
            " values ($1, $2, 'spring', $3, $4, now(), 'notify')",
            transaction_of(order_no),
            order_no,
            platform.MCHID,
            amount_fen,
        )
        return order_no

    async def refund(
        self, order_no: str, amount_fen: int, *, order_state: str = "paid", state: str = "success"
    ) -> None:
        """Money went back, or is on its way."""
        await self.sql(
            "insert into refunds (out_refund_no, order_no, sale_id, transaction_id, mchid, amount_fen, total_fen,"
            " reason, state) values ($1, $2, 'spring', $3, $4, $5, 10000, 'test', $6::text::refund_state)",
            secrets.token_hex(8),
            order_no,
            transaction_of(order_no),
            platform.MCHID,
            amount_fen,
            state,
        )
        await self.sql("update orders set state = $2::text::order_state where order_no = $1", order_no, order_state)

    async def turn(self, count: int = 1) -> None:
        """What is scheduled at all is due now; then one turn. Several: one after the other."""
        for _ in range(count):
            await self.sql("update fapiaos set next_check_at = now() where next_check_at is not null")
            await self.invoicer.run_once()

    async def fapiaos(self, order_no: str) -> list[Fapiao]:
        return await self.desk.read(order_no)

    async def newest(self, order_no: str) -> Fapiao:
        return (await self.fapiaos(order_no))[0]

    async def states(self, order_no: str) -> list[str]:
        """The states of its fapiao, the newest first."""
        return [fapiao.state.value for fapiao in await self.fapiaos(order_no)]

    async def notice(self, event: str, apply_id: str, **more: str) -> None:
        await self.desk.noticed(
            OtherNotice(
                notice_id="n",
                event_type=f"FAPIAO.{event}",
                digest=b"d" * 16,
                mchid=platform.MCHID,
                content={"mchid": platform.MCHID, "fapiao_apply_id": apply_id, **more},
            )
        )

    async def apply(self, order_no: str) -> str:
        """The buyer filled in a title on the receipt, and WeChat told so; the number of the application."""
        apply_id = transaction_of(order_no)
        self.office.fill_in(apply_id)
        await self.notice("USER_APPLIED", apply_id)
        return apply_id

    async def issued_order(self) -> str:
        """An order of 10,000 fen whose fapiao is issued."""
        order_no = await self.paid_order()
        await self.apply(order_no)
        await self.turn(3)
        self.office.decide("ISSUED")
        await self.turn()
        assert await self.states(order_no) == ["issued"]
        return order_no


def transaction_of(order_no: str) -> str:
    return f"4200{order_no[:24]}"


@pytest.fixture
async def office() -> AsyncIterator[TaxOffice]:
    office = TaxOffice()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", office.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    office.url = f"http://{host}:{port}"
    yield office
    await runner.cleanup()


@pytest.fixture
async def api(office: TaxOffice) -> AsyncIterator[FapiaoApi]:
    async with api_at(office.url) as api:
        yield api


@asynccontextmanager
async def api_at(url: str) -> AsyncIterator[FapiaoApi]:
    wechat = Wechat(
        appid=platform.APPID,
        app_secret=SecretStr("secret"),
        mchid=platform.MCHID,
        api_v3_key=SecretStr(platform.API_V3_KEY),
        private_key_file=KEYS / "merchant_private.pem",
        certificate_serial=platform.MERCHANT_SERIAL,
        public_key_id=platform.SERIAL,
        public_key_file=KEYS / "platform_public.pem",
        gateway_url=url,
        notify_url="https://shop.example.com/wechatpay/notify",
    )
    async with open_session() as session:
        pay = from_config(wechat, session)
        account = pay.account(platform.MCHID)
        yield FapiaoApi(account.gateway, appid=platform.APPID, seal=account.sealed, unseal=account.key.unsealed)
        pay.close_signer()


@pytest.fixture(scope="session")
def shops_database(postgres_url: str, database_template: str) -> Iterator[str]:
    """One database for all of these tests: emptying it is quicker than making one."""
    name = f"test_fapiao_{secrets.token_hex(6)}"
    run_sql(postgres_url, f"CREATE DATABASE {name} TEMPLATE {database_template}")
    yield url_of_database(postgres_url, name)
    run_sql(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def shop(shops_database: str, office: TaxOffice, api: FapiaoApi) -> AsyncIterator[Shop]:
    pool = await open_pool(
        shops_database, connections_max=4, statement_timeout_s=5, connect_timeout_s=5, application="tests"
    )
    privacy = Privacy(b"d" * 32, b"o" * 32)
    shop = Shop(pool, FapiaoBook(pool), privacy, api, office, RULES)
    async with connection(pool) as conn:
        await conn.execute("".join(f"delete from {table};" for table in TABLES))
    yield shop
    await pool.close()
