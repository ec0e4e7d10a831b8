"""What the people of one process were told, in a form that travels: to the process that judges the run, on this
machine or on another.

Instants become seconds of the wall clock on the way, because no other clock is shared.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any, cast

import msgpack

from loadtest.crowd.fairness import Claiming
from loadtest.crowd.journal import Journal, Stage
from loadtest.crowd.line import Place
from loadtest.crowd.protocol import Phone, Shop
from loadtest.crowd.told import Told
from loadtest.wires.port import Wire

INSTANTS = ("called_s", "asked_s", "told_to_wait_s", "asked_in_vain_s", "asked_well_s", "admitted_s")


def pack(journal: Journal, *, wall_offset_s: float) -> bytes:
    """`wall_offset_s`: the wall clock's seconds minus those of the wire's clock."""
    witness = journal.witness
    return cast(
        bytes,
        msgpack.packb(
            {
                "stages": {stage.name: count for stage, count in journal.stages.items()},
                "leavings": dict(journal.leavings),
                "complaints": dict(journal.complaints),
                "examples": journal.examples,
                "told": [{**asdict(told), "transactions": sorted(told.transactions)} for told in journal.told.values()],
                "seals": {openid: phone.seal for openid, phone in journal.phones.items()},
                "wanted": dict(journal.wanted),
                "places": {openid: asdict(place) for openid, place in journal.places.items()},
                "witness": None if witness is None else [witness[0].openid, witness[0].seal, asdict(witness[1])],
                "claimings": [_moved(asdict(one), by_s=wall_offset_s) for one in journal.claimings],
                "room_waits": journal.room_waits,
                "outcomes": [[*key, count] for key, count in journal.outcomes.items()],
                "lags_s": journal.arrival_lag_s,
            }
        ),
    )


def absorb(journal: Journal, packed: bytes, *, wire: Wire, shop: Shop) -> None:
    """Add what another process's people were told. `wire` will carry their phones from now on."""
    said: dict[str, Any] = msgpack.unpackb(packed)
    journal.stages.update({Stage[name]: count for name, count in said["stages"].items()})
    journal.leavings.update(said["leavings"])
    journal.complaints.update(said["complaints"])
    journal.examples = {**said["examples"], **journal.examples}
    for row in said["told"]:
        units = tuple((sku, quantity) for sku, quantity in row["units"])
        told = Told(**{**row, "units": units, "transactions": set(row["transactions"])})
        journal.told[told.order_no] = told
    for openid, seal in said["seals"].items():
        journal.phones[openid] = Phone(wire, shop, openid=openid, seal=seal)
    journal.wanted.update(said["wanted"])
    journal.places.update({openid: Place(**row) for openid, row in said["places"].items()})
    if journal.witness is None and said["witness"] is not None:
        openid, seal, place = said["witness"]
        journal.witness = (Phone(wire, shop, openid=openid, seal=seal), Place(**place))
    journal.claimings.extend(Claiming(**row) for row in said["claimings"])
    journal.room_waits += said["room_waits"]
    journal.outcomes.update(Counter({(kind, outcome): count for kind, outcome, count in said["outcomes"]}))
    journal.arrival_lag_s.extend(said["lags_s"])


def _moved(claiming: dict[str, Any], *, by_s: float) -> dict[str, Any]:
    return {name: value + by_s if name in INSTANTS and value is not None else value for name, value in claiming.items()}
