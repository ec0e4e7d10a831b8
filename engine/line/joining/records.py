"""What a buyer asks for when joining, why somebody may get no place, and what is known of a lane after a loss. Pure."""

import enum
from dataclasses import dataclass, replace

from engine.line.place import Place


@dataclass(slots=True)  # not frozen: one is made for every request, and that is most of its cost
class Joining:
    """A buyer who may join the lane of this ordinal (that is checked before), and the place the buyer shows, if any:
    read from its seal, so it is this buyer's and this sale's."""

    buyer: bytes
    lane: int
    shown: Place | None = None


class JoinRefusal(enum.StrEnum):
    """NOT_OPEN_YET: the lobby has not opened. SEALING: the lobby has closed and the draw is being made; ask again in a
    moment. LANE_GONE: the organizer has just taken the lane away. ENDED: the sale is over."""

    NOT_OPEN_YET = "not_open_yet"
    SEALING = "sealing"
    LANE_GONE = "lane_gone"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneRecord:
    """One lane as PostgreSQL has it. `tail` and `head` may be a second behind, `ceiling` never is. Live indexes from
    gap_from to gap_to may have no owner."""

    lane: int
    lobby_count: int
    ceiling: int
    tail: int
    head: int
    gap_from: int
    gap_to: int

    def after_loss(self) -> "LaneRecord":
        """The lane as it goes on: nobody knows who owns the indexes from the tail to the ceiling.

        A gap of an earlier loss that the head has not passed yet is part of the new one. People who joined between
        the two are then called together with the gap, in front of nobody: a little early, and not after the thousands
        who never were.
        """
        is_ahead = self.gap_from < self.gap_to and self.head < self.lobby_count + self.gap_to
        gap_from = min(self.gap_from, self.tail) if is_ahead else self.tail
        return replace(self, tail=self.ceiling, gap_from=gap_from, gap_to=self.ceiling)
