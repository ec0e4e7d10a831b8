"""The draw as it is published: the rules from the beginning, what came of them when it is there. Pure.

Bytes are written in hexadecimal, instants in milliseconds, positions and indexes count from 0.
"""

from typing import Any

from engine.catalog.records import Sale
from engine.line.draw.records import Drawing
from engine.line.draw.rules import ALGORITHM

VERSION = 1


def draw_document(sale: Sale, drawing: Drawing) -> dict[str, Any]:
    """What anybody needs to check the draw of a sale."""
    rules = {
        "algorithm": ALGORITHM,
        "lanes": [
            {"lane": lane.ordinal, "id": lane.lane_id, "entry": lane.entry, "weight": lane.weight}
            for lane in sale.lanes
        ],
        "lobby_opens_ms": sale.lobby_opens_ms,
        "lobby_closes_ms": sale.draws_ms,
        "commitment": drawing.commitment.hex(),
        "beacon": {"url": drawing.beacon_url, "round": drawing.beacon_round} if drawing.beacon_url else None,
    }
    state = "drawn" if drawing.drawn else "sealed" if drawing.sealed else "open"
    return {
        "v": VERSION,
        "sale": sale.sale_id,
        "state": state,
        "strength": "secret_and_beacon" if drawing.beacon_url else "secret",
        "rules": rules,
        "sealed_ms": drawing.sealed_ms,
        "lanes": [
            {"lane": one.lane, "n": one.count, "root": _hex(one.root), "seed": _hex(one.seed)}
            for one in drawing.lanes
            if drawing.sealed
        ],
        "secret": _hex(drawing.secret),
        "beacon": None
        if drawing.beacon is None
        else {
            "round": drawing.beacon.round,
            "randomness": drawing.beacon.randomness.hex(),
            "signature": drawing.beacon.signature.hex(),
        },
        "randomness": _hex(drawing.randomness),
    }


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()
