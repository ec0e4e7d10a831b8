"""What a visitor of the line is told: one state, found in one table.

The table is read from the top: the first question whose answer is yes gives the state. What ends everything stands
first, then doubt (a worker that does not know says so and lets nobody through), then what holds everybody, then the
buyer's own turn. So "sold out" is said although the sale is paused, and nobody is called while it is.
The documentation draws its picture from this table.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass


class LineState(enum.StrEnum):
    """What a mini program shows. `sold_out` and `ended` are for good."""

    NOT_JOINED = "not_joined"
    LOBBY = "lobby"
    WAITING = "waiting"
    YOUR_TURN = "your_turn"
    ADMITTED = "admitted"
    HELD_BY_OTHERS = "held_by_others"
    SOLD_OUT = "sold_out"
    PAUSED = "paused"
    DEGRADED = "degraded"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of a visitor and of the sale at one instant.

    doubtful: this worker's sight of the line is too old, or there is none. drawn: the draw is made, positions are
    known. live: between opening and closing. all_held: nothing is free of any SKU, and something is held. called: the
    head has passed the visitor's position. admitted: the visitor has a pass that is good.
    """

    ended: bool
    final: bool
    doubtful: bool
    joined: bool
    paused: bool
    drawn: bool
    live: bool
    all_held: bool
    called: bool
    admitted: bool


Question = Callable[[Standing], bool]

# Each row: what is asked, in words; how it is answered; the state if the answer is yes.
TABLE: tuple[tuple[str, Question, LineState], ...] = (
    ("has the sale ended?", lambda at: at.ended, LineState.ENDED),
    ("is it sold out for good?", lambda at: at.final, LineState.SOLD_OUT),
    ("is the line out of sight?", lambda at: at.doubtful, LineState.DEGRADED),
    ("without a place?", lambda at: not at.joined, LineState.NOT_JOINED),
    ("is the sale paused?", lambda at: at.paused, LineState.PAUSED),
    ("before the draw?", lambda at: not at.drawn, LineState.LOBBY),
    ("before the opening?", lambda at: not at.live, LineState.WAITING),
    ("with a good pass?", lambda at: at.admitted, LineState.ADMITTED),
    ("is every remaining unit held?", lambda at: at.all_held, LineState.HELD_BY_OTHERS),
    ("has the head come by?", lambda at: at.called, LineState.YOUR_TURN),
)
OTHERWISE = LineState.WAITING


def state_of(standing: Standing) -> LineState:
    """The state of a visitor: that of the first row that applies."""
    for _, applies, state in TABLE:
        if applies(standing):
            return state
    return OTHERWISE


def diagram() -> str:
    """The table as a Mermaid flow chart."""
    lines = ["flowchart TD"]
    for at, (question, _, state) in enumerate(TABLE):
        following = f"q{at + 1}" if at + 1 < len(TABLE) else f"otherwise([{OTHERWISE}])"
        lines += [f'    q{at}{{"{question}"}} -- yes --> s{at}([{state}])', f"    q{at} -- no --> {following}"]
    return "\n".join(lines)
