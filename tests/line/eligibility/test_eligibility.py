"""Who may join a lane, by the real ledger."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from engine.catalog.records import Lane, Sale
from engine.catalog.store import apply, load_sales
from engine.infra.outage import PostgresAway
from engine.infra.postgres import connection, open_pool
from engine.line.eligibility.codes import code_digest
from engine.line.eligibility.deciding import EntryRefusal, lane_named, lane_unless_named
from engine.line.eligibility.eligibility import Eligibility
from engine.line.eligibility.lists import KeyCounts, add_codes, add_members, count_keys
from tests.catalog.texts import sale_file

if TYPE_CHECKING:
    from engine.infra.postgres import Pool

LANES = """line_rate = 400
[[sales.lanes]]
id = "club"
entry = "members"
[[sales.lanes]]
id = "fans"
entry = "codes"
[[sales.lanes]]
id = "public"
[[sales.lanes]]
id = "press"
entry = "codes"
"""

ADA, BOB = b"ada".ljust(16, b"-"), b"bob".ljust(16, b"-")
CODE = "2345-6789-ABCD"


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator["Pool"]:
    opened = await open_pool(
        database_url, connections_max=8, statement_timeout_s=5, connect_timeout_s=5, application="tests"
    )
    yield opened
    await opened.close()


@pytest.fixture
async def sale(pool: "Pool") -> Sale:
    """A sale of four lanes; Ada is a member of the club, and one code opens the fans' lane."""
    digest = code_digest("drop", CODE)
    assert digest is not None
    async with connection(pool) as conn:
        await apply(conn, sale_file(("line_rate = 400\n", LANES)))
        await add_members(conn, "drop", 0, [ADA])
        await add_codes(conn, "drop", 1, [digest])
        return (await load_sales(conn))[0]


@pytest.fixture
def eligibility(pool: "Pool") -> Eligibility:
    return Eligibility(pool, queue_count_max=2000)


def lane(sale: Sale, lane_id: str) -> Lane:
    found = lane_named(sale, lane_id)
    assert found is not None
    return found


async def test_a_member_may_join(eligibility: Eligibility, sale: Sale) -> None:
    assert await eligibility.check(sale, ADA, lane(sale, "club"), None) is None


async def test_somebody_else_is_no_member(eligibility: Eligibility, sale: Sale) -> None:
    assert await eligibility.check(sale, BOB, lane(sale, "club"), None) is EntryRefusal.NOT_A_MEMBER


async def test_a_lane_of_codes_needs_one(eligibility: Eligibility, sale: Sale) -> None:
    assert await eligibility.check(sale, ADA, lane(sale, "fans"), None) is EntryRefusal.CODE_NEEDED


@pytest.mark.parametrize("typed", ["2345-6789-ABCE", "", "x" * 1000])
async def test_what_is_no_code_is_told_so(eligibility: Eligibility, sale: Sale, typed: str) -> None:
    assert await eligibility.check(sale, ADA, lane(sale, "fans"), typed) is EntryRefusal.CODE_INVALID


async def test_a_code_opens_its_own_lane_alone(eligibility: Eligibility, sale: Sale) -> None:
    assert await eligibility.check(sale, ADA, lane(sale, "press"), CODE) is EntryRefusal.CODE_INVALID
    assert await eligibility.check(sale, ADA, lane(sale, "fans"), CODE) is None


async def test_the_same_buyer_may_show_a_code_again(eligibility: Eligibility, sale: Sale) -> None:
    first = await eligibility.check(sale, ADA, lane(sale, "fans"), CODE)
    again = await eligibility.check(sale, ADA, lane(sale, "fans"), CODE.lower())

    assert (first, again) == (None, None)


async def test_a_code_that_another_buyer_has_is_used(eligibility: Eligibility, sale: Sale) -> None:
    await eligibility.check(sale, ADA, lane(sale, "fans"), CODE)

    assert await eligibility.check(sale, BOB, lane(sale, "fans"), CODE) is EntryRefusal.CODE_USED


async def test_of_many_at_once_in_two_workers_one_has_the_code(pool: "Pool", sale: Sale) -> None:
    workers = [Eligibility(pool, queue_count_max=2000) for _ in range(2)]
    buyers = [bytes([number]) * 16 for number in range(40)]

    answers = await asyncio.gather(
        *(workers[at % 2].check(sale, buyer, lane(sale, "fans"), CODE) for at, buyer in enumerate(buyers))
    )

    assert sorted(answers, key=str) == [EntryRefusal.CODE_USED] * 39 + [None]


async def test_everybody_of_one_batch_gets_the_own_answer(eligibility: Eligibility, sale: Sale) -> None:
    buyers = [ADA, BOB, ADA, BOB]

    answers = await asyncio.gather(*(eligibility.check(sale, buyer, lane(sale, "club"), None) for buyer in buyers))

    assert answers == [None, EntryRefusal.NOT_A_MEMBER] * 2


async def test_an_open_lane_needs_no_ledger_and_another_one_is_an_outage_without_it(pool: "Pool", sale: Sale) -> None:
    await pool.close()
    cut_off = Eligibility(pool, queue_count_max=10)

    assert await cut_off.check(sale, BOB, lane(sale, "public"), None) is None
    with pytest.raises(PostgresAway):
        await cut_off.check(sale, ADA, lane(sale, "club"), None)


async def test_who_names_no_lane_stands_in_the_first_open_one(sale: Sale) -> None:
    assert lane_unless_named(sale).lane_id == "public"


async def test_a_lane_that_the_sale_does_not_have_is_not_found(sale: Sale) -> None:
    assert lane_named(sale, "backstage") is None


async def test_lists_are_counted_and_adding_twice_adds_once(pool: "Pool", sale: Sale, eligibility: Eligibility) -> None:
    await eligibility.check(sale, BOB, lane(sale, "fans"), CODE)
    async with connection(pool) as conn:
        added = await add_members(conn, "drop", 0, [ADA, BOB])

        counts = await count_keys(conn, "drop")

    assert added == 1
    assert counts == {0: KeyCounts(members=2), 1: KeyCounts(codes=1, codes_used=1)}
