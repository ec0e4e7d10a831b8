"""The engine's rooms beside a WeChat that is asked, tells late and twice, refuses and closes; one step at a time."""

import asyncio
import contextlib
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from engine.infra.outage import Outage
from engine.infra.postgres import connection
from engine.orders.records import Order
from engine.orders.states import Event, State
from engine.orders.telling import tell_released
from engine.payments.cancelling.book import cancel
from engine.payments.cancelling.canceller import Canceller
from engine.payments.ledger import PaymentLedger, PaymentWish
from engine.payments.port import PaidReport, RefundReport, RefundState
from engine.payments.refunds.book import RefundBook
from engine.payments.refunds.queue import RefundQueue
from engine.payments.refunds.telling import RefundTeller
from engine.payments.refunds.wishes import Cause, Decided, RefundWish
from engine.payments.settling import NOTIFY, QUERY, Settler
from engine.stock.claim import Item
from tests.payments.cancelling.conftest import Clock
from tests.support.house import Rooms

MCHID, APPID = "1900000001", "wx1"
BUYERS = ("ann", "ben", "cem")
FINAL = (RefundState.SUCCESS, RefundState.CLOSED)


@dataclass(slots=True)
class WeChat:
    """What happened there: one payment a number at most, and refunds that never exceed it."""

    paid: dict[str, PaidReport] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    refunds: dict[str, tuple[str, int, list[RefundState]]] = field(default_factory=dict)

    def pay(self, order: Order, openid: str) -> None:
        if order.order_no not in self.closed and order.amount_fen:
            self.paid.setdefault(
                order.order_no,
                PaidReport(
                    order_no=order.order_no,
                    transaction_id=f"4200{order.order_no[:24]}",
                    total_fen=order.amount_fen,
                    mchid=MCHID,
                    appid=APPID,
                    openid=openid,
                    success_at=datetime.now(UTC),
                ),
            )

    def given_back(self, order_no: str, *, even_if_under_way: bool = False) -> int:
        return sum(
            fen
            for of, fen, told in self.refunds.values()
            if of == order_no and (told[-1] is RefundState.SUCCESS or (even_if_under_way and told[-1] not in FINAL))
        )

    def ask_for(self, number: str, order_no: str, fen: int) -> RefundReport:
        if number not in self.refunds:
            left = self.paid[order_no].total_fen - self.given_back(order_no, even_if_under_way=True)
            if fen > left:
                return RefundReport(out_refund_no=number, state=RefundState.REFUSED, code="INVALIDREQUEST")
            self.refunds[number] = (order_no, fen, [RefundState.PROCESSING])
        return self.word(number)

    def word(self, number: str, at: int = -1) -> RefundReport:
        order_no, fen, told = self.refunds[number]
        return RefundReport(out_refund_no=number, state=told[at], refund_fen=fen, order_no=order_no)


