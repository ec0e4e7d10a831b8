"""What must hold after every fault, whatever happened before: checked in the stores themselves and at WeChat."""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.faults.rig import Rig
from tests.support.buyer import Answer, Buyer
from tests.support.engine import OnSale

REST_S = (
    12.0  # repairs by the sweeper and the closer take a second or two; the auditor's last resort must not be needed
)
MONEY_REST_S = 20.0


@dataclass(slots=True)
class Journal:
    """Every order that a buyer was told of, as it was told; an order told twice must be told alike."""

    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    by_request: dict[tuple[str, str], str] = field(default_factory=dict)

    async def order(self, buyer: Buyer, sale: OnSale, items: Mapping[str, int], *, key: str = "") -> Answer:
        """Ask once and note a 201."""
        key = key or secrets.token_hex(8)
        answer = await buyer.order(sale.sale_id, items, key=key)
        self.note(buyer, key, answer)
        return answer

    def note(self, buyer: Buyer, key: str, answer: Answer) -> None:
        if answer.status != 201:
            return
        order = answer.json
        request = (buyer.openid, key)
        assert self.by_request.setdefault(request, order["order_no"]) == order["order_no"], "two orders for one key"
        self.orders[order["order_no"]] = order

    async def insist(
        self, buyer: Buyer, sale: OnSale, items: Mapping[str, int], *, key: str = "", patience_s: float = 20.0
    ) -> Answer:
        """Ask again, under the same key, for as long as there is no answer or it is 503; note a 201.

        Passes do not outlive a loss of Redis: a buyer whose pass is gone claims another with the same place.
        """
        key = key or secrets.token_hex(8)
        until_s = asyncio.get_running_loop().time() + patience_s
        while True:
            try:
                answer = await self.order(buyer, sale, items, key=key)
            except (aiohttp.ClientError, TimeoutError):
                answer = None
            if answer is not None and answer.code == "PASS_SPENT":
                await buyer.take_pass(sale.sale_id)
                continue
            if answer is not None and answer.status != 503:
                assert answer.status < 500, answer
                return answer
            assert asyncio.get_running_loop().time() < until_s, f"no order after {patience_s:g} s: {answer}"
            await asyncio.sleep(0.1)


async def assert_kept(rig: Rig, sale: OnSale, journal: Journal) -> None:
    """All promises, for this sale; the last word is the engine's own audit, of everything in the stores."""
    rig.relaunch()
    await money_at_rest(rig, sale)
    await stock_at_rest(rig, sale)
    ledger = {
        row["order_no"]: row
        for row in await rig.rows(
            """select o.order_no, o.state::text as state, o.has_units, o.amount_fen, sum(i.quantity)::integer as units,
                      array_agg(i.sku_id order by i.sku_id) as skus,
                      array_agg(i.quantity order by i.sku_id) as quantities
               from orders o join order_items i using (order_no, sale_id)
               where sale_id = $1 group by o.order_no, o.sale_id""",
            sale.sale_id,
        )
    }
    lost = journal.orders.keys() - ledger.keys()
    assert not lost, f"acknowledged orders are gone: {lost}"
    for order_no, told in journal.orders.items():
        kept = dict(zip(ledger[order_no]["skus"], ledger[order_no]["quantities"], strict=True))
        assert kept == {item["sku"]: item["quantity"] for item in told["items"]}, f"{order_no} is not what was told"
        assert ledger[order_no]["amount_fen"] == told["amount_fen"]
    requests = await rig.rows(
        "select count(*), count(distinct request_id) from orders where sale_id = $1", sale.sale_id
    )
    assert requests[0]["count"] == len(ledger)
    assert len({*journal.by_request.values()}) == len(journal.by_request), "two requests got one order"
    for order_no, row in ledger.items():
        has_units = row["state"] in ("held", "paying", "closing", "paid")
        assert row["has_units"] == has_units, f"{order_no} is {row['state']} and has_units is {row['has_units']}"
    for row in await rig.rows(
        """select s.sku_id, s.capacity, s.allocated,
                  coalesce((select sum(i.quantity) from order_items i join orders o using (order_no, sale_id)
                            where i.sku_id = s.sku_id and o.has_units), 0)::integer as units
           from skus s where s.sku_id = any($1::text[])""",
        list(sale.skus),
    ):
        assert row["allocated"] == row["units"], f"{row['sku_id']}: counter {row['allocated']}, orders {row['units']}"
        assert row["allocated"] <= row["capacity"], f"{row['sku_id']} is oversold: {row}"
    report = await asyncio.to_thread(rig.engine.audit)
    assert report["verdict"] == "pass", report


