"""A sale whose lobby is open, and what a process needs to join it, draw it, and lose it."""

import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import asyncpg
import pytest

from engine.embedded.postgres import run_sql
from engine.line.draw.draws import Draws
from engine.line.draw.ledger import DrawLedger
from engine.line.joining.desk import JoinDesk
from engine.line.joining.ledger import JoinLedger
from engine.line.joining.records import Joining, JoinRefusal
from engine.line.joining.roster import Kept, Roster, unpack_kept
from engine.line.joining.scripts import NO_PLACE, JoinScripts
from engine.line.place import Place
from tests.conftest import url_of_database
from tests.support.house import Rooms, rooms

# The tests of this folder share a database, emptied of places: making one costs more than any of them.
RESET = """
delete from lobby_entries; delete from lobby_chunks; delete from line_lanes; delete from line_sales;
delete from sale_lanes;
update sales set opens_at = now() + interval '30 minutes', closes_at = now() + interval '1 hour',
    lobby_opens_at = null, lobby_closes_at = null, final_round = 0;
"""
TWO_LANES = (
    "insert into sale_lanes (sale_id, lane, lane_id, weight) values ('spring', 0, 'fans', 1), ('spring', 1, 'all', 1)"
)


def buyer(number: int) -> bytes:
    return b"%016d" % number


@dataclass(slots=True)
class Hall:
    """The line of the house's sale, with two lanes; each desk is that of another worker."""

    house: Rooms
    block_count: int = 10
    desks: list[JoinDesk] = field(default_factory=list)

    def worker(self) -> JoinDesk:
        """The desk of one more worker."""
        desk = JoinDesk(
            self.house.live,
            JoinScripts(self.house.store),
            JoinLedger(self.house.pool),
            block_count=self.block_count,
            batch_count_max=50,
            queue_count_max=5000,
        )
        self.desks.append(desk)
        return desk

    async def join(self, number: int, *, lane: int = 0, shown: Place | None = None, worker: int = 0) -> Place:
        """A join that must succeed, and be told to the roster."""
        desk = self.desks[worker]
        place = await desk.join(Joining(buyer(number), lane, shown))
        assert isinstance(place, Place), place
        await desk.enroller.settled()
        return place

    async def refusal(self, number: int, *, lane: int = 0) -> JoinRefusal:
        """The answer to a join that must be refused."""
        refused = await self.desks[0].join(Joining(buyer(number), lane))
        assert isinstance(refused, JoinRefusal), refused
        return refused

    async def set_times(self, **times: str) -> None:
        """Move the sale's instants; SQL says where to, as in `now() + interval '1 hour'`."""
        for name, when in times.items():
            await self.house.sql(f"update sales set {name} = {when}")
        await self.house.board.refresh()

    async def close_lobby(self) -> None:
        await self.set_times(lobby_closes_at="now()", opens_at="now()")

    async def draw(self) -> None:
        """Close the lobby, make the draw and publish it."""
        await self.close_lobby()
        ledger = DrawLedger(self.house.pool)
        await ledger.seal("spring")
        await ledger.draw("spring", None)
        assert await Draws(ledger, self.house.store, monotonic_s=lambda: 0.0).publish(self.house.live)

    async def lose_redis(self) -> None:
        """Redis has lost everything, and the sale is rebuilt."""
        await self.house.store.client.flushall()
        self.house.live.fence()
        await self.house.rebuilder.run_once()

    async def kept(self, number: int) -> Kept | None:
        """What the roster knows of a buyer."""
        found = await JoinScripts(self.house.store).find(self.house.live, Roster("spring"), [buyer(number)])
        assert found is not None
        return None if found[0] == NO_PLACE else unpack_kept(found[0])

    async def entries(self) -> list[tuple[int, int, bytes]]:
        """Everybody whom the ledger has in the lobby, by lane and index."""
        async with self.house.pool.acquire() as conn:
            rows = await conn.fetch("select lane, index, buyer from lobby_entries order by lane, index")
        return [tuple(row) for row in rows]


@pytest.fixture(scope="package")
def shared_database_url(postgres_url: str, database_template: str) -> Iterator[str]:
    """A migrated database of this folder."""
    name = f"test_{secrets.token_hex(6)}"
    run_sql(postgres_url, f"CREATE DATABASE {name} TEMPLATE {database_template}")
    yield url_of_database(postgres_url, name)
    run_sql(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def house(clean_redis_url: str, shared_database_url: str) -> AsyncIterator[Rooms]:
    """The rooms of one process; the sale opens in half an hour and nobody has joined."""
    conn = await asyncpg.connect(shared_database_url)
    await conn.execute(RESET)
    await conn.close()
    async with rooms(clean_redis_url, shared_database_url) as found:
        yield found


@pytest.fixture
async def hall(house: Rooms) -> Hall:
    """The lobby is open for half an hour."""
    await house.sql(TWO_LANES)
    found = Hall(house)
    await found.set_times(opens_at="now() + interval '30 minutes'")
    found.worker()
    return found


@pytest.fixture
async def drawn_hall(hall: Hall) -> Hall:
    """Nobody came to the lobby; the draw is made and the sale is open."""
    await hall.draw()
    return hall
