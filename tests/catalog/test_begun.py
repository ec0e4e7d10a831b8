"""Applying a sale file to a line that has begun, and to a sale that was sold out, on the real ledger."""

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest

from engine.catalog.refusals import SaleFileInvalid
from engine.catalog.sale_file import SaleFile, parse_sale_file
from engine.catalog.store import Change, apply, load_sales
from tests.catalog.test_sale_line import with_lanes
from tests.catalog.texts import PATH, SECOND_SALE, sale_file

if TYPE_CHECKING:
    from engine.infra.postgres import Connection


def lined(*swaps: tuple[str, str]) -> SaleFile:
    return parse_sale_file(with_lanes(*swaps), PATH)


async def gather(conn: "Connection") -> None:
    """Somebody is in the lobby."""
    await conn.execute("insert into line_lanes (sale_id, lane, lobby_count) values ('drop', 0, 1)")


async def seal(conn: "Connection") -> None:
    await conn.execute("insert into line_sales (sale_id, sealed_at) values ('drop', now())")


async def refused(conn: "Connection", *swaps: tuple[str, str]) -> list[tuple[str, str]]:
    with pytest.raises(SaleFileInvalid) as caught:
        await apply(conn, lined(*swaps))
    return [(problem.key, problem.reason.split(";")[0]) for problem in caught.value.problems]


MORE = ('[[sales.lanes]]\nid = "presale"', '[[sales.lanes]]\nid = "press"\n[[sales.lanes]]\nid = "presale"')
WEIGHT = ("weight = 2", "weight = 1")
ENTRY = ('entry = "codes"', 'entry = "members"')
BEACON = ("beacon_round = 4567890", "beacon_round = 4567891")
LOBBY = ("T11:55:00", "T11:56:00")
EARLIER = ("T11:00:00", "T10:59:00")
QUOTA = ("= 200\n", "= 300\n")
TITLE = ("公开 Public", "Public")


async def test_a_line_is_loaded_as_it_was_applied_and_applied_again_changes_nothing(conn: "Connection") -> None:
    await apply(conn, lined())

    assert await load_sales(conn) == lined().sales
    assert await apply(conn, lined()) == ()


async def test_every_part_of_a_line_may_change_before_anybody_came(conn: "Connection") -> None:
    await apply(conn, lined())
    changed = lined(MORE, WEIGHT, ENTRY, BEACON, LOBBY, TITLE, ("= 2000", "= 2001"))

    changes = await apply(conn, changed)

    assert [change.field for change in changes] == [
        "lanes",
        "line_concurrency",
        "lobby_closes_ms",
        "beacon_round",
    ]
    assert await load_sales(conn) == changed.sales


async def test_lanes_may_go_back_to_one(conn: "Connection") -> None:
    await apply(conn, lined())

    await apply(conn, sale_file())

    assert await load_sales(conn) == sale_file().sales
    assert await conn.fetchval("select count(*) from sale_lanes") == 0


async def test_no_change_tells_the_secret_of_the_draw(conn: "Connection") -> None:
    told = str(await apply(conn, lined())) + str(await apply(conn, lined(MORE, BEACON)))

    secret = await conn.fetchval("select draw_secret from sales where sale_id = 'drop'")
    assert (len(secret), secret.hex() in told, repr(secret) in told) == (32, False, False)


async def test_the_secret_of_the_draw_outlives_every_change(conn: "Connection") -> None:
    await apply(conn, lined())
    secret = await conn.fetchval("select draw_secret from sales where sale_id = 'drop'")

    await apply(conn, lined(MORE, LOBBY))

    assert await conn.fetchval("select draw_secret from sales where sale_id = 'drop'") == secret


async def test_rules_under_which_somebody_joined_stand(conn: "Connection") -> None:
    await apply(conn, lined())
    await gather(conn)
    swaps = [MORE, ENTRY, ('id = "club"', 'id = "clubs"'), BEACON, ("api.drand.sh", "drand.example")]

    keys = [key for swap in swaps for key, _ in await refused(conn, swap)]

    assert keys == ["sales.drop.lanes"] * 3 + ["sales.drop.beacon_round", "sales.drop.beacon_url"]


async def test_weights_times_titles_and_quotas_may_change_while_people_gather(conn: "Connection") -> None:
    await apply(conn, lined())
    await gather(conn)
    changed = lined(WEIGHT, LOBBY, TITLE, QUOTA)

    await apply(conn, changed)

    assert await load_sales(conn) == changed.sales


async def test_after_the_seal_the_line_stands(conn: "Connection") -> None:
    await apply(conn, lined())
    await seal(conn)

    keys = [key for swap in (MORE, WEIGHT, QUOTA, BEACON, LOBBY, EARLIER) for key, _ in await refused(conn, swap)]

    assert keys == ["sales.drop.lanes"] * 3 + [
        "sales.drop.beacon_round",
        "sales.drop.lobby_closes_at",
        "sales.drop.lobby_opens_at",
    ]


