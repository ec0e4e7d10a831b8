"""What is known of a sale's draw at one moment."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BeaconRecord:
    """One round of a public beacon. `signature` is what the beacon's own keys vouch for; randomness is its hash."""

    round: int
    randomness: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class LaneDraw:
    """One lane: `count` people gathered in its lobby; root after the seal, seed after the draw."""

    lane: int
    count: int
    root: bytes | None = None
    seed: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A sale's draw so far: open until sealed_ms is set, sealed until randomness is set, then drawn, for good.

    The secret is here only once the draw is made. lanes: in the order of their ordinals; before the seal those that
    somebody has joined, and their counts still grow.
    """

    sale_id: str
    commitment: bytes
    beacon_url: str | None
    beacon_round: int | None
    sealed_ms: int | None
    lanes: tuple[LaneDraw, ...]
    secret: bytes | None
    randomness: bytes | None
    beacon: BeaconRecord | None

    @property
    def sealed(self) -> bool:
        return self.sealed_ms is not None

    @property
    def drawn(self) -> bool:
        return self.randomness is not None

    def lane(self, ordinal: int) -> LaneDraw | None:
        """The lane with this ordinal, if it has begun."""
        return next((one for one in self.lanes if one.lane == ordinal), None)
