"""What a buyer asks for when joining, and why somebody may get no place."""

import enum
from dataclasses import dataclass

from engine.line.place import Place


@dataclass(frozen=True, slots=True)
class Joining:
    """A buyer who may join the lane of this ordinal (that is checked before), and the place the buyer shows, if any:
    read from its seal, so it is this buyer's and this sale's."""

    buyer: bytes
    lane: int
    shown: Place | None = None


class JoinRefusal(enum.StrEnum):
    """NOT_OPEN_YET: the lobby has not opened. SEALING: the lobby has closed and the draw is being made; ask again in a
    moment. ENDED: the sale is over."""

    NOT_OPEN_YET = "not_open_yet"
    SEALING = "sealing"
    ENDED = "ended"