async def test_a_time_that_stands_is_told_as_the_file_writes_it(conn: "Connection") -> None:
    await apply(conn, lined())
    await seal(conn)

    with pytest.raises(SaleFileInvalid) as caught:
        await apply(conn, lined(LOBBY))

    assert str(caught.value) == (
        "drop.toml:37: sales.drop.lobby_closes_at stands since the lobby was sealed; "
        "it was 2027-03-01T11:55:00+08:00. Another drop is another sale"
    )


async def test_after_the_seal_pace_and_titles_may_change(conn: "Connection") -> None:
    await apply(conn, lined())
    await seal(conn)
    changed = lined(TITLE, ("= 2000", "= 2001"), ("line_rate = 400", "line_rate = 401"))

    await apply(conn, changed)

    assert await load_sales(conn) == changed.sales


async def test_a_dry_run_refuses_the_same_and_begins_no_lane(conn: "Connection") -> None:
    await apply(conn, lined())

    await apply(conn, lined(MORE), dry_run=True)
    assert await conn.fetchval("select count(*) from line_lanes") == 0

    await seal(conn)
    with pytest.raises(SaleFileInvalid, match="stand since the lobby was sealed"):
        await apply(conn, lined(MORE), dry_run=True)


async def test_a_lane_that_has_members_or_codes_keeps_its_place_in_the_order(conn: "Connection") -> None:
    await apply(conn, lined())
    await conn.execute("insert into lane_members values ('drop', decode(repeat('00', 16), 'hex'), 1)")

    found = await refused(
        conn, ('[[sales.lanes]]\nid = "club"', '[[sales.lanes]]\nid = "a"\n[[sales.lanes]]\nid = "club"')
    )

    assert found == [
        ("sales.drop.lanes", "must keep 'club' with entry members as lane 2, for it has codes or members already")
    ]
    assert len(await apply(conn, lined(MORE))) == 1


async def test_who_joins_while_lanes_change_is_waited_for(conn: "Connection", database_url: str) -> None:
    await apply(conn, lined())
    joining = await asyncpg.connect(database_url)
    batch = joining.transaction()
    await batch.start()
    await gather(joining)

    # The apply sees an empty lobby, then waits for the row that the join is making.
    applying = asyncio.create_task(apply(conn, lined(ENTRY)))
    while not await joining.fetchval("select exists (select from pg_locks where not granted)"):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await batch.commit()
    await joining.close()

    with pytest.raises(SaleFileInvalid, match="stand since somebody is in the lobby"):
        await applying


async def sell_out(conn: "Connection") -> None:
    await apply(conn, sale_file())
    await conn.execute("update skus set allocated = capacity")
    await conn.execute("update sales set final_round = round where sale_id = 'drop'")


async def rounds(conn: "Connection") -> list[tuple[str, int, bool]]:
    return [(sale.sale_id, sale.round, sale.sold_out_for_good) for sale in await load_sales(conn)]


async def test_more_units_of_a_sale_that_was_sold_out_for_good_begin_a_new_round(conn: "Connection") -> None:
    await sell_out(conn)

    changes = await apply(conn, sale_file(("capacity = 450", "capacity = 451")))

    assert changes == (Change("sku stand", "capacity", "450", "451"), Change("sale drop", "round", "1", "2"))
    assert (await rounds(conn))[0] == ("drop", 2, False)


async def test_fewer_units_begin_no_round(conn: "Connection") -> None:
    await sell_out(conn)
    await conn.execute("update skus set allocated = capacity - 5")

    await apply(conn, sale_file(("capacity = 450", "capacity = 445")))

    assert (await rounds(conn))[0] == ("drop", 1, True)


async def test_a_sku_that_is_added_begins_a_new_round(conn: "Connection") -> None:
    await apply(conn, sale_file(('"stand", "floor"', '"floor"')))
    await conn.execute("update sales set final_round = round where sale_id = 'drop'")

    await apply(conn, sale_file())

    assert (await rounds(conn))[0] == ("drop", 2, False)


async def test_units_that_come_at_the_moment_of_the_end_begin_a_new_round(conn: "Connection") -> None:
    """Everything is allocated, and that the sale is over may be on its way from Redis to the ledger."""
    await apply(conn, sale_file())
    await conn.execute("update skus set allocated = capacity")

    await apply(conn, sale_file(("capacity = 450", "capacity = 451")))
    await conn.execute("update sales set final_round = 1 where sale_id = 'drop'")  # what the end was about

    assert (await rounds(conn))[0] == ("drop", 2, False)


async def test_units_of_a_sale_that_still_has_some_begin_no_round(conn: "Connection") -> None:
    await apply(conn, sale_file())

    changes = await apply(conn, sale_file(("capacity = 450", "capacity = 451")))

    assert len(changes) == 1
    assert (await rounds(conn))[0] == ("drop", 1, False)


async def test_a_file_about_another_sale_begins_a_round_of_this_one_when_it_raises_its_units(
    conn: "Connection",
) -> None:
    await sell_out(conn)
    other = sale_file().path, with_lanes().split("[[sales]]")[0] + SECOND_SALE

    await apply(conn, parse_sale_file(other[1].replace("capacity = 300", "capacity = 301"), other[0]))

    assert (await rounds(conn))[0] == ("drop", 2, False)
