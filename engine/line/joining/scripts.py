"""The scripts of joining, typed. One method per verb; nothing is decided here.

What a batch carries is packed into few arguments: an argument costs the driver more than the place costs Redis.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import msgpack

from engine.catalog.board import LiveSale
from engine.infra.redis import RedisStore, load_script
from engine.line.codes import EnrollCode, ExtendCode, FindCode, ForgetCode, JoinCode, RestoreCode
from engine.line.joining.records import Joining, LaneRecord
from engine.line.joining.roster import Kept, Roster, pack_kept

NO_PLACE = -1
NEED_BLOCK = -1
NEED_LOBBY = -2
NOT_DRAWN = -3


@dataclass(frozen=True, slots=True)
class Joined:
    """A packed place per buyer, or NEED_BLOCK, NEED_LOBBY or NOT_DRAWN; and each lane's tail. Given under `epoch`."""

    code: JoinCode
    epoch: int
    places: Sequence[int] = ()
    tails: Sequence[int] = ()


class JoinScripts:
    """Raises RedisAway when the outcome is unknown; every one of them may be called again."""

    def __init__(self, store: RedisStore) -> None:
        self._store = store
        self._find = load_script("line", "find")
        self._enroll = load_script("line", "enroll")
        self._join = load_script("line", "join")
        self._extend = load_script("line", "extend")
        self._restore = load_script("line", "restore")
        self._forget = load_script("line", "forget")

    async def find(self, live: LiveSale, roster: Roster, buyers: Sequence[bytes]) -> list[int] | None:
        """The packed place of each buyer, or NO_PLACE; None when fenced."""
        epoch = live.epoch
        keys: list[Any] = [live.keys.control]
        fields = roster.gather(epoch, buyers, keys)
        reply = await self._store.run(self._find, keys, [epoch, fields])
        return None if reply[0] == FindCode.FENCED else list(reply[1])

    async def enroll(
        self,
        live: LiveSale,
        roster: Roster,
        entries: Sequence[tuple[bytes, Kept]],
        *,
        epoch: int | None = None,
        complete: Mapping[int, int] = MappingProxyType({}),
    ) -> EnrollCode:
        """Tell the roster of places in the lobby, under the sale's epoch or the one that is being built.

        complete: lane -> so many of its lobby are in the roster, now that these are.
        """
        epoch = live.epoch if epoch is None else epoch
        keys: list[Any] = [live.keys.control, live.keys.line]
        fields = roster.gather(epoch, [buyer for buyer, _ in entries], keys)
        packed = msgpack.packb([pack_kept(kept) for _, kept in entries])
        args = [epoch, fields, packed, *(part for counted in complete.items() for part in counted)]
        return EnrollCode(await self._store.run(self._enroll, keys, args))

    async def join(self, live: LiveSale, roster: Roster, joinings: Sequence[Joining]) -> Joined:
        """A place in the live cohort for every buyer who has none."""
        epoch = live.epoch
        keys: list[Any] = [live.keys.control, live.keys.line]
        fields = roster.gather(epoch, [one.buyer for one in joinings], keys)
        shown = [
            part
            for number, one in enumerate(joinings, 1)
            if (place := one.shown) is not None
            for part in (number, pack_kept(Kept(place.lane, place.cohort, place.index)))
        ]
        lanes = bytes([one.lane for one in joinings])
        args = [epoch, len(live.sale.lanes), fields, lanes, msgpack.packb(shown)]
        reply = await self._store.run(self._join, keys, args)
        return Joined(JoinCode(reply[0]), epoch, *reply[1:])

    async def extend(self, live: LiveSale, *, lane: int, ceiling: int) -> ExtendCode:
        """Tell Redis of a ceiling that is committed."""
        keys = live.keys
        args = [live.epoch, lane, ceiling]
        return ExtendCode(await self._store.run(self._extend, [keys.control, keys.line], args))

    async def restore(
        self, live: LiveSale, epoch: int, *, serving_ms: int, final: bool, lanes: Sequence[LaneRecord]
    ) -> RestoreCode:
        """Put the numbers of the line back into a cleared sale."""
        flat = [part for one in lanes for part in (one.lane, one.tail, one.ceiling, one.head, one.gap_from, one.gap_to)]
        args = [epoch, serving_ms, int(final), *flat]
        return RestoreCode(await self._store.run(self._restore, [live.keys.control, live.keys.line], args))

    async def forget(self, control: str, epoch: int, keys: Sequence[Any]) -> ForgetCode:
        """Drop keys of a sale whose newest epoch this is."""
        return ForgetCode(await self._store.run(self._forget, [control, *keys], [epoch]))
