"""One running engine that issues fapiao: a worker, the jobs and the simulator, which answers and decides at once."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from engine.embedded.postgres import run_sql
from tests.conftest import url_of_database
from tests.support.buyer import Answer, Buyer, Crowd, clock_s
from tests.support.engine import Engine, OnSale, Stores

SETTINGS = {
    "FAPIAO_ENABLED": "true",
    "FAPIAO_TAX_CODE": "3070301000000000000",
    "FAPIAO_GOODS_NAME": "文化服务",
    "FAPIAO_TAX_RATE_BP": "600",
    "FAPIAO_CHECK_EVERY_S": "0.2",
    "FAPIAO_LOOK_AFTER_S": "0.2",
    "FAPIAO_REISSUE": "ask",
}
PROMPT = {"fapiao_delay_ms": [0, 0], "callback_delay_ms": [0, 0], "refund_delay_ms": [0, 0]}
TITLE = {
    "type": "ORGANIZATION",
    "name": "深圳市南山区测试企业",
    "taxpayer_id": "202003261233701778",
    "phone": "13900000001",
}
Seen = list[dict[str, Any]]


@pytest.fixture(scope="package")
def engine(
    redis_url: str, postgres_url: str, database_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    name = f"test_{secrets.token_hex(6)}"
    run_sql(postgres_url, f"CREATE DATABASE {name} TEMPLATE {database_template}")
    stores = Stores(redis_url=redis_url, postgres_url=url_of_database(postgres_url, name))
    with Engine(tmp_path_factory.mktemp("engine"), stores, settings=SETTINGS) as engine:
        engine.floodgate(
            "fapiao", "setup", "--payee", "演出测试有限公司", "--logo-url", "https://shop.example.com/l.png"
        )
        yield engine
    run_sql(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="package")
def sale(engine: Engine) -> OnSale:
    sale = engine.sell({"floor": 1000})
    engine.wait_until_live(sale.sale_id)
    return sale


@dataclass
class Counter:
    """A buyer with a paid order, and the operator who can refund it."""

    engine: Engine
    crowd: Crowd
    buyer: Buyer
    order_no: str

    async def ask(self, method: str = "GET") -> Answer:
        return await self.buyer.ask(method, f"/v1/orders/{self.order_no}/fapiao")

    async def fill_in(self, apply_id: str, **fields: str) -> None:
        body = {"fapiao_apply_id": apply_id, "openid": self.buyer.openid, "title": {**TITLE, **fields}}
        answer = await self.crowd.ask("POST", f"{self.engine.simulator_url}/_buyer/fapiao-title", body=body)
        assert answer.status == 200, answer

    async def fapiaos(self) -> list[dict[str, Any]]:
        answer = await self.ask()
        assert answer.status == 200, answer
        found = answer.json["fapiaos"]
        assert isinstance(found, list)
        return found

    async def until(self, is_so: Callable[[Seen], bool], *, patience_s: float = 20.0) -> None:
        """Ask until the order's fapiao are so."""
        until_s = clock_s() + patience_s
        while not is_so(found := await self.fapiaos()):
            assert clock_s() < until_s, found
            await asyncio.sleep(0.1)

    async def as_operator(self, method: str, path: str, body: Any = None) -> Answer:
        headers = {"Authorization": f"Bearer {self.engine.admin_key}", "Idempotency-Key": secrets.token_hex(8)}
        return await self.crowd.ask(method, self.engine.admin_url + path, body=body, headers=headers)

    async def applications(self) -> list[dict[str, Any]]:
        """What WeChat holds about this order."""
        found = (await self.crowd.ask("GET", f"{self.engine.simulator_url}/_admin/fapiao")).json["applications"]
        ours = {entry["fapiao"] for entry in await self.fapiaos()}
        return [one for one in found if ours & {fapiao["fapiao_id"] for fapiao in one["fapiao"]}]

    async def transaction(self) -> str:
        (found,) = [trade for trade in self.engine.ledger() if trade["out_trade_no"] == self.order_no]
        return str(found["transaction_id"])


@pytest.fixture
async def counter(engine: Engine, sale: OnSale) -> AsyncIterator[Counter]:
    async with engine.crowd() as crowd:
        changed = await crowd.ask("PUT", f"{engine.simulator_url}/_admin/faults", body=PROMPT)
        assert changed.status == 200, changed
        buyer = await crowd.ready_buyer(sale.sale_id)
        placed = await buyer.order(sale.sale_id, {sale.skus[0]: 2})
        assert placed.status == 201, placed
        order_no = placed.json["order_no"]
        await buyer.pay(order_no)
        await buyer.wait_for_state(order_no, "paid")
        yield Counter(engine, crowd, buyer, order_no)
