"""A line's numbers from real stores, and by the ledger alone."""

from engine.catalog.controls import set_paused
from engine.console.line.auditing import audit_line
from engine.console.line.numbers import LineNumbers
from engine.console.line.reading import LineReader
from engine.infra.outage import RedisAway
from engine.infra.postgres import connection
from engine.line.sight import LineSight
from tests.support.house import Rooms

LANES = """
insert into sale_lanes values
    ('spring', 0, 'public', 'Public', 'everyone', 3, null), ('spring', 1, 'club', '', 'members', 1, 40);
insert into lane_members select 'spring', decode(lpad(to_hex(n), 32, '0'), 'hex'), 1 from generate_series(1, 7) n;
insert into line_lanes (sale_id, lane, lobby_count, tail, head) values ('spring', 0, 90, 10, 20)
    on conflict (sale_id, lane) do update set lobby_count = 90, tail = 10, head = 20;
"""
TICKS = """
insert into line_ticks
select 'spring', epoch, n, now() - make_interval(secs => 12 - n), array[n * 5, 0], 1, 1, 1, 5
from sales, generate_series(1, 11) n
"""


async def lanes(house: Rooms) -> None:
    """Two lanes; Redis has called 25 of the 100 public people, of whom 20 came and 15 ordered."""
    async with connection(house.pool) as conn:
        await conn.execute(LANES)
    await house.store.client.hset(
        house.live.keys.line,
        mapping={
            "drawn": 1,
            "lobby:0": 90,
            "tail:0": 10,
            "ceiling:0": 1000,
            "head:0": 25,
            "called:0": 25,
            "shown:0": 20,
            "taken:0": 15,
            "lapsed:0": 2,
        },
    )


async def read(house: Rooms) -> LineNumbers:
    found = await LineReader(house.pool, house.line.look).read("spring")
    assert found is not None
    return found


async def test_lanes_are_told_with_their_lengths_and_what_became_of_the_people(house: Rooms) -> None:
    await lanes(house)

    public, club = (await read(house)).lanes

    assert (public.lane, public.lobby, public.length, public.waiting) == ("public", 90, 100, 75)
    assert (public.called, public.shown, public.taken, public.lapsed) == (25, 20, 15, 2)
    assert (club.entry, club.weight, club.quota_units, club.members, club.length) == ("members", 1, 40, 7, 0)


async def test_shares_are_those_of_the_whole_line(house: Rooms) -> None:
    await lanes(house)

    numbers = await read(house)

    assert (numbers.show_rate, numbers.conversion) == (0.8, 0.75)


async def test_a_share_is_never_more_than_everybody(house: Rooms) -> None:
    await lanes(house)
    await house.store.client.hset(house.live.keys.line, "shown:0", 27)

    assert (await read(house)).show_rate == 1.0


async def test_the_rate_is_that_of_the_last_ten_seconds_and_tells_the_end_of_the_line(house: Rooms) -> None:
    await lanes(house)
    async with connection(house.pool) as conn:
        await conn.execute(TICKS)

    numbers = await read(house)

    assert 0 < numbers.called_per_s <= 5
    assert numbers.end_s == round(75 / numbers.called_per_s, 1)


async def test_a_line_that_stands_or_is_paused_has_no_end_in_sight(house: Rooms) -> None:
    await lanes(house)
    assert (await read(house)).end_s is None

    async with connection(house.pool) as conn:
        await conn.execute(TICKS)
        await set_paused(conn, "spring", True)
    numbers = await read(house)
    assert (numbers.paused, numbers.end_s) == (True, None)


async def test_nobody_called_is_no_share_of_nothing(house: Rooms) -> None:
    numbers = await read(house)

    assert (numbers.show_rate, numbers.conversion, numbers.waiting) == (None, None, 0)


async def test_units_held_and_sold_are_counted_by_lane(house: Rooms) -> None:
    await house.place("ada", floor=2)
    await house.place("bob", floor=1, stand=1)

    numbers = await read(house)

    assert [lane.units for lane in numbers.lanes] == [4]
    assert numbers.orders_open == 2


async def test_without_redis_the_ledger_tells_what_it_knows_and_nothing_else(house: Rooms) -> None:
    await lanes(house)

    async def away(_: object) -> LineSight | None:
        raise RedisAway("cut off")

    numbers = await LineReader(house.pool, away).read("spring")

    assert numbers is not None
    public = numbers.lanes[0]
    assert (numbers.restoring, numbers.admitted, public.called) == (True, None, None)
    assert (public.lobby, public.length, public.waiting) == (90, 100, 80)


async def test_positions_that_may_have_no_owner_after_a_loss_are_nobody(house: Rooms) -> None:
    await lanes(house)
    gap = {"gap_from:0": 4, "gap_to:0": 1000, "tail:0": 1003}
    await house.store.client.hset(house.live.keys.line, mapping=gap)

    public = (await read(house)).lanes[0]

    assert (public.lobby, public.length, public.waiting) == (90, 97, 72)


async def test_an_unknown_sale_has_no_numbers_and_no_audit(house: Rooms) -> None:
    assert await LineReader(house.pool, house.line.look).read("nobody") is None
    async with connection(house.pool) as conn:
        assert await audit_line(conn, "nobody") is None


ADMISSION = "insert into admissions values ('spring', decode($1, 'hex'), $2, $3, $4, 0, $5, now() - interval '1 hour')"


async def test_the_ledgers_log_is_audited(house: Rooms) -> None:
    epoch = house.live.epoch
    async with connection(house.pool) as conn:
        await conn.execute(TICKS)
        for buyer, tick, position in (("aa", 1, 4), ("bb", 3, 14), ("cc", 3, 15), ("dd", 5, 3), ("dd", 6, 2)):
            await conn.execute(ADMISSION, buyer * 16, bytes([tick]), epoch, tick, position)
        await conn.execute(ADMISSION, "ee" * 16, b"1", epoch, 6, 4)

        audit = await audit_line(conn, "spring")

    assert audit is not None
    assert (audit.ticks, audit.passes, audit.wrong) == (11, 6, 3)
    assert audit.offenders == [
        f"buyer cccccccccccc had a pass under tick 3 of epoch {epoch} with place 15 of lane 1, of which 15 were called",
        f"buyer dddddddddddd had several places of lane 1 in epoch {epoch}: 2, 3",
        "place 4 of lane 1 was 2 buyers'",
    ]
