"""Applying a sale file to the real ledger: idempotent, complete, and never against what was sold."""

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest

from engine.catalog.controls import set_paused
from engine.catalog.refusals import SaleFileInvalid
from engine.catalog.store import Change, apply, load_sales
from tests.catalog.texts import sale_file

if TYPE_CHECKING:
    from engine.infra.postgres import Connection

TABLES = ("events", "sessions", "skus", "sales", "sale_skus", "refund_tiers")


async def contents(conn: "Connection") -> dict[str, list[tuple[object, ...]]]:
    return {
        table: sorted(tuple(row.values()) for row in await conn.fetch(f"select * from {table}")) for table in TABLES
    }


async def allocate(conn: "Connection", sku_id: str, count: int) -> None:
    await conn.execute("update skus set allocated = $2 where sku_id = $1", sku_id, count)


async def test_a_first_apply_creates_every_record(conn: "Connection") -> None:
    changes = await apply(conn, sale_file())

    assert [str(change) for change in changes] == [
        "event gig created",
        "session sat created",
        "sku floor created",
        "sku stand created",
        "sale drop created",
        "sale later created",
    ]


async def test_what_was_applied_is_loaded_again(conn: "Connection") -> None:
    await apply(conn, sale_file())

    assert await load_sales(conn) == sale_file().sales


async def test_a_second_apply_changes_nothing(conn: "Connection") -> None:
    await apply(conn, sale_file())
    before = await contents(conn)

    assert await apply(conn, sale_file()) == ()
    assert await contents(conn) == before


async def test_changed_fields_are_told_from_old_to_new(conn: "Connection") -> None:
    await apply(conn, sale_file())

    changes = await apply(
        conn,
        sale_file(
            ("capacity = 300", "capacity = 301"),
            ('"Saturday"', '"Samedi"'),
            ('"stand", "floor"', '"floor", "stand"'),
            ("per_buyer_max = 6", "per_buyer_max = 5"),
        ),
    )

    assert changes == (
        Change("session sat", "title", "Saturday", "Samedi"),
        Change("sku floor", "capacity", "300", "301"),
        Change("sale drop", "skus", "stand, floor", "floor, stand"),
        Change("sale drop", "per_buyer_max", "6", "5"),
    )
    assert str(changes[1]) == "sku floor capacity: 300 -> 301"


async def test_changed_fields_are_loaded_again(conn: "Connection") -> None:
    await apply(conn, sale_file())
    changed = sale_file(
        ("capacity = 300", "capacity = 301"),
        ("price_fen = 48000", "price_fen = 48001"),
        ('title = "Gig"', 'title = "Concert"'),
        ("2027-06-12T19:30:00", "2027-06-12T20:30:00"),
        ('"stand", "floor"', '"floor", "stand"'),
        ("line_rate = 400", "line_rate = 500"),
    )

    await apply(conn, changed)

    assert await load_sales(conn) == changed.sales


async def test_a_dry_run_tells_the_same_and_writes_nothing(conn: "Connection") -> None:
    await apply(conn, sale_file())
    before = await contents(conn)
    changed = sale_file(("capacity = 300", "capacity = 301"))

    told = await apply(conn, changed, dry_run=True)

    assert await contents(conn) == before
    assert await apply(conn, changed) == told


async def test_capacity_goes_down_to_what_is_allocated(conn: "Connection") -> None:
    await apply(conn, sale_file())
    await allocate(conn, "floor", 100)

    await apply(conn, sale_file(("capacity = 300", "capacity = 100")))

    assert await conn.fetchval("select capacity from skus where sku_id = 'floor'") == 100


async def test_capacity_below_what_is_allocated_is_refused(conn: "Connection") -> None:
    await apply(conn, sale_file())
    await allocate(conn, "floor", 100)
    before = await contents(conn)

    with pytest.raises(SaleFileInvalid) as caught:
        await apply(conn, sale_file(("capacity = 300", "capacity = 99"), ('"Saturday"', '"Samedi"')))

    assert str(caught.value) == (
        "drop.toml:16: events.gig.sessions.sat.skus.floor.capacity is 99, "
        "but 100 units are allocated already; it can go down to 100"
    )
    assert await contents(conn) == before


async def test_units_allocated_while_a_file_is_applied_are_never_undercut(
    conn: "Connection", database_url: str
) -> None:
    await apply(conn, sale_file())
    buyer = await asyncpg.connect(database_url)
    sold = buyer.transaction()
    await sold.start()
    await allocate(buyer, "floor", 100)

    # The apply reads 0 allocated, then waits for the row that the buyer holds.
    applying = asyncio.create_task(apply(conn, sale_file(("capacity = 300", "capacity = 99"))))
    while not await buyer.fetchval("select exists (select from pg_locks where not granted)"):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await sold.commit()
    await buyer.close()

    with pytest.raises(SaleFileInvalid, match="99, but 100 units are allocated"):
        await applying
    assert await conn.fetchval("select capacity from skus where sku_id = 'floor'") == 300


