"""The simulator's own process, and orders that are paid there and in the house's ledger."""

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from engine.config import Wechat
from engine.orders.records import Order
from engine.payments.ledger import PaymentLedger, Settlement
from engine.payments.port import PaidReport, Prepaid, PrepayRequest
from engine.payments.refunds.queue import Lane, RefundQueue
from engine.payments.refunds.refunder import Refunder
from engine.payments.wechat.client import WeChatPay, from_config
from tests.support.house import Rooms

OPENID = "oTestBuyer_-0000000000000001"
# No callbacks: what WeChat did is learned by asking, unless a test tells it.
LUCK = {
    "callback_loss": 1.0,
    "refund_delay_ms": [0, 0],
    "refund_spacing_ms": 0,
    "refund_abnormal": 0.0,
    "refund_closed": 0.0,
    "refund_not_enough": 0.0,
    "answer_routes": [],
    "answer_lost": 0.0,
}


@dataclass(frozen=True, slots=True)
class Simulator:
    url: str
    names: dict[str, Any]


@contextmanager
def running_simulator(home: Path) -> Iterator[Simulator]:
    command = [sys.executable, "-u", "-m", "engine.simulator", "--port", "0", "--home", str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert "ready on http://" in line, line
            url = line.partition(" on ")[2].split()[0]
            yield Simulator(url, json.loads((home / "credentials.json").read_text()))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(10)


@dataclass(slots=True)
class Shop:
    """A house whose buyers pay at the simulator."""

    house: Rooms
    simulator: Simulator
    session: aiohttp.ClientSession
    provider: WeChatPay
    queue: RefundQueue
    now_s: float = 0.0

    def refunder(self, lane: Lane = Lane.SINGLE, *, calls_max: int = 16) -> Refunder:
        return Refunder(self.queue, self.provider, monotonic_s=lambda: self.now_s, lane=lane, calls_max=calls_max)

    async def luck(self, **knobs: object) -> None:
        async with self.session.put(f"{self.simulator.url}/_admin/faults", json=LUCK | knobs) as response:
            assert response.status == 200, await response.text()

    async def buy(self, buyer: str = "ann", **quantities: int) -> Order:
        """An order that is paid, here and there."""
        order = await self.house.place(buyer, **quantities)
        await self.settle(order)
        return order

    async def settle(self, order: Order) -> None:
        """The order's money comes, there and then here."""
        report = await self._pay(order)
        settlement = Settlement(
            order_no=order.order_no,
            transaction_id=report.transaction_id,
            mchid=report.mchid,
            buyer=order.buyer,
            total_fen=report.total_fen,
            success_at=report.success_at,
            learned_by="query",
        )
        assert await PaymentLedger(self.house.pool, self.house.pool).settle([settlement])

    async def _pay(self, order: Order) -> PaidReport:
        prepaid = await self.provider.create(
            PrepayRequest(
                order_no=order.order_no,
                mchid=self.simulator.names["mchid"],
                description="票",
                total_fen=order.amount_fen,
                openid=OPENID,
                expires_at=datetime.now(UTC) + timedelta(minutes=10),
            )
        )
        assert isinstance(prepaid, Prepaid), prepaid
        body = {"out_trade_no": order.order_no}
        async with self.session.post(f"{self.simulator.url}/_admin/pay", json=body) as response:
            assert response.status == 200, await response.text()
        trade = await self.provider.query(order.order_no, self.simulator.names["mchid"])
        assert trade.paid is not None, trade
        return trade.paid

    async def carry_out(self, lane: Lane = Lane.SINGLE) -> None:
        """Send what is due, and ask about it at once."""
        refunder = self.refunder(lane)
        for _ in range(2):
            await self.house.sql("update refunds set next_check_at = now() where state <> 'success' returning 1")
            await refunder.run_once()

    async def audit(self) -> None:
        """Redis hears what was decided lately, and then everything agrees."""
        await self.house.auditor.run_once()
        report = await self.house.audit()
        assert report.passed, report.lines()

    async def refunded_fen(self, order_no: str) -> int:
        """What WeChat has given back, or has accepted to."""
        async with self.session.get(f"{self.simulator.url}/_admin/ledger") as response:
            orders = (await response.json())["orders"]
        (trade,) = [trade for trade in orders if trade["out_trade_no"] == order_no]
        return int(trade["refunded_fen"]) + int(trade["refunding_fen"])

    async def state(self, order_no: str) -> str:
        return str(await self.house.sql("select state::text from orders where order_no = $1", order_no))

    async def stage(self, out_refund_no: str | None) -> str:
        return str(await self.house.sql("select state::text from refunds where out_refund_no = $1", out_refund_no))


@asynccontextmanager
async def open_shop(
    house: Rooms, simulator: Simulator, *, notify_url: str = "http://127.0.0.1:9/wechatpay/notify"
) -> AsyncIterator[Shop]:
    names = {name: value for name, value in simulator.names.items() if name in Wechat.model_fields}
    config = Wechat(
        **names,
        gateway_url=simulator.url,
        login_url=simulator.url,
        notify_url=notify_url,
        description="票",
    )
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        provider = from_config(config, session)
        with contextlib.closing(_Closing(provider)):
            shop = Shop(house, simulator, session, provider, RefundQueue(house.pool, duty_kinds=("tell_refunded",)))
            await shop.luck()
            yield shop


class _Closing:
    def __init__(self, provider: WeChatPay) -> None:
        self._provider = provider

    def close(self) -> None:
        self._provider.close_signer()
