"""A lobby on real servers: people gather by rows in the ledger, as joining writes them.

The page's script needs Node: where there is none its tests are left out, but not where the project is checked.
"""

import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import pytest

from engine.catalog.board import LiveSale
from engine.line.draw.beacon import Beacon
from engine.line.draw.draws import Draws
from engine.line.draw.ledger import DrawLedger
from engine.line.draw.records import Drawing
from engine.line.draw.sealer import Builder, Sealer
from engine.line.sight import LineSight
from tests.support.house import Rooms

collect_ignore = [] if shutil.which("node") or os.environ.get("CI") else ["test_page.py"]

GATHER = """
with lane as (
    insert into line_lanes (sale_id, lane, lobby_count) values ('spring', $1, $2)
    on conflict (sale_id, lane) do update set lobby_count = line_lanes.lobby_count + $2
    returning lobby_count
)
insert into lobby_entries (sale_id, lane, index, buyer)
select 'spring', $1, index, substr(sha256(convert_to($1::text || '-' || index, 'UTF8')), 1, 16)
from (select lane.lobby_count - $2 + n as index from lane, generate_series(0, $2 - 1) n) new
"""
TWO_LANES = """
insert into sale_lanes (sale_id, lane, lane_id, weight) values ('spring', 0, 'fans', 1), ('spring', 1, 'public', 3)
"""


@dataclass(slots=True)
class Lobby:
    """The sale of the house as a lobby, and the parts of one process that draw it."""

    house: Rooms
    draws: Draws
    sealer: Sealer
    builder: Builder

    @property
    def live(self) -> LiveSale:
        return self.house.live

    async def gather(self, people: int, *, lane: int = 0) -> None:
        """So many more people, each a buyer of their own."""
        await self.house.sql(GATHER + " returning 1", lane, people)

    async def open_until(self, when: str) -> None:
        """Move the closing of the lobby; SQL says when, as in `now() + interval '1 hour'`."""
        await self.house.sql(f"update sales set lobby_closes_at = {when}")
        await self.house.board.refresh()

    async def drawing(self) -> Drawing:
        found = await self.draws.read("spring", fresh=True)
        assert found is not None
        return found

    async def sight(self) -> LineSight:
        found = await self.house.line.look(self.live)
        assert found is not None
        return found


def parts_of(house: Rooms, session: aiohttp.ClientSession) -> Lobby:
    """What one process has; a second one shares nothing with it but the stores."""
    seconds = iter(range(1_000_000)).__next__
    draws = Draws(DrawLedger(house.pool), house.store, monotonic_s=seconds)
    return Lobby(
        house, draws, Sealer(house.board, draws, Beacon(session), monotonic_s=seconds), Builder(house.board, draws)
    )


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def lobby(house: Rooms, session: aiohttp.ClientSession) -> Lobby:
    """An open lobby of two lanes, `fans` and `public`, with nobody in it."""
    await house.sql(TWO_LANES)
    found = parts_of(house, session)
    await found.open_until("now() + interval '30 minutes'")
    return found
