"""Applying a sale file that moves a session owes its buyers a message, where buyers are told of changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.catalog.sale_file import SaleFile, parse_sale_file
from engine.catalog.store import apply
from tests.miniprogram.shop import Shop

SALE = """
time_zone = "Asia/Shanghai"
[[events]]
id = "spring"
title = "Spring"
[[events.sessions]]
id = "fri"
title = "Friday"
venue = "Hall"
starts_at = 2027-06-11T19:30:00
[[events.sessions.skus]]
id = "fri-floor"
title = "Floor"
price_fen = 10000
capacity = 100
per_order_max = 4
[[events.sessions]]
id = "sat"
title = "Saturday"
venue = "Hall"
starts_at = 2027-06-12T19:30:00
[[events.sessions.skus]]
id = "sat-floor"
title = "Floor"
price_fen = 10000
capacity = 100
per_order_max = 4
[[sales]]
id = "later"
title = "Later"
skus = ["fri-floor", "sat-floor"]
lane = "public"
opens_at = 2027-04-01T12:00:00
closes_at = 2027-04-02T12:00:00
hold_s = 600
per_buyer_max = 4
line_rate = 100
"""
LATER = ("2027-06-11T19:30:00", "2027-06-11T20:00:00")
ELSEWHERE = ('title = "Friday"\nvenue = "Hall"', 'title = "Friday"\nvenue = "Dome"')
RENAMED = ('title = "Friday"', 'title = "Freitag"')


def sale_file(*changes: tuple[str, str]) -> SaleFile:
    text = SALE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return parse_sale_file(text, Path("sale.toml"))


async def applied(shop: Shop, *changes: tuple[str, str], tell_changed: bool = True) -> None:
    async with shop.pool.acquire() as conn:
        await apply(conn, sale_file(*changes), tell_changed=tell_changed)


async def owed(shop: Shop) -> list[tuple[str, str]]:
    """(order, session) of every change to tell."""
    rows = await shop.pool.fetch("select order_no, subject from duties where kind = 'tell_changed' order by created_at")
    return [(row["order_no"], row["subject"].split(":")[1]) for row in rows]


@pytest.mark.parametrize("change", [LATER, ELSEWHERE], ids=["time", "place"])
async def test_the_buyers_of_a_session_that_moved_are_told_once_an_order(shop: Shop, change: tuple[str, str]) -> None:
    await applied(shop)
    friday, both = await shop.order(fri_floor=2), await shop.order("oOther", fri_floor=1, sat_floor=1)
    await shop.order("oSaturday", sat_floor=1)
    await applied(shop, change)
    await applied(shop, change)  # the second time nothing changes
    assert sorted(await owed(shop)) == sorted([(friday, "fri"), (both, "fri")])


async def test_another_title_moves_nobody(shop: Shop) -> None:
    await applied(shop)
    await shop.order(fri_floor=1)
    await applied(shop, RENAMED)
    assert await owed(shop) == []


async def test_orders_without_tickets_of_the_session_are_not_told(shop: Shop) -> None:
    await applied(shop)
    await shop.order("oReleased", state="released", fri_floor=1)
    await shop.order("oReturned", fri_floor=1)
    await shop.sql("update order_items set returned = quantity")
    await applied(shop, LATER)
    assert await owed(shop) == []


async def test_two_changes_before_anybody_is_told_are_one_message(shop: Shop) -> None:
    await applied(shop)
    order_no = await shop.order(fri_floor=1)
    await applied(shop, LATER)
    await applied(shop, LATER, ELSEWHERE)
    assert await owed(shop) == [(order_no, "fri")]


async def test_a_change_after_the_message_is_told_again(shop: Shop) -> None:
    await applied(shop)
    order_no = await shop.order(fri_floor=1)
    await applied(shop, LATER)
    await shop.sql("update duties set state = 'done', outcome = 'told'")
    await applied(shop, LATER, ELSEWHERE)
    assert await owed(shop) == [(order_no, "fri")] * 2


async def test_nothing_is_owed_where_buyers_are_not_told_of_changes(shop: Shop) -> None:
    await applied(shop)
    await shop.order(fri_floor=1)
    await applied(shop, LATER, tell_changed=False)
    assert await owed(shop) == []
