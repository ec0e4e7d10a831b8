"""Where a sale's line stands in its life. Pure."""

import enum

from engine.catalog.records import Sale


class Phase(enum.StrEnum):
    """draft -> lobby -> sealed -> live -> ended, never back.

    Sealed: the lobby takes nobody any more, its entries are fixed and the draw is made or waits for its beacon; who
    comes once the draw is made stands behind everybody in the lobby.
    """

    DRAFT = "draft"
    LOBBY = "lobby"
    SEALED = "sealed"
    LIVE = "live"
    ENDED = "ended"


def phase_of(sale: Sale, *, now_ms: int, drawn: bool) -> Phase:
    """The phase at an instant; `drawn`: the draw is made and published. No sale goes live without its draw."""
    if now_ms >= sale.closes_ms:
        return Phase.ENDED
    if drawn:
        return Phase.LIVE if now_ms >= sale.opens_ms else Phase.SEALED
    if now_ms >= sale.draws_ms:
        return Phase.SEALED
    if sale.lobby_opens_ms is not None and now_ms < sale.lobby_opens_ms:
        return Phase.DRAFT
    return Phase.LOBBY
