"""Who may join a lane, decided from what the ledger says. Pure."""

import enum

from engine.catalog.records import Entry, Lane, Sale


class EntryRefusal(enum.StrEnum):
    """Why a buyer may not join a lane, in the order in which it is looked at."""

    NOT_A_MEMBER = "NOT_A_MEMBER"
    CODE_NEEDED = "CODE_NEEDED"
    CODE_INVALID = "CODE_INVALID"
    CODE_USED = "CODE_USED"  # by another buyer: a code lets in the first who shows it


def lane_named(sale: Sale, lane_id: str) -> Lane | None:
    """The lane of this id, or None."""
    return next((lane for lane in sale.lanes if lane.lane_id == lane_id), None)


def lane_unless_named(sale: Sale) -> Lane:
    """Where somebody stands who names no lane: in the first that is open to everyone."""
    return next((lane for lane in sale.lanes if lane.entry is Entry.EVERYONE), sale.lanes[0])


def of_member(*, listed: bool) -> EntryRefusal | None:
    """The decision about a lane of members."""
    return None if listed else EntryRefusal.NOT_A_MEMBER


def of_code(buyer: bytes, *, owner: bytes | None) -> EntryRefusal | None:
    """The decision about a code; owner: the buyer who has it now, None when there is no such code in this lane."""
    if owner is None:
        return EntryRefusal.CODE_INVALID
    return None if owner == buyer else EntryRefusal.CODE_USED
