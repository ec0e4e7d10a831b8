"""What one finger does on the order button: once, twice at once, again after the answer, with nonsense, with another's
pass, and more often than allowed.

One key is one order, whatever overtakes what; whoever is refused is refused with a code that fits. Anything else is a
complaint in the journal.
"""

from __future__ import annotations

from collections.abc import Collection

from loadtest.crowd.answers import Order, Refusal, Sale
from loadtest.crowd.journal import Journal
from loadtest.crowd.line import Pass
from loadtest.crowd.population import Behaviour, Persona
from loadtest.crowd.protocol import Phone
from loadtest.crowd.told import Told, reachable
from loadtest.crowd.waiting import Left, Waiting

ANY_TIME = frozenset({"SOLD_OUT", "HELD_BY_OTHERS", "TOO_FEW_LEFT", "PAUSED"})
"""What may be answered to any order, because a worker looks at its snapshot before anything else."""
NONSENSE: tuple[object, ...] = (0, -1, 2**31, 2**63, 1.5, "1", True, None)


class Tapping:
    """The orders of one buyer. Everything here may raise Outage."""

    __slots__ = ("_journal", "_key_count", "_persona", "_phone")

    def __init__(self, persona: Persona, phone: Phone, journal: Journal) -> None:
        self._persona = persona
        self._phone = phone
        self._journal = journal
        self._key_count = 0

    async def try_what_must_fail(self, admission: Pass) -> None:
        """What must not work, tried before what should."""
        sku = self._persona.wishes[0]
        if self._persona.behaviour is Behaviour.FOREIGN_PASS:
            spare = self._journal.spare_pass
            stolen = spare[1] if spare else Pass(admission.seal[:-2] + "AA", admission.ends_ms)
            answer = await self._phone.order(stolen, key=self._key(), items=[{"sku": sku, "quantity": 1}])
            self._expect_refusal(answer, codes={"PASS_INVALID"}, what="an order with another's pass")
        elif self._persona.behaviour is Behaviour.BAD_QUANTITY:
            quantity = NONSENSE[self._persona.whim % len(NONSENSE)]
            items = [{"sku": sku, "quantity": quantity}]
            answer = await self._phone.order(admission, key=self._key(), items=items)
            self._expect_refusal(
                answer, codes={"ITEMS_INVALID", "QUANTITY_INVALID", "ORDER_LIMIT"}, what=f"a quantity of {quantity!r}"
            )

    def _expect_refusal(self, answer: Order | Refusal, *, codes: Collection[str], what: str) -> None:
        if isinstance(answer, Order):
            self._journal.acknowledge(self._phone, answer)
            self._journal.complain(f"{what} was accepted")
        elif answer.code not in codes:
            self._journal.complain(f"{what} was answered {answer.status} {answer.code}")

    async def tap(self, admission: Pass, *, sku: str, quantity: int, sale: Sale) -> Order | Refusal:
        key, items = self._key(), [{"sku": sku, "quantity": quantity}]
        match self._persona.behaviour:
            case Behaviour.DOUBLE_TAPS:
                return await self._tap_twice(admission, key=key, items=items)
            case Behaviour.REPEATS:
                answer = await self._tap_twice(admission, key=key, items=items)
                if isinstance(answer, Order):
                    await self._tap_again(admission, key=key, items=items, first=answer, sale=sale)
                return answer
            case _:
                return await self._phone.order(admission, key=key, items=items)

    async def _tap_twice(self, admission: Pass, *, key: str, items: object) -> Order | Refusal:
        """Two requests in flight under one key: one order, whatever overtakes what."""
        both = await self._phone.together(
            self._phone.order(admission, key=key, items=items),
            self._phone.order(admission, key=key, items=items),
        )
        # Which answer is the older one cannot be seen; the state with more future before it is.
        orders = sorted(
            (answer for answer in both if isinstance(answer, Order)), key=lambda order: -len(reachable(order.state))
        )
        for order in orders:
            self._journal.acknowledge(self._phone, order)
        if len({order.order_no for order in orders}) > 1:
            self._journal.complain("one key gave two orders", about=orders[0].order_no)
        return orders[-1] if orders else both[0]

    async def _tap_again(self, admission: Pass, *, key: str, items: object, first: Order, sale: Sale) -> None:
        """After the answer: the same request gives the same order, another body under its key none."""
        again = await self._phone.order(admission, key=key, items=items)
        if isinstance(again, Refusal):
            self._journal.complain(f"a repeated order was refused with {again.code}", about=first.order_no)
        elif again.order_no != first.order_no:
            self._journal.acknowledge(self._phone, again)
            self._journal.complain("one key gave two orders", about=first.order_no)
        others = [(sku, 1 if quantity > 1 else 2) for sku, quantity in first.units]
        other = [{"sku": sku, "quantity": quantity} for sku, quantity in others]
        # Where an order is one unit at most, the other body is refused for what it asks, whatever its key.
        is_too_much = any(quantity > _most(sale, sku) for sku, quantity in others)
        self._expect_refusal(
            await self._phone.order(admission, key=key, items=other),
            codes={"ORDER_LIMIT" if is_too_much else "KEY_REUSED"},
            what="a reused key",
        )

    def _key(self) -> str:
        self._key_count += 1
        return f"{self._persona.openid}-{self._key_count}"

    async def grab_more(self, told: Told, admission: Pass, *, waiting: Waiting, sale: Sale) -> Told | None:
        """One order more than the pass allows, one more than the limit allows, then one that fits."""
        mine = sum(quantity for _, quantity in told.units)
        room = sale.per_buyer_max - mine
        sku = told.units[0][0]
        most = _most(sale, sku)
        answer = await self._phone.order(admission, key=self._key(), items=[{"sku": sku, "quantity": 1}])
        self._expect_refusal(answer, codes={"PASS_SPENT", *ANY_TIME}, what="a second order on one pass")
        again = await waiting.claim()
        if isinstance(again, Left):
            return None
        if room < most:
            answer = await self._phone.order(again, key=self._key(), items=[{"sku": sku, "quantity": room + 1}])
            self._expect_refusal(
                answer, codes={"BUYER_LIMIT", "PASS_SPENT", *ANY_TIME}, what="more than one buyer may have"
            )
        if room < 1:
            return None
        answer = await self._phone.order(again, key=self._key(), items=[{"sku": sku, "quantity": 1}])
        return self._journal.acknowledge(self._phone, answer) if isinstance(answer, Order) else None


def _most(sale: Sale, sku: str) -> int:
    return next(row.per_order_max for row in sale.skus if row.sku == sku)