@dataclass(slots=True)
class World:
    """The engine's rooms and WeChat, and one step of either."""

    house: Rooms
    refunds: RefundBook
    canceller: Canceller
    clock: Clock
    draw: random.Random
    wechat: WeChat = field(default_factory=WeChat)
    orders: list[tuple[Order, str]] = field(default_factory=list)
    keys: int = 0
    again: set[str] = field(default_factory=set)  # refunds that were made under a new number
    queue: RefundQueue = field(init=False)
    teller: RefundTeller = field(init=False)
    settler: Settler = field(init=False)

    def __post_init__(self) -> None:
        house = self.house
        self.queue = RefundQueue(house.pool)
        self.teller = RefundTeller(house.board, house.stock, house.book)
        self.settler = Settler(
            house.board,
            house.stock,
            house.book,
            PaymentLedger(house.pool, house.pool),
            buyer_of=lambda openid: openid.ljust(16, "-").encode(),
            appid=APPID,
            mchids=frozenset({MCHID}),
        )

    async def step(self) -> None:
        """Something happens; what Redis or a race forbids comes again another time."""
        steps = {
            self.place: 1,
            self.begin: 1,
            self.pay: 2,
            self.tell: 2,
            self.ask: 1,
            self.give_up: 1,
            self.lapse: 1,
            self.decide: 3,
            self.send: 3,
            self.bank: 4,
            self.tell_refund: 3,
            self.retry: 3,
            self.elsewhere: 0.3,
            self.cancel: 0.1,
            self.forget: 0.2,
            self.canceller.run_once: 0.5,
            self.house.auditor.run_once: 0.5,
        }
        with contextlib.suppress(Outage):
            await self.draw.choices(list(steps), list(steps.values()))[0]()

    def some(self) -> tuple[Order, str] | None:
        return self.draw.choice(self.orders) if self.orders else None

    async def place(self) -> None:
        buyer = self.draw.choice(BUYERS)
        self.keys += 1
        skus = self.draw.sample(("floor", "stand", "early"), self.draw.randint(1, 2))
        asked = {sku: self.draw.randint(1, 2) for sku in skus}
        placed = await self.house.try_to_place(buyer, f"key-{self.keys:05}", **asked)
        if isinstance(placed, Order):
            self.orders.append((placed, buyer))

    async def begin(self) -> None:
        if one := self.some():
            wish = PaymentWish(one[0].order_no, one[0].buyer, 0, MCHID)
            await self.house.ledger.start_payments([wish], mchids={MCHID})

    async def pay(self) -> None:
        """The money comes in time, or for an order that is long released."""
        if one := self.some():
            self.wechat.pay(*one)

    async def tell(self) -> None:
        """A notice, once or at two workers at once."""
        if self.wechat.paid:
            report = self.draw.choice(list(self.wechat.paid.values()))
            told = (self.settler.settle(report, NOTIFY) for _ in range(self.draw.randint(1, 2)))
            await asyncio.gather(*told, return_exceptions=True)

    async def ask(self) -> None:
        """The closer's question about an order that closes."""
        if one := self.some():
            now = await self.house.book.read(one[0].order_no)
            report = self.wechat.paid.get(one[0].order_no)
            if report is not None:
                await self.settler.settle(report, QUERY)
            elif now is not None and now.state is State.CLOSING:
                if self.draw.random() < 0.5:  # else WeChat had not heard of it yet, and hears of it later
                    self.wechat.closed.add(now.order_no)
                if await self.house.book.release([now.order_no], Event.FOUND_UNPAID) and self.draw.random() < 0.7:
                    await tell_released(self.house.live, self.house.stock, self.house.book, [now.order_no])

    async def give_up(self) -> None:
        """The buyer cancels."""
        if one := self.some():
            number = one[0].order_no
            await self.house.book.start_closing([number], Event.CANCELLED)
            if await self.house.book.release([number], Event.CANCELLED) and self.draw.random() < 0.7:
                await tell_released(self.house.live, self.house.stock, self.house.book, [number])

    async def lapse(self) -> None:
        if one := self.some():
            await self.house.sql("update orders set deadline = now() where order_no = $1 returning 1", one[0].order_no)
            await self.house.sweeper.run_once()

    async def decide(self) -> None:
        """A buyer or an organizer wants money back; Redis is told, or whoever would tell it dies."""
        if one := self.some():
            asked: dict[str, Any] = self.draw.choice(
                (
                    {"whole": True},
                    {"items": (Item(one[0].items[0].sku_id, 1),)},
                    {"amount_fen": self.draw.choice((1, 700, 5000))},
                    {"items": (Item(one[0].items[-1].sku_id, 1),), "amount_fen": 100},
                )
            )
            wish = RefundWish(
                order_no=one[0].order_no,
                cause=Cause.ORGANIZER,
                reason="any",
                units_back=self.draw.random() < 0.8,
                **asked,
            )
            decided = await self.refunds.decide(wish)
            if isinstance(decided, Decided) and self.draw.random() < 0.6:
                await self.teller.tell(decided)

    async def send(self) -> None:
        """A refunder sends what is intended; its answer is lost now and then."""
        rows = await self.ask_ledger("select out_refund_no, order_no, amount_fen from refunds where state = 'intended'")
        if rows:
            row = self.draw.choice(rows)
            report = self.wechat.ask_for(row["out_refund_no"], row["order_no"], row["amount_fen"])
            if self.draw.random() < 0.8:
                await self.queue.note(report)

    async def bank(self) -> None:
        """A refund comes to its end at WeChat, or nearly."""
        open_ones = [told for _, _, told in self.wechat.refunds.values() if told[-1] not in FINAL]
        if open_ones:
            told = self.draw.choice(open_ones)
            ends = (RefundState.SUCCESS, RefundState.CLOSED, RefundState.CLOSED, RefundState.ABNORMAL)
            told.append(self.draw.choice(ends) if told[-1] is RefundState.PROCESSING else RefundState.PROCESSING)

    async def elsewhere(self) -> None:
        """Somebody gives money back in WeChat's own pages; it is told like any other refund, sooner or later."""
        if self.wechat.paid:
            report = self.draw.choice(list(self.wechat.paid.values()))
            left = report.total_fen - self.wechat.given_back(report.order_no, even_if_under_way=True)
            if left:
                number = f"by-hand-{len(self.wechat.refunds)}"
                fen = self.draw.choice((left, self.draw.randint(1, left)))
                self.wechat.refunds[number] = (report.order_no, fen, [RefundState.SUCCESS])

    async def tell_refund(self) -> None:
        """A notice about a refund, maybe an old one."""
        if self.wechat.refunds:
            number = self.draw.choice(list(self.wechat.refunds))
            told = self.wechat.refunds[number][2]
            await self.queue.note(self.wechat.word(number, self.draw.randrange(len(told))))

    async def retry(self) -> None:
        """Somebody tries any closed refund again, having asked WeChat about it."""
        rows = await self.ask_ledger("select out_refund_no from refunds where state = 'closed'")
        if rows:
            number = self.draw.choice(rows)["out_refund_no"]
            if number in self.wechat.refunds and self.wechat.word(number).state is not RefundState.CLOSED:
                await self.queue.note(self.wechat.word(number))
            else:
                await self.try_again(number)

    async def try_again(self, number: str) -> None:
        decided = await self.refunds.retry(number)
        if isinstance(decided, Decided):
            assert decided.out_refund_no is not None
            self.again.add(decided.out_refund_no)

    async def cancel(self) -> None:
        async with connection(self.house.pool) as conn:
            await cancel(conn, self.draw.choice(("night", "matinee")), "storm")
        await self.house.follower.run_once()

    async def forget(self) -> None:
        """Redis loses everything and is restored."""
        await self.house.store.client.flushall()
        self.house.live.fence()
        await self.house.rebuilder.run_once()

    async def ask_ledger(self, sql: str) -> list[dict[str, Any]]:
        async with connection(self.house.pool) as conn:
            return [dict(row) for row in await conn.fetch(sql)]

    async def come_to_rest(self) -> None:
        """WeChat's word about everything, and every failed refund tried again, until nothing moves."""
        for _ in range(12):
            for one, _buyer in self.orders:
                now = await self.house.book.read(one.order_no)
                assert now is not None
                if now.state is State.CLOSING and one.order_no not in self.wechat.paid:
                    self.wechat.closed.add(one.order_no)
                    await self.house.book.release([one.order_no], Event.FOUND_UNPAID)
            for report in self.wechat.paid.values():
                await self.settler.settle(report, QUERY)
            self.clock.now_s += 3600
            while await self.canceller.run_once():
                pass
            rows = await self.ask_ledger("select out_refund_no, order_no, amount_fen, state::text from refunds")
            for row in rows:
                number = row["out_refund_no"]
                if row["state"] == "intended":
                    await self.queue.note(self.wechat.ask_for(number, row["order_no"], row["amount_fen"]))
            for number, (_, _, told) in self.wechat.refunds.items():
                if told[-1] not in FINAL:
                    told.append(RefundState.SUCCESS)
                await self.queue.note(self.wechat.word(number))
            for row in rows:
                if row["state"] == "closed":
                    await self.try_again(row["out_refund_no"])
        await self.house.follower.run_once()
        await self.house.auditor.run_once()

    async def check(self) -> None:
        report = await self.house.audit()
        assert report.passed, report.lines()
        for one, _buyer in self.orders:
            now = await self.house.book.read(one.order_no)
            assert now is not None
            came = self.wechat.paid[one.order_no].total_fen if one.order_no in self.wechat.paid else 0
            stays = came - self.wechat.given_back(one.order_no)
            assert stays == (now.amount_fen - now.refunded_fen if came else 0), (one.order_no, now.state)
            if came:
                assert now.state is (State.PAID if stays else State.REFUNDED), (one.order_no, now.state)
            else:
                assert now.state in (State.HELD, State.PAYING, State.RELEASED), (one.order_no, now.state)
        for row in await self.ask_ledger(
            "select order_no, array_agg(out_refund_no) as numbers, array_agg(amount_fen) as amounts,"
            " sum(amount_fen) filter (where state = 'success') as made from refunds group by order_no"
        ):
            first_tries = zip(row["numbers"], row["amounts"], strict=True)
            wanted = sum(fen for number, fen in first_tries if number not in self.again)
            if not any(number.startswith("by-hand") for number in row["numbers"]):
                assert row["made"] == wanted, (row["order_no"], "every decision is carried out once")
