"""What a phone knows of the line: the shared document, its own place, and what follows from the two. Pure.

The document is the same for everybody; each phone finds its own lane in it and computes its own distance, so that
waiting asks the engine nothing about a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from loadtest.wires.port import Body


@dataclass(frozen=True, slots=True)
class PollPolicy:
    floor_ms: int
    ceiling_ms: int
    edge_ceiling_ms: int
    divisor: float
    jitter: float

    def wait_s(self, *, eta_s: float, luck: float, edge: bool = False) -> float:
        """When to look again: a fraction of the time still to wait, spread out by `luck` in 0..1. Those at the edge,
        whom the last units may just reach, look more often."""
        ceiling_ms = self.edge_ceiling_ms if edge else self.ceiling_ms
        wait_ms = min(max(eta_s * 1000 / self.divisor, self.floor_ms), ceiling_ms)
        return wait_ms * (1 + self.jitter * luck) / 1000

    @property
    def look_s(self) -> float:
        """The longest that somebody who looks as asked takes to see that they are called."""
        return self.wait_s(eta_s=0, luck=1)


@dataclass(frozen=True, slots=True)
class Place:
    """A seal to show, and where it stands. `position` counts from 0 and is None until the draw is made."""

    seal: str
    lane: str
    cohort: str
    position: int | None
    state: str


@dataclass(frozen=True, slots=True)
class Pass:
    """The right to place one order."""

    seal: str
    ends_ms: int


@dataclass(frozen=True, slots=True)
class Lane:
    """One lane at one moment: positions below `head` are called, `end` is behind everybody; `lobby` of them came in
    the lobby. Between `edge_from` and `edge_to` the units may or may not last; None before the draw. Positions of the
    gap, after a loss, may have no owner."""

    head: int
    lobby: int
    end: int
    rate_per_s: float
    edge_from: int | None = None
    edge_to: int | None = None
    gap_from: int = 0
    gap_to: int = 0

    @property
    def waiting(self) -> int:
        """People who are not called yet."""
        return self.ahead_of(self.end)

    def ahead_of(self, position: int) -> int:
        """People who are called before this position."""
        gap = max(0, min(position, self.gap_to) - max(self.head, self.gap_from))
        return max(0, position - self.head - gap)

    def eta_s(self, position: int) -> float:
        return self.ahead_of(position) / max(self.rate_per_s, 1.0)

    def is_edge(self, position: int) -> bool:
        return self.edge_from is not None and self.edge_to is not None and self.edge_from <= position < self.edge_to


@dataclass(frozen=True, slots=True)
class LineDocument:
    """The one small document that everybody waiting reads."""

    now_ms: int
    draws_ms: int
    phase: str
    is_open: bool
    is_well: bool
    is_final: bool
    lanes: Mapping[str, Lane]
    bands: Mapping[str, str]
    """SKU to plenty, low, held (others hold the rest) or none."""
    poll: PollPolicy

    @property
    def is_live(self) -> bool:
        """Whether people are called and let in now."""
        return self.phase == "live" and self.is_open and self.is_well

    @property
    def is_over(self) -> bool:
        """Whether nobody gets anything any more."""
        return self.is_final or self.phase == "ended"

    @property
    def is_sold_out(self) -> bool:
        """Whether nothing is free or held now; only `is_final` says that it stays so."""
        return bool(self.bands) and all(band == "none" for band in self.bands.values())

    @property
    def is_drawn(self) -> bool:
        """Whether positions are known."""
        return bool(self.lanes) and all(lane.edge_from is not None for lane in self.lanes.values())

    @property
    def is_all_held(self) -> bool:
        """Whether nothing is free now; what others hold may come back."""
        return bool(self.bands) and all(band in {"held", "none"} for band in self.bands.values())

    def calls(self, place: Place) -> bool:
        """Whether this place has been called."""
        lane = self.lanes.get(place.lane)
        return lane is not None and place.position is not None and place.position < lane.head

    def look_again_s(self, place: Place, *, opens_in_s: float, luck: float) -> float:
        """When the policy asks somebody at this place to look again; a document without lanes knows no distances."""
        lane, eta_s, edge = self.lanes.get(place.lane), opens_in_s, False
        if lane is not None and place.position is not None:
            eta_s, edge = opens_in_s + lane.eta_s(place.position), lane.is_edge(place.position)
        return self.poll.wait_s(eta_s=eta_s, luck=luck, edge=edge)

    @property
    def band(self) -> str:
        """The best that can be said of any SKU."""
        return next((band for band in ("plenty", "low", "held") if band in self.bands.values()), "none")


def line_from(body: Body) -> LineDocument:
    poll = body["poll"]
    return LineDocument(
        now_ms=body["now_ms"],
        draws_ms=body["draws_ms"],
        phase=body["phase"],
        is_open=body["control"] == "open",
        is_well=body["health"] == "ok",
        is_final=body["final"],
        lanes={
            row["id"]: Lane(
                row["head"],
                row["lobby"],
                row["tail"],
                row["rate_per_s"],
                *(row["reach"] or (None, None)),
                *row.get("gap", ()),
            )
            for row in body["lanes"]
        },
        bands={row["sku"]: row["band"] for row in body["stock"]},
        poll=PollPolicy(**poll),
    )


def place_from(body: Body) -> Place:
    return Place(body["place"], body["lane"], body["cohort"], body["position"], body["state"])
