"""Places against a small model: few buyers, two lanes, two workers, lost answers, dead workers, and a Redis that loses
everything or comes back older than it was, before and after the draw.

The model is the promise in plain Python: which place each buyer was told last, whose every index is, and that a
better place is never taken for a worse one.
"""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.infra.outage import RedisAway
from engine.line.draw.draws import Draws
from engine.line.draw.ledger import DrawLedger
from engine.line.joining.desk import JoinDesk
from engine.line.joining.ledger import JoinLedger
from engine.line.joining.records import Joining, JoinRefusal
from engine.line.joining.scripts import JoinScripts
from engine.line.place import Cohort, Place
from tests.support.house import Rooms, rooms

BUYERS = [bytes([65 + number]) * 16 for number in range(6)]
ANOTHER_RUN = "f" * 40
RESET = """
truncate lobby_entries, lobby_chunks, line_lanes, line_sales, sale_lanes;
insert into sale_lanes (sale_id, lane, lane_id, weight) values ('spring', 0, 'fans', 1), ('spring', 1, 'all', 1);
update sales set opens_at = now() + interval '30 minutes', closes_at = now() + interval '2 hours',
    lobby_closes_at = null;
"""
buyers = st.sampled_from(BUYERS)
lanes = st.integers(0, 1)
workers = st.integers(0, 1)


def order_of(place: Place) -> tuple[int, int]:
    """Of two places of one buyer the lesser is the better."""
    return place.cohort, place.index