async def test_a_sku_cannot_move_to_another_session(conn: "Connection") -> None:
    await apply(conn, sale_file())

    with pytest.raises(SaleFileInvalid, match="belongs to the session 'sat' and cannot move to 'sun'"):
        await apply(conn, sale_file(('"sat"', '"sun"')))


async def test_a_session_cannot_move_to_another_event(conn: "Connection") -> None:
    await apply(conn, sale_file())

    with pytest.raises(SaleFileInvalid, match="belongs to the event 'gig' and cannot move to 'gag'"):
        await apply(conn, sale_file(('"gig"', '"gag"')))


async def test_a_sku_in_two_sales_at_once_is_refused_across_files(conn: "Connection") -> None:
    await apply(conn, sale_file())

    with pytest.raises(SaleFileInvalid) as caught:
        await apply(conn, sale_file(('id = "drop"', 'id = "again"')))

    assert [(problem.key, problem.line) for problem in caught.value.problems] == [("sales.again.skus", 29)] * 2
    assert "'drop' offers it, too" in str(caught.value)


async def test_two_sales_may_swap_their_windows_in_one_file(conn: "Connection") -> None:
    await apply(conn, sale_file())
    swapped = sale_file(('id = "drop"', 'id = "x"'), ('id = "later"', 'id = "drop"'), ('id = "x"', 'id = "later"'))

    await apply(conn, swapped)

    assert await load_sales(conn) == swapped.sales


async def test_a_sku_with_allocated_units_cannot_leave_its_sale(conn: "Connection") -> None:
    await apply(conn, sale_file())
    await allocate(conn, "stand", 1)

    with pytest.raises(SaleFileInvalid, match="leaves out 'stand', of which units are allocated"):
        await apply(conn, sale_file(('"stand", "floor"', '"floor"')))


async def test_a_sku_that_sold_nothing_can_leave_its_sale(conn: "Connection") -> None:
    await apply(conn, sale_file())

    changes = await apply(conn, sale_file(('"stand", "floor"', '"floor"')))

    assert changes == (Change("sale drop", "skus", "stand, floor", "floor"),)


POLICY = ("line_rate = 400\n", "line_rate = 400\n[[sales.refunds]]\ndays_before = 7\npercent = 80\n")


async def test_a_refund_policy_is_loaded_as_it_was_applied(conn: "Connection") -> None:
    await apply(conn, sale_file(POLICY))

    assert await load_sales(conn) == sale_file(POLICY).sales


async def test_a_refund_policy_may_change_while_the_sale_runs(conn: "Connection") -> None:
    await apply(conn, sale_file(POLICY))
    stricter = (POLICY[0], POLICY[1].replace("80", "50"))

    changes = await apply(conn, sale_file(stricter))

    assert [str(change) for change in changes] == [
        "sale drop refunds: 80 % until 7 days before -> 50 % until 7 days before"
    ]
    assert (await load_sales(conn))[0].refunds == sale_file(stricter).sales[0].refunds


async def test_a_refund_policy_may_be_taken_away(conn: "Connection") -> None:
    await apply(conn, sale_file(POLICY))

    changes = await apply(conn, sale_file())

    assert changes == (Change("sale drop", "refunds", "80 % until 7 days before", "none"),)
    assert await load_sales(conn) == sale_file().sales


async def test_a_policy_applied_again_changes_nothing(conn: "Connection") -> None:
    await apply(conn, sale_file(POLICY))

    assert await apply(conn, sale_file(POLICY)) == ()


async def test_what_a_sale_says_of_its_money_is_loaded_again(conn: "Connection") -> None:
    await apply(conn, sale_file())
    told = ("line_rate = 400\n", 'line_rate = 400\nrefund_units_back = false\nmchid = "1900000109"\n')

    changes = await apply(conn, sale_file(told))

    assert changes == (
        Change("sale drop", "refund_units_back", "True", "False"),
        Change("sale drop", "mchid", "None", "1900000109"),
    )
    assert await load_sales(conn) == sale_file(told).sales


async def test_a_cancelled_session_stays_cancelled_and_its_skus_are_offered_no_more(conn: "Connection") -> None:
    await apply(conn, sale_file())
    await conn.execute("update sessions set cancelled_at = now(), cancel_reason = 'storm' where session_id = 'sat'")

    assert await apply(conn, sale_file()) == ()

    (sale, _) = await load_sales(conn)
    assert [session.cancelled for session in sale.sessions] == [True]
    assert [(sku.capacity, sku.offered) for sku in sale.skus] == [(450, 0), (300, 0)]


async def test_applying_leaves_pause_and_epoch_alone(conn: "Connection") -> None:
    await apply(conn, sale_file())
    await set_paused(conn, "drop", True)
    await conn.execute("update sales set epoch = 7")

    await apply(conn, sale_file(("hold_s = 600", "hold_s = 601")))

    sale = (await load_sales(conn))[0]
    assert (sale.hold_s, sale.paused, sale.epoch) == (601, True, 7)


async def test_two_applies_at_once_both_succeed(conn: "Connection", database_url: str) -> None:
    other = await asyncpg.connect(database_url)

    first, second = await asyncio.gather(apply(conn, sale_file()), apply(other, sale_file()))

    await other.close()
    assert sorted((len(first), len(second))) == [0, 6]
