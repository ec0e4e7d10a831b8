"""Who pays, and how: each phone makes a few orders, one after the other, and does with each what its dice say.

A closed loop with a bounded number of phones at once. A phone repeats what an outage swallowed; what it was told is
written down, and nothing is judged here.
"""

from __future__ import annotations

import asyncio
import enum
import random
from collections import Counter
from dataclasses import dataclass, field

from loadtest.crowd.answers import Order, Refusal
from loadtest.crowd.line import Pass, Place
from loadtest.crowd.protocol import Phone, Shop
from loadtest.wires.port import Outage, Wire

ORDERS_PER_PHONE = 4
PHONES_AT_ONCE = 96
"""Who orders and pays."""
PHONES_IN_LINE = 160
"""Who stands in the line meanwhile: a place is told to ask again after two seconds, and the till must not wait."""
TURN_TRIES = 200
READ_EVERY_S = 0.5
RELEASE_TRIES = 240


class Way(enum.Enum):
    """What becomes of one order."""

    PAYS = "pays"
    PAYS_UNTOLD = "pays, and the phone never hears of it"
    PAYS_AND_CHECKS = "pays, and says so to the engine"
    RETURNS = "pays, and gives a ticket back"
    LATE_MONEY = "cancels, and the money arrives all the same"
    ABANDONS = "asks for payment, and never pays"
    RACES = "cancels while paying"


SHARES = {
    Way.PAYS: 0.62,
    Way.PAYS_UNTOLD: 0.05,
    Way.PAYS_AND_CHECKS: 0.24,
    Way.RETURNS: 0.02,
    Way.LATE_MONEY: 0.02,
    Way.ABANDONS: 0.02,
    Way.RACES: 0.03,
}
PAYING_SHARE = 1 - SHARES[Way.ABANDONS] - SHARES[Way.RACES] / 2


@dataclass(slots=True)
class Memory:
    """What all phones were told."""

    phones: dict[str, Phone] = field(default_factory=dict)
    acknowledged: dict[str, Order] = field(default_factory=dict)
    ways: Counter[Way] = field(default_factory=Counter)
    paid: int = 0
    """Orders whose money moved, as far as the wallet said."""
    returned: int = 0
    outages: Counter[str] = field(default_factory=Counter)
    complaints: Counter[str] = field(default_factory=Counter)


