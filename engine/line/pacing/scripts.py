"""The two scripts of the pacing, typed: look and tick. Nothing is decided here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgpack

from engine.catalog.board import LiveSale
from engine.infra.redis import RedisStore, load_script
from engine.line.codes import LookCode, TickCode
from engine.line.sight import Checkpoint, LaneSight, LineSight, Shelves

VERBS = ("look", "tick")
PASS_MS = 120_000

_LANE_NUMBERS = ("head", "lobby", "tail", "ceiling", "gap_from", "gap_to", "called", "shown", "taken", "lapsed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One tick as it is sent: the new head of each lane and how many people are called with it, what to remember,
    and what becomes of the checkpoints."""

    heads: tuple[int, ...]
    called: tuple[int, ...]
    pace: bytes
    checkpoint: bool
    drop_count: int


@dataclass(frozen=True, slots=True)
class Ticked:
    """What became of a tick, and where the clock stands. OVERTAKEN: somebody else ticked since the look; IDLE: the
    sale is not live, so nothing moved."""

    code: TickCode
    tick: int = 0
    ticked_ms: int = 0
    serving_ms: int = 0
    final: bool = False


class PaceScripts:
    """Raises RedisAway when the outcome is unknown; both may be called again."""

    def __init__(self, store: RedisStore) -> None:
        self._store = store
        self._look = load_script("line", "look")
        self._tick = load_script("line", "tick")

    async def look(self, live: LiveSale, *, pass_ms: int = PASS_MS) -> LineSight | None:
        """The line as it stands now; None when fenced. `pass_ms`: how long a pass is good, by the serving clock."""
        keys, epoch = live.keys, live.epoch
        reply = await self._store.run(
            self._look,
            [keys.control, keys.line, keys.admitted, keys.claimers, keys.deadlines, keys.stock, keys.checkpoints],
            [epoch, pass_ms],
        )
        if reply[0] == LookCode.FENCED:
            return None
        _, now_ms, opens_ms, closes_ms, paused, sale_round, flat, *counts, stock, checkpoints, passes = reply
        line = _fields(flat)
        admitted, claimers, orders_open, held_until_ms = counts
        ordinals = [lane.ordinal for lane in live.sale.lanes]

        def number(name: str) -> int:
            return int(line.get(name, 0))

        return LineSight(
            epoch=epoch,
            now_ms=now_ms,
            drawn=number("drawn") == 1,
            final=number("final") == 1,
            tick=number("tick"),
            ticked_ms=number("ticked_ms"),
            serving_ms=number("serving_ms"),
            pace=line.get("pace", b""),
            lanes=tuple(_lane_sight(line, lane) for lane in ordinals),
            admitted=admitted,
            claimers=claimers,
            orders_open=orders_open,
            held_until_ms=held_until_ms,
            opens_ms=opens_ms,
            closes_ms=closes_ms,
            paused=bool(paused),
            round=sale_round,
            shelves=_shelves(_fields(stock), ordinals),
            checkpoints=tuple(_checkpoint(packed) for packed in checkpoints),
            passes=tuple(passes),
        )

    async def tick(self, live: LiveSale, epoch: int, seen_tick: int, move: Move) -> Ticked:
        """Apply a move that was computed from the tick with this number, if that is still the last one."""
        keys = live.keys
        flat: list[Any] = [part for pair in zip(move.heads, move.called, strict=True) for part in pair]
        code, *rest = await self._store.run(
            self._tick,
            [
                keys.control,
                keys.line,
                keys.stock,
                keys.deadlines,
                keys.checkpoints,
                keys.passes,
                keys.admitted,
                keys.claimers,
                keys.seen,
            ],
            [epoch, seen_tick, move.pace, int(move.checkpoint), move.drop_count, *flat],
        )
        if code == TickCode.FENCED:
            return Ticked(TickCode.FENCED)
        tick, ticked_ms, serving_ms, final = rest
        return Ticked(TickCode(code), tick, ticked_ms, serving_ms, final == 1)


def _fields(flat: Sequence[bytes]) -> dict[str, bytes]:
    return {flat[at].decode(): flat[at + 1] for at in range(0, len(flat), 2)}


def _lane_sight(line: Mapping[str, bytes], lane: int) -> LaneSight:
    numbers = {name: int(line.get(f"{name}:{lane}", 0)) for name in _LANE_NUMBERS}
    return LaneSight(**numbers, seed=line.get(f"seed:{lane}", b""), root=line.get(f"root:{lane}", b""))


def _shelves(stock: Mapping[str, bytes], ordinals: Sequence[int]) -> Shelves:
    sums = {"free": 0, "held": 0, "sold": 0}
    for field, count in stock.items():
        kind = field.partition(":")[0]
        if kind in sums:
            sums[kind] += max(0, int(count))
    return Shelves(**sums, used=tuple(int(stock.get(f"used:{lane}", 0)) for lane in ordinals))


def _checkpoint(packed: bytes) -> Checkpoint:
    serving_ms, heads, shown = msgpack.unpackb(packed)[:3]
    return Checkpoint(serving_ms=int(serving_ms), heads=tuple(map(int, heads)), shown=int(shown))