async def stock_at_rest(rig: Rig, sale: OnSale) -> None:
    """Redis obeys its own law at once, and agrees with the ledger within a few seconds."""
    shelves: dict[str, dict[str, int]] = {}
    ledger: dict[str, tuple[int, int]] = {}

    async def agree() -> bool:
        nonlocal shelves, ledger
        shelves = rig.shelves(sale)
        ledger = await units_in_ledger(rig, sale)
        # In the middle of a rebuild a shelf is not complete.
        return all(
            (shelf.get("held"), shelf.get("sold")) == ledger.get(sku, (0, 0)) and "free" in shelf
            for sku, shelf in ((sku, shelves.get(sku, {})) for sku in sale.skus)
        )

    try:
        await rig.until(agree, patience_s=REST_S)
    except AssertionError:
        raise AssertionError(f"Redis has {shelves}, the ledger (held, sold) {ledger}") from None
    for sku, shelf in shelves.items():
        assert shelf["free"] + shelf["held"] + shelf["sold"] == shelf["capacity"], f"{sku}: {shelf}"


async def units_in_ledger(rig: Rig, sale: OnSale) -> dict[str, tuple[int, int]]:
    """Units held and sold by SKU, as the orders have them."""
    rows = await rig.rows(
        """select i.sku_id,
                  coalesce(sum(i.quantity) filter (where o.state in ('held', 'paying', 'closing')), 0)::integer as held,
                  coalesce(sum(i.quantity) filter (where o.state = 'paid'), 0)::integer as sold
           from order_items i join orders o using (order_no, sale_id)
           where o.sale_id = $1 and o.has_units group by i.sku_id""",
        sale.sale_id,
    )
    return {row["sku_id"]: (row["held"], row["sold"]) for row in rows}


async def money_at_rest(rig: Rig, sale: OnSale) -> None:
    """Every fen that WeChat took for this sale becomes one paid order or one whole refund, and nothing else is paid."""
    wrong: list[str] = []

    async def decided() -> bool:
        nonlocal wrong
        orders = await rig.orders_of(sale)
        trades = {trade["out_trade_no"]: trade for trade in await asyncio.to_thread(rig.engine.ledger)}
        wrong = []
        for order in orders:
            order_no, state = order["order_no"], order["state"]
            trade = trades.get(order_no, {"total_fen": 0, "refunded_fen": 0, "transaction_id": None})
            came = trade["total_fen"] if trade["transaction_id"] else 0
            stays = came - trade["refunded_fen"]
            due_fen = order["amount_fen"] - order["refunded_fen"] if state == "paid" else 0
            if stays != due_fen or (state == "refunded") != (came > 0 and stays == 0):
                wrong.append(f"{order_no} is {state}; came {came} fen, stays {stays}")
        return not wrong

    try:
        await rig.until(decided, patience_s=MONEY_REST_S)
    except AssertionError:
        raise AssertionError(f"money without a decision: {wrong}") from None
    rows = await rig.rows(
        """select o.order_no, o.amount_fen, count(p.*) as payments, coalesce(sum(p.total_fen), 0)::bigint as fen
           from orders o left join payments p using (order_no)
           where o.sale_id = $1 and o.state in ('paid', 'refunded') group by o.order_no, o.amount_fen
           having count(p.*) <> (o.amount_fen > 0)::integer or coalesce(sum(p.total_fen), 0) <> o.amount_fen""",
        sale.sale_id,
    )
    assert not rows, f"not one payment each: {rows}"