class PlacesMachine(RuleBasedStateMachine):
    redis_url = ""
    database_url = ""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.stack = AsyncExitStack()
        self.houses: list[Rooms] = []
        self.desks: list[JoinDesk] = []
        self.told: dict[bytes, list[Place]] = {buyer: [] for buyer in BUYERS}
        self.copy: list[tuple[bytes, Any]] = []
        self.copied = False
        self.drawn = False
        self.run(self.begin())

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    async def begin(self) -> None:
        async with rooms(self.redis_url, self.database_url) as earlier:
            await earlier.sql(RESET)
            await earlier.store.client.flushall()
        for _ in range(2):
            house = await self.stack.enter_async_context(rooms(self.redis_url, self.database_url))
            self.houses.append(house)
            self.desks.append(self.new_desk(house))

    def new_desk(self, house: Rooms) -> JoinDesk:
        ledger = JoinLedger(house.pool)
        return JoinDesk(
            house.live, JoinScripts(house.store), ledger, block_count=3, batch_count_max=50, queue_count_max=100
        )

    async def restore_all(self) -> None:
        for house in self.houses:
            await house.board.refresh()
            house.live.fence()
            await house.rebuilder.run_once()
            await house.line.restorer.settled()

    def teardown(self) -> None:
        self.run(self.settle())
        self.run(self.stack.aclose())
        self.run(asyncio.sleep(0))  # the transports' last callbacks
        self.loop.close()

    async def settle(self) -> None:
        for desk in self.desks:
            await desk.enroller.settled()

    async def ask(self, buyer: bytes, lane: int, worker: int, shown: Place | None = None) -> Place | None:
        """One join as a client sends it: again after an outage, a few times. None when the draw is being made."""
        for _ in range(20):
            try:
                answer = await self.desks[worker].join(Joining(buyer, lane, shown))
            except RedisAway:
                await self.desks[worker].enroller.settled()
                for house in self.houses:
                    await house.rebuilder.run_once()
                continue
            assert answer is not JoinRefusal.ENDED
            return answer if isinstance(answer, Place) else None
        raise AssertionError("a rebuilt sale gives places")

    def hear(self, place: Place | None, shown: Place | None = None) -> None:
        """The buyer hears the answer; whatever was told or shown before, this is not worse."""
        if place is None:
            return
        known = self.told[place.buyer]
        if shown is not None:
            assert order_of(place) <= order_of(shown)
        if known and known[-1].epoch == place.epoch:
            assert order_of(place) <= order_of(known[-1])
        known.append(place)

    @rule(buyer=buyers, lane=lanes, worker=workers)
    def join(self, buyer: bytes, lane: int, worker: int) -> None:
        self.hear(self.run(self.ask(buyer, lane, worker)))

    @rule(buyer=buyers, lane=lanes, worker=workers, back=st.integers(1, 3))
    def join_and_show_a_place(self, buyer: bytes, lane: int, worker: int, back: int) -> None:
        known = self.told[buyer]
        shown = known[max(-back, -len(known))] if known else None
        self.hear(self.run(self.ask(buyer, lane, worker, shown)), shown)

    @rule(buyer=buyers, lane=lanes, worker=workers)
    def join_and_lose_the_answer(self, buyer: bytes, lane: int, worker: int) -> None:
        self.run(self.ask(buyer, lane, worker))

    @rule(several=st.lists(st.tuples(buyers, lanes), min_size=2, max_size=8))
    def join_all_at_once(self, several: list[tuple[bytes, int]]) -> None:
        async def every() -> list[Place | None]:
            return await asyncio.gather(*(self.ask(one, lane, at % 2) for at, (one, lane) in enumerate(several)))

        places = self.run(every())
        for buyer in {one for one, _ in several}:
            mine = {place for place in places if place is not None and place.buyer == buyer}
            assert len({(place.lane, place.cohort, place.index) for place in mine}) <= 1
            for place in mine:
                self.hear(place)

    @precondition(lambda self: not self.drawn)
    @rule(buyer=buyers, lane=lanes)
    def a_worker_dies_between_the_commit_and_the_roster(self, buyer: bytes, lane: int) -> None:
        house = self.houses[0]
        self.run(JoinLedger(house.pool).enter(house.live.sale, {buyer: Joining(buyer, lane)}))

    @rule(worker=workers)
    def a_worker_starts_anew(self, worker: int) -> None:
        self.run(self.settle())
        self.desks[worker] = self.new_desk(self.houses[worker])

    @precondition(lambda self: not self.drawn)
    @rule()
    def the_lobby_closes_and_is_drawn(self) -> None:
        async def draw() -> None:
            await self.houses[0].sql("update sales set opens_at = now(), lobby_closes_at = now()")
            for house in self.houses:
                await house.board.refresh()
                await house.rebuilder.run_once()
            draws = Draws(DrawLedger(self.houses[0].pool), self.houses[0].store, monotonic_s=lambda: 0.0)
            await draws.ledger.seal("spring")
            await draws.ledger.draw("spring", None)
            if not await draws.publish(self.houses[0].live):
                self.houses[0].live.fence()  # Redis had forgotten the sale; the rebuild publishes
                await self.houses[0].rebuilder.run_once()

        self.run(draw())
        self.drawn = True

    @rule()
    def redis_loses_everything(self) -> None:
        self.run(self.houses[0].store.client.flushall())

    @rule()
    def redis_loses_everything_and_the_sale_is_restored(self) -> None:
        self.run(self.houses[0].store.client.flushall())
        self.run(self.restore_all())

    @rule()
    def redis_writes_a_copy_to_its_disk(self) -> None:
        async def dump() -> list[tuple[bytes, Any]]:
            client = self.houses[0].store.client
            return [(key, await client.dump(key)) async for key in client.scan_iter("fg:{spring}:*", count=10_000)]

        self.copy, self.copied = self.run(dump()), True

    @precondition(lambda self: self.copied)
    @rule()
    def redis_restarts_with_an_older_copy(self) -> None:
        async def put_back() -> None:
            client = self.houses[0].store.client
            await client.flushall()
            for key, value in self.copy:
                await client.restore(key, 0, value)
            if await client.hexists(self.houses[0].live.keys.control, "run"):
                await client.hset(self.houses[0].live.keys.control, "run", ANOTHER_RUN)

        self.run(put_back())

    @rule()
    def the_tails_are_written_down(self) -> None:
        async def write() -> None:
            house = self.houses[0]
            for lane in (0, 1):
                tail = int(await house.store.client.hget(house.live.keys.line, f"tail:{lane}") or 0)
                await house.sql(
                    "update line_lanes set tail = greatest(tail, $1) where lane = $2 returning 1", tail, lane
                )

        self.run(write())

    @invariant()
    def every_index_of_a_lane_and_cohort_has_had_one_owner(self) -> None:
        owners: dict[tuple[int, Cohort, int], bytes] = {}
        for place in (place for places in self.told.values() for place in places):
            assert owners.setdefault((place.lane, place.cohort, place.index), place.buyer) == place.buyer

    @invariant()
    def the_lobby_is_dense_and_has_each_buyer_once(self) -> None:
        async def entries() -> list[Any]:
            async with self.houses[0].pool.acquire() as conn:
                return await conn.fetch(
                    "select lane, array_agg(index order by index) as indexes, array_agg(buyer) as buyers, "
                    "(select lobby_count from line_lanes l where l.lane = e.lane) as count "
                    "from lobby_entries e group by lane"
                )

        rows = self.run(entries())
        for row in rows:
            assert row["indexes"] == list(range(row["count"]))
        everybody = [buyer for row in rows for buyer in row["buyers"]]
        assert len(everybody) == len(set(everybody))

    @invariant()
    def who_was_in_the_lobby_is_told_that_place_and_no_other(self) -> None:
        for places in self.told.values():
            lobby = {(place.lane, place.index) for place in places if place.cohort is Cohort.LOBBY}
            assert len(lobby) <= 1
            if lobby:
                assert all(place.cohort is Cohort.LOBBY for place in places)


@pytest.mark.timeout(300)
def test_places_are_what_the_model_says(redis_url: str, database_url: str) -> None:
    PlacesMachine.redis_url, PlacesMachine.database_url = redis_url, database_url
    case = PlacesMachine.TestCase
    case.settings = settings(
        max_examples=20,
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )
    case().runTest()
