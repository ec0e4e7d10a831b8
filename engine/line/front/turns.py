"""Where a visitor stands: state, people ahead, wait, chance, and when to ask again. Pure.

It is computed from the place and one sight of the line, so asking for it costs no store anything.
"""

from dataclasses import dataclass, field
from typing import Any

from engine.catalog.records import Sale
from engine.line.front.outlook import Chance, LaneOutlook, ahead_of, ask_again_ms, wait_of
from engine.line.front.states import LineState, Standing, state_of
from engine.line.phases import Phase, phase_of
from engine.line.place import Cohort, Place
from engine.line.positions import position_of
from engine.line.sight import LaneSight, LineSight

COHORTS = {cohort: cohort.name.lower() for cohort in Cohort}
OVER = (LineState.ENDED, LineState.SOLD_OUT)  # nothing will come of asking again
STILL = (*OVER, LineState.DEGRADED, LineState.PAUSED)  # no chance is told


@dataclass(slots=True, kw_only=True)
class View:
    """The line as a worker knows it: what it saw last, whether that is too old, and what time it is by Redis.

    Nobody changes it. What follows from that for everybody is found out once, for many people ask at the same moment:
    all_held is whether nothing is free and something is held; `states` remembers answers of the table.
    """

    sale: Sale
    sight: LineSight | None
    outlooks: tuple[LaneOutlook, ...]
    doubtful: bool
    now_ms: int
    drawn: bool = field(init=False)
    phase: Phase = field(init=False)
    paused: bool = field(init=False)
    final: bool = field(init=False)
    all_held: bool = field(init=False)
    states: dict[tuple[bool, ...], LineState] = field(init=False, default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        sale, sight = self.sale, self.sight
        self.drawn = sight is not None and sight.drawn
        self.phase = phase_of(sale, now_ms=self.now_ms, drawn=self.drawn)
        self.paused = sale.paused if sight is None else sight.paused
        self.final = sale.sold_out_for_good or (sight is not None and sight.final)
        self.all_held = sight is not None and sight.shelves.free <= 0 < sight.shelves.held

    def state_of(self, *, joined: bool, drawn: bool, called: bool, admitted: bool) -> LineState:
        """The state of a visitor; `drawn`: there is a position, or there will be once the draw is seen."""
        facts = (joined, drawn, called, admitted)
        state = self.states.get(facts)
        if state is None:
            state = self.states[facts] = state_of(
                Standing(
                    ended=self.phase is Phase.ENDED,
                    final=self.final,
                    doubtful=self.doubtful,
                    joined=joined,
                    paused=self.paused,
                    drawn=drawn,
                    live=self.phase is Phase.LIVE,
                    all_held=self.all_held,
                    called=called,
                    admitted=admitted,
                )
            )
        return state

    @property
    def held_until_ms(self) -> int | None:
        """When the last of the units that people hold is paid or free again, to the second; None unless all are."""
        sight = self.sight
        if sight is None or not self.all_held or sight.held_until_ms <= 0:
            return None
        return -(-sight.held_until_ms // 1000) * 1000

    def lane(self, ordinal: int) -> tuple[LaneSight, LaneOutlook] | None:
        """What is known of a lane; None when nothing is."""
        if self.sight is None or ordinal >= min(len(self.sight.lanes), len(self.outlooks)):
            return None
        return self.sight.lanes[ordinal], self.outlooks[ordinal]


@dataclass(slots=True, kw_only=True)  # not frozen: one is made for every join and claim, and that doubles its cost
class Turn:
    """Where a visitor stands; nobody changes it. Indexes and positions count from 0; None is what is not known or
    not told."""

    state: LineState
    lane_id: str | None
    cohort: str | None
    index: int | None
    position: int | None
    ahead: int | None
    wait_s: tuple[int, int] | None
    chance: Chance | None
    held_until_ms: int | None
    ask_again_ms: int | None

    def document(self) -> dict[str, Any]:
        """As it is told over HTTP."""
        return {
            "state": self.state,
            "lane": self.lane_id,
            "cohort": self.cohort,
            "index": self.index,
            "position": self.position,
            "ahead": self.ahead,
            "wait": None if self.wait_s is None else {"from_s": self.wait_s[0], "to_s": self.wait_s[1]},
            "chance": self.chance,
            "held_until_ms": self.held_until_ms,
            "ask_again_ms": self.ask_again_ms,
        }


def turn_of(view: View, place: Place | None, *, spread: float, admitted: bool = False) -> Turn:
    """Where the visitor with this place stands; `spread`: a random number from 0 to 1."""
    sale, found = view.sale, None if place is None else view.lane(place.lane)
    position = position_of(place, found[0]) if place is not None and found is not None else None
    called = position is not None and found is not None and position < found[0].head
    # Who came live came after the draw, also where this worker has not seen it yet.
    drawn = position is not None or (place is not None and place.cohort is Cohort.LIVE)
    state = view.state_of(joined=place is not None, drawn=drawn, called=called, admitted=admitted)
    ahead = wait_s = chance = None
    until_open_s = max(0, sale.opens_ms - view.now_ms) / 1000
    eta_s, edge = max(0, sale.draws_ms - view.now_ms) / 1000, False
    if position is not None and found is not None:
        lane, outlook = found
        ahead = ahead_of(lane, position)
        eta_s = until_open_s + ahead / outlook.rate_per_s
        if state not in STILL:
            chance = outlook.chance_at(position)
            edge = chance is Chance.POSSIBLE
        if state is LineState.WAITING:
            wait_s = wait_of(ahead, outlook.rate_per_s, until_open_s=until_open_s)
    return Turn(
        state=state,
        lane_id=None if place is None else sale.lanes[place.lane].lane_id,
        cohort=None if place is None else COHORTS[place.cohort],
        index=None if place is None else place.index,
        position=position,
        ahead=ahead,
        wait_s=wait_s,
        chance=chance,
        held_until_ms=view.held_until_ms if state is LineState.HELD_BY_OTHERS else None,
        ask_again_ms=None if state in OVER else ask_again_ms(eta_s, edge=edge, spread=spread),
    )
