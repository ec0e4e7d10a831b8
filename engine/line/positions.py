"""Where a place stands in its lane. Pure: the seed gives the lobby its order, coming gives it to everybody behind."""

from engine.line.draw.permutation import permuted
from engine.line.place import Cohort, Place
from engine.line.sight import LaneSight


def position_of(place: Place, lane: LaneSight) -> int | None:
    """Its position, from 0; None before the draw, and for an index that the lobby never gave out."""
    if not lane.seed:
        return None
    if place.cohort is Cohort.LIVE:
        return lane.lobby + place.index
    return permuted(lane.seed, place.index, lane.lobby) if place.index < lane.lobby else None
