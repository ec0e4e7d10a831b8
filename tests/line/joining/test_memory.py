"""What a waiting buyer weighs in Redis, measured in the roster's own buckets as full as a million people fill them."""

from typing import Any

from engine.infra.keys import ROSTER_BUCKETS
from engine.line.joining.records import Joining
from engine.line.joining.roster import Roster
from engine.line.joining.scripts import JoinScripts
from tests.line.joining.conftest import Hall

PEOPLE = 1_000_000
BUCKETS = 100  # of 16,384; every bucket is filled alike
BYTES_MAX = 24


async def test_a_waiting_buyer_weighs_at_most_24_bytes_at_a_million(drawn_hall: Hall) -> None:
    live, client = drawn_hall.house.live, drawn_hall.house.store.client
    roster, scripts = Roster("spring"), JoinScripts(drawn_hall.house.store)
    people = [one for number in range(PEOPLE) if roster.slot_of(one := b"%016d" % number)[0] < BUCKETS]
    await client.hset(live.keys.line, mapping={"tail:0": PEOPLE, "ceiling:0": 2 * PEOPLE})
    for at in range(0, len(people), 500):
        await scripts.join(live, roster, [Joining(one, 0) for one in people[at : at + 500]])
    buckets: list[Any] = roster.keys(live.epoch)[:BUCKETS]
    index_bytes = 16 * BUCKETS  # the server's own table: at most two slots of 8 bytes for each key
    weights: list[Any] = [await client.memory_usage(key, samples=0) for key in buckets]
    assert {await client.object("encoding", key) for key in buckets} == {b"listpack"}
    assert len(people) > PEOPLE * BUCKETS / ROSTER_BUCKETS * 0.9
    assert (sum(weights) + index_bytes) / len(people) <= BYTES_MAX
