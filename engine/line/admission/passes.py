"""The claim script, typed. Nothing is decided here."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgpack

from engine.catalog.board import LiveSale
from engine.infra.redis import RedisStore, load_script
from engine.line.codes import ClaimCode
from engine.line.joining.roster import Kept, Roster, pack_kept
from engine.line.place import Pass, Place

VERBS = ("claim",)


@dataclass(frozen=True, slots=True)
class Claiming:
    """Somebody who comes forward. rank: whom the room goes to first, the least before the others. nonce: what the pass
    will be known by, if there is a new one."""

    place: Place
    position: int
    rank: float
    nonce: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How many people may be at the till, how long a pass serves, and how many are remembered who found no room."""

    limit: int
    pass_ms: int
    claimers_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimAnswer:
    """What was decided about one claim, by the clocks of Redis and of the serving.

    admission and end_ms (by the serving clock) are there for ADMITTED and REPEATED; before counts those who get room
    first, for NO_ROOM.
    """

    code: ClaimCode
    now_ms: int = 0
    serving_ms: int = 0
    tick: int = 0
    admission: Pass | None = None
    end_ms: int = 0
    before: int = 0


class Passes:
    """Gives passes out. Raises RedisAway when the outcome is unknown; asking again gives the same pass."""

    def __init__(self, store: RedisStore) -> None:
        self._store = store
        self._script = load_script("line", "claim")

    async def claim(
        self, live: LiveSale, roster: Roster, claimings: Sequence[Claiming], terms: Terms
    ) -> list[ClaimAnswer]:
        """Decide these claims together; FENCED for all of them when the sale is being restored."""
        epoch, keys, sale_id = live.epoch, live.keys, live.sale.sale_id
        roster_keys, buckets = roster.keys(epoch), dict[int, int]()
        packed = []
        for one in claimings:
            place = one.place
            bucket, field = roster.slot_of(place.buyer)
            at = buckets.setdefault(bucket, len(buckets) + 1)
            kept = pack_kept(Kept(place.lane, place.cohort, place.index))
            packed.append((place.buyer, one.nonce, at, field, kept, one.position, one.rank))
        reply = await self._store.run(
            self._script,
            [
                keys.control,
                keys.line,
                keys.checkpoints,
                keys.passes,
                keys.admitted,
                keys.claimers,
                keys.seen,
                keys.deadlines,
                keys.buyers,
                keys.turns,
                *(roster_keys[bucket].decode() for bucket in buckets),
            ],
            [epoch, terms.limit, terms.pass_ms, terms.claimers_max, msgpack.packb(packed, use_bin_type=False)],
        )
        if not reply:
            return [ClaimAnswer(code=ClaimCode.FENCED)] * len(claimings)
        now_ms, serving_ms, tick, codes, given, ranks = reply
        passes = {given[at]: given[at + 1 : at + 4] for at in range(0, len(given), 4)}
        before = {ranks[at]: ranks[at + 1] for at in range(0, len(ranks), 2)}
        answers = []
        for at, (code, one) in enumerate(zip(codes, claimings, strict=True)):
            nonce, end_ms, lane = passes.get(at, (b"", 0, 0))
            answers.append(
                ClaimAnswer(
                    code=ClaimCode(code),
                    now_ms=now_ms,
                    serving_ms=serving_ms,
                    tick=tick,
                    admission=Pass(one.place.buyer, sale_id, lane, epoch, nonce) if nonce else None,
                    end_ms=end_ms,
                    before=before.get(at, 0),
                )
            )
        return answers