class Payers:
    """All phones of one storm."""

    def __init__(self, wire: Wire, shop: Shop, memory: Memory, *, seed: int, skus: tuple[str, ...]) -> None:
        self._wire = wire
        self._shop = shop
        self._memory = memory
        self._seed = seed
        self._skus = skus
        self._till = asyncio.Semaphore(PHONES_AT_ONCE)

    async def pay(self, order_count: int) -> None:
        """Go on until so many orders were made."""
        numbers = iter(range((order_count + ORDERS_PER_PHONE - 1) // ORDERS_PER_PHONE))

        async def one_after_the_other() -> None:
            for number in numbers:
                await self._live(number)

        async with asyncio.TaskGroup() as group:
            for _ in range(PHONES_AT_ONCE + PHONES_IN_LINE):
                group.create_task(one_after_the_other())

    async def _live(self, number: int) -> None:
        openid = f"o{self._seed & 0xFFFFFFFFFFFF:012x}-payer-{number:08d}"
        dice = random.Random(f"{self._seed} {number}")
        phone = Phone(self._wire, self._shop, openid=openid)
        try:
            place = await self._joined(phone)
            if place is None:
                return
            self._memory.phones[openid] = phone
            first = await self._admitted(phone, place)
            async with self._till:
                for turn in range(ORDERS_PER_PHONE if first else 0):
                    admission = first if turn == 0 else await self._admitted(phone, place)
                    await self._order(phone, place, admission, dice, key=f"{openid}-{turn}")
        except Outage as outage:
            self._memory.outages[str(outage)] += 1

    async def _joined(self, phone: Phone) -> Place | None:
        refusal = await phone.login()
        if refusal is not None:
            self._memory.complaints[f"login: {refusal.code}"] += 1
            return None
        for _ in range(TURN_TRIES):
            place = await phone.join()
            if isinstance(place, Place):
                return place
            if place.retry_after_ms is None:
                self._memory.complaints[f"join: {place.code}"] += 1
                return None
            await asyncio.sleep(place.retry_after_ms / 1000)
        self._memory.complaints["nobody could join"] += 1
        return None

    async def _admitted(self, phone: Phone, place: Place) -> Pass | None:
        """A pass for one order."""
        for _ in range(TURN_TRIES):
            admission = await phone.claim(place)
            if isinstance(admission, Pass):
                return admission
            if admission.retry_after_ms is None:
                self._memory.complaints[f"claim: {admission.code}"] += 1
                return None
            await asyncio.sleep(admission.retry_after_ms / 1000)
        self._memory.complaints["nobody was let in"] += 1
        return None

    async def _ordered(
        self, phone: Phone, place: Place, admission: Pass | None, *, key: str, items: object
    ) -> Order | None:
        """One order on this pass; one that ran out or was lost with Redis is claimed again."""
        while admission is not None:
            order = await phone.order(admission, key=key, items=items)
            if isinstance(order, Order):
                return order
            if order.code == "PASS_SPENT":
                admission = await self._admitted(phone, place)
            elif order.retry_after_ms is None:
                self._memory.complaints[f"order: {order.code}"] += 1
                return None
            else:
                await asyncio.sleep(order.retry_after_ms / 1000)
        return None

    async def _order(
        self, phone: Phone, place: Place, admission: Pass | None, dice: random.Random, *, key: str
    ) -> None:
        [way] = dice.choices(list(SHARES), list(SHARES.values()))
        items = [{"sku": dice.choice(self._skus), "quantity": dice.choice((1, 2))}]
        order = await self._ordered(phone, place, admission, key=key, items=items)
        if order is None:
            return
        self._memory.acknowledged[order.order_no] = order
        self._memory.ways[way] += 1
        parameters = await phone.payment(order.order_no)
        if isinstance(parameters, Refusal):
            self._memory.complaints[f"payment: {parameters.code}"] += 1
            return
        match way:
            case Way.ABANDONS:
                pass
            case Way.LATE_MONEY:
                await self._pay_late(phone, order)
            case Way.RACES:
                await asyncio.gather(self._pay(phone, parameters), phone.cancel(order.order_no))
            case Way.PAYS_UNTOLD:
                await self._pay(phone, parameters, behaviour="pay_then_vanish")
            case Way.PAYS_AND_CHECKS:
                await self._pay(phone, parameters)
                await phone.say_done(order.order_no)
            case Way.RETURNS:
                await self._pay(phone, parameters)
                await self._give_back(phone, order, key=f"{key}-back")
            case Way.PAYS:
                await self._pay(phone, parameters)

    async def _pay(self, phone: Phone, parameters: dict[str, object], *, behaviour: str = "pay") -> None:
        wallet = await phone.pay(parameters, behaviour=behaviour)
        self._memory.paid += wallet.is_paid or wallet.transaction_id is not None

    async def _pay_late(self, phone: Phone, order: Order) -> None:
        """Money for an order that WeChat has closed: the state machine forbids it, and a drill must have it."""
        await phone.cancel(order.order_no)
        if await self._becomes(phone, order, "released"):
            wallet = await phone.pay_regardless(order.order_no)
            self._memory.paid += wallet.is_paid

    async def _give_back(self, phone: Phone, order: Order, *, key: str) -> None:
        if await self._becomes(phone, order, "paid"):
            sku, _ = order.units[0]
            refusal = await phone.give_back(order.order_no, key=key, items=[{"sku": sku, "quantity": 1}])
            if refusal is None:
                self._memory.returned += 1
            else:
                self._memory.complaints[f"refund: {refusal.code}"] += 1

    async def _becomes(self, phone: Phone, order: Order, state: str) -> bool:
        for _ in range(RELEASE_TRIES):
            now = await phone.read(order.order_no)
            if isinstance(now, Order) and now.state == state:
                return True
            await asyncio.sleep(READ_EVERY_S)
        self._memory.complaints[f"an order never became {state}"] += 1
        return False
