"""A line in numbers, for whoever runs the sale. Pure: computed from one sight of Redis and what the ledger counts.

Where Redis cannot be asked, the ledger's own numbers are shown and what only Redis knows is None: never a zero that
is a guess.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from engine.catalog.records import Lane, Sale
from engine.line.eligibility.lists import KeyCounts
from engine.line.pacing.heads import people_between
from engine.line.phases import phase_of
from engine.line.sight import LaneSight, LineSight

NO_KEYS = KeyCounts()
NOBODY = LaneSight()


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneLedger:
    """What the ledger knows of a lane: where it stands, as last written down; units held and sold through it; its
    lists."""

    stands: LaneSight = NOBODY
    units: int = 0
    keys: KeyCounts = NO_KEYS


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneNumbers:
    """One lane. lobby, length: people in the lobby, and everybody with a place; after a loss those are
    left out who stand where nobody may stand. called, shown, taken: people called,
    who came, passes used, since the line was last restored. units: held and sold, of quota_units at most."""

    lane: str
    title: str
    entry: str
    weight: int
    quota_units: int | None
    units: int
    members: int
    codes: int
    codes_used: int
    lobby: int
    length: int
    waiting: int
    called: int | None
    shown: int | None
    taken: int | None
    lapsed: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LineNumbers:
    """A sale's line at one instant. restoring: Redis could not be asked, or does not know the sale yet.

    admitted: passes not used yet; claimers: people who were called, came and wait for room; called_per_s: people
    called a second, lately; show_rate: of the people called, how many came; conversion: of those, how many took
    their pass to an order; end_s: when the last one now waiting is called, at this rate.
    """

    sale: str
    phase: str
    paused: bool
    final: bool
    round: int
    restoring: bool
    line_rate: int | None
    line_concurrency: int | None
    challenge: str
    admitted: int | None
    claimers: int | None
    orders_open: int | None
    held_until_ms: int | None
    waiting: int
    called_per_s: float
    show_rate: float | None
    conversion: float | None
    end_s: float | None
    lanes: tuple[LaneNumbers, ...]

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def numbers_of(
    sale: Sale, sight: LineSight | None, ledger: Mapping[int, LaneLedger], *, called_per_s: float, now_ms: int
) -> LineNumbers:
    """The numbers of one instant; `sight` is None where Redis cannot be asked, and then `now_ms` is the time."""
    drawn = sight.drawn if sight else False
    lanes = tuple(_lane(lane, sight, ledger.get(lane.ordinal, LaneLedger())) for lane in sale.lanes)
    waiting = sum(lane.waiting for lane in lanes)
    moving = called_per_s > 0 and not sale.paused
    return LineNumbers(
        sale=sale.sale_id,
        phase=phase_of(sale, now_ms=sight.now_ms if sight else now_ms, drawn=drawn),
        paused=sale.paused,
        final=sale.sold_out_for_good or (sight is not None and sight.final),
        round=sale.round,
        restoring=sight is None,
        line_rate=sale.line_rate,
        line_concurrency=sale.line_concurrency,
        challenge=sale.challenge,
        admitted=sight.admitted if sight else None,
        claimers=sight.claimers if sight else None,
        orders_open=sight.orders_open if sight else None,
        held_until_ms=(sight.held_until_ms or None) if sight else None,
        waiting=waiting,
        called_per_s=round(called_per_s, 2),
        show_rate=_share(_total(lane.shown for lane in lanes), _total(lane.called for lane in lanes)),
        conversion=_share(_total(lane.taken for lane in lanes), _total(lane.shown for lane in lanes)),
        end_s=round(waiting / called_per_s, 1) if moving else None,
        lanes=lanes,
    )


def _lane(lane: Lane, sight: LineSight | None, ledger: LaneLedger) -> LaneNumbers:
    seen = sight.lanes[lane.ordinal] if sight else None
    # Before the draw the ledger is ahead: Redis learns of entries, it does not count them.
    stands = ledger.stands if seen is None else replace(seen, lobby=max(seen.lobby, ledger.stands.lobby))
    return LaneNumbers(
        lane=lane.lane_id,
        title=lane.title,
        entry=lane.entry,
        weight=lane.weight,
        quota_units=lane.quota_units,
        units=ledger.units,
        members=ledger.keys.members,
        codes=ledger.keys.codes,
        codes_used=ledger.keys.codes_used,
        lobby=stands.lobby,
        length=people_between(stands, 0, stands.end),
        waiting=stands.waiting,
        called=seen.called if seen else None,
        shown=seen.shown if seen else None,
        taken=seen.taken if seen else None,
        lapsed=seen.lapsed if seen else None,
    )


def _total(parts: Iterable[int | None]) -> int | None:
    known = [part for part in parts if part is not None]
    return sum(known) if known else None


def _share(part: int | None, whole: int | None) -> float | None:
    # After a loss people come whom the new epoch never counted as called; that makes nobody come twice.
    return round(min(1.0, part / whole), 3) if part is not None and whole else None
