"""Tables that grow within a minute are analysed when they have doubled, and not before."""

from engine.infra.statistics import CHANGES_MIN, Statistician
from tests.support.house import Rooms


async def change(house: Rooms, count: int) -> None:
    await house.sql(
        "insert into buyers (buyer, openid_sealed)"
        f" select uuid_send(gen_random_uuid()), '\\x00' from generate_series(1, {count})"
    )
    await house.sql("select pg_stat_force_next_flush()")


async def rows_known(house: Rooms) -> int:
    return int(await house.sql("select reltuples::bigint from pg_class where relname = $1", "buyers"))


async def test_a_table_that_has_grown_is_known_to_have(house: Rooms) -> None:
    await change(house, CHANGES_MIN + 500)
    await Statistician(house.pool).run_once()
    assert await rows_known(house) == CHANGES_MIN + 500


async def test_a_table_that_has_not_doubled_is_left_alone(house: Rooms) -> None:
    await change(house, 3 * CHANGES_MIN)
    await Statistician(house.pool).run_once()
    await change(house, CHANGES_MIN)
    await Statistician(house.pool).run_once()
    assert await rows_known(house) == 3 * CHANGES_MIN


async def test_a_few_rows_are_not_worth_it(house: Rooms) -> None:
    await change(house, CHANGES_MIN - 1)
    await Statistician(house.pool).run_once()
    assert await rows_known(house) <= 0
