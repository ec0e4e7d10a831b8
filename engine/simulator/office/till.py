"""The till: where buyers pay, at once, at the last second, or in a race with the merchant's close.

What may be paid is decided by the pure machines at the moment the money moves; everything a buyer does before
that is waiting. Looking, deciding and recording happen in one go, as at the desk.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from engine.simulator.keys.crypto import Verify
from engine.simulator.luck import faults
from engine.simulator.luck.faults import Faults
from engine.simulator.office.ledger import Key, Ledger
from engine.simulator.pay import buyer, notices, orders, shapes
from engine.simulator.pay.buyer import Behaviour, PaymentCall
from engine.simulator.pay.notices import Notice
from engine.simulator.pay.orders import Order
from engine.simulator.pay.refusals import Refusal
from engine.simulator.processes.authorization import Merchant
from engine.simulator.processes.calls import Outcome

Told = tuple[str, str | None]  # What the mini program hears, and the transaction_id if money moved.


class Till:
    """`notify` takes the notice of a payment; the second argument is True when it has to be late."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        merchants: Mapping[str, Merchant],
        faults: Callable[[], Faults],
        notify: Callable[[Notice, bool], None],
        now_ms: Callable[[], int],
        entropy: Callable[[int], bytes],
        verify: Verify,
    ) -> None:
        self._ledger = ledger
        self._merchants = merchants
        self._faults = faults
        self._notify = notify
        self._now_ms = now_ms
        self._entropy = entropy
        self._verify = verify
        self._racers: dict[Key, list[asyncio.Event]] = {}

    def tap(self, call: PaymentCall, behaviour: Behaviour | None) -> Told | Awaitable[Told]:
        """A buyer meets wx.requestPayment and behaves; None lets the knob's shares decide."""
        luck = self._faults()
        if behaviour is None:
            behaviour = buyer.choose(
                luck.buyer_behaviours, draw=faults.draw(luck.seed, "buyer_behaviours", call.prepay_id)
            )
        wait_s = faults.delay_s(luck.buyer_delay_ms, seed=luck.seed, knob="buyer_delay_ms", subject=call.prepay_id)
        if behaviour is Behaviour.WRONG_PASSWORD:
            wait_s *= 2
        if wait_s or behaviour in buyer.OFFSETS_MS or behaviour is Behaviour.RACE_CLOSE:
            return self._tap_later(call, behaviour, wait_s)
        return self._tap_now(call, behaviour, self._now_ms())

    def close(self, mchid: str, out_trade_no: str, close: Callable[[], Outcome]) -> Outcome:
        """The merchant's close, with the buyers who waited to race it: half of them are a hair faster."""
        racers = self._racers.pop((mchid, out_trade_no), [])
        if not racers:
            return close()
        luck = self._faults()
        faster = faults.draw(luck.seed, "race_close", out_trade_no) < 0.5
        if not faster:
            outcome = close()
        for racer in racers:
            racer.set()
        if faster:
            known = self._ledger.order(mchid, out_trade_no, now_ms=self._now_ms())
            if known is not None:
                self._pay(known, self._now_ms())
            outcome = close()
        return outcome

    def pay_anyway(self, out_trade_no: str) -> Order | None:
        """For drills: money arrives for an order in any state. None for an order nobody placed."""
        now_ms = self._now_ms()
        for mchid in self._merchants:
            known = self._ledger.order(mchid, out_trade_no, now_ms=now_ms)
            if known is not None:
                paid = orders.pay_anyway(known, now_ms=now_ms, transaction_id=self._fresh_transaction_id(now_ms))
                if paid is not known:
                    self._book(paid, now_ms)
                return paid
        return None

    async def _tap_later(self, call: PaymentCall, behaviour: Behaviour, wait_s: float) -> Told:
        await asyncio.sleep(wait_s)
        now_ms = self._now_ms()
        order = self._ledger.order_of_prepay(call.prepay_id, now_ms=now_ms)
        objection = self._objection(call, order, now_ms)
        if objection is not None or order is None:
            return objection or "fail", None
        if behaviour is Behaviour.RACE_CLOSE:
            return await self._race(call, order)
        if behaviour in buyer.OFFSETS_MS:
            # The payment is decided for that very moment, however late the timer is.
            moment_ms = max(order.expires_ms + buyer.OFFSETS_MS[behaviour], now_ms)
            await asyncio.sleep((moment_ms - now_ms) / 1000)
            return self._tap_now(call, behaviour, moment_ms)
        return self._tap_now(call, behaviour, now_ms)

    async def _race(self, call: PaymentCall, order: Order) -> Told:
        """Stand at the cashier until the merchant closes the order, or it expires."""
        racer = asyncio.Event()
        self._racers.setdefault((order.mchid, order.out_trade_no), []).append(racer)
        try:
            async with asyncio.timeout(max(order.expires_ms - self._now_ms(), 0) / 1000):
                await racer.wait()
        except TimeoutError:
            return buyer.RESULTS[Behaviour.ABANDON], None
        now_ms = self._now_ms()
        after = self._ledger.order_of_prepay(call.prepay_id, now_ms=now_ms)
        if after is not None and after.was_paid:
            return buyer.RESULTS[Behaviour.RACE_CLOSE], after.transaction_id
        return self._tap_now(call, Behaviour.RACE_CLOSE, now_ms)

    def _tap_now(self, call: PaymentCall, behaviour: Behaviour, moment_ms: int) -> Told:
        order = self._ledger.order_of_prepay(call.prepay_id, now_ms=moment_ms)
        objection = self._objection(call, order, moment_ms)
        if objection is not None or order is None:
            return objection or "fail", None
        if behaviour not in buyer.PAYING:
            return buyer.RESULTS[behaviour], None
        paid = self._pay(order, moment_ms, late=behaviour is Behaviour.OK_BEFORE_CALLBACK)
        if isinstance(paid, Refusal):
            return f"fail {paid.message}", None
        return buyer.RESULTS[behaviour], paid.transaction_id

    def _objection(self, call: PaymentCall, order: Order | None, now_ms: int) -> str | None:
        # Without an order any key will do: the call fails before the key is used.
        mchid = next(iter(self._merchants)) if order is None else order.mchid
        return buyer.objection(call, order, self._merchants[mchid].public_key, now_ms=now_ms, verify=self._verify)

    def _pay(self, order: Order, now_ms: int, *, late: bool = False) -> Order | Refusal:
        paid = orders.pay(
            order,
            now_ms=now_ms,
            transaction_id=self._fresh_transaction_id(now_ms),
            paid_code=self._faults().paid_code,
        )
        if not isinstance(paid, Refusal):
            self._book(paid, now_ms, late=late)
        return paid

    def _book(self, paid: Order, now_ms: int, *, late: bool = False) -> None:
        notice = notices.paid(paid, notice_id=shapes.notice_id(self._entropy(16)), now_ms=now_ms)
        self._ledger.record(order=paid, notice=notice)
        self._notify(notice, late)

    def _fresh_transaction_id(self, now_ms: int) -> str:
        return shapes.transaction_id(now_ms, self._entropy(8))
