"""What one of each thing costs, as `make bench` measured it: the ground under `floodgate plan`.

Shipped as unit_costs.json with the machine it was measured on; `.run/bench.json` of one's own machine holds the same
numbers under `unit_costs` and takes their place, those that it has.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import orjson

SHIPPED = Path(__file__).with_suffix(".json")


class NotUnitCosts(ValueError):
    """A file that holds no unit costs; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitCosts:
    """The costs of one. `machine`: where they come from, for people.

    redis_line_bytes: of a person in the line. redis_<verb>_us: what Redis itself spends, with its network for orders
    and checkouts. web_<verb>_us: what a web worker spends, of its own core. postgres_entry_bytes: a lobby entry with
    its indexes; postgres_<verb>_us: what PostgreSQL spends, all its processes together. <whom>_checkout_us: an order
    that is paid, from its reservation to its callback. poll_bytes: one answer on the wire with its head,
    poll_unchanged_bytes: a 304.
    """

    machine: str
    redis_line_bytes: float
    redis_join_us: float
    redis_claim_us: float
    redis_reserve_us: float
    redis_order_us: float
    redis_checkout_us: float
    redis_look_us: float
    redis_tick_us: float
    web_poll_us: float
    web_join_us: float
    web_lobby_join_us: float
    web_position_us: float
    web_claim_us: float
    web_order_us: float
    web_checkout_us: float
    postgres_entry_bytes: float
    postgres_entry_us: float
    postgres_order_us: float
    postgres_checkout_us: float
    poll_bytes: float
    poll_unchanged_bytes: float


NAMES = frozenset(field.name for field in fields(UnitCosts)) - {"machine"}


def shipped() -> UnitCosts:
    """The costs that came with this version."""
    document = orjson.loads(SHIPPED.read_bytes())
    return UnitCosts(machine=document["machine"], **_numbers(document["unit_costs"]))


def measured(content: bytes) -> UnitCosts:
    """The costs in a bench.json; what it lacks is taken from those shipped. Raises NotUnitCosts."""
    try:
        document = orjson.loads(content)
        found = _numbers(document["unit_costs"])
        machine = str(document["machine"])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise NotUnitCosts(f"it holds no unit costs as `make bench` writes them ({error})") from None
    if missing := sorted(NAMES - found.keys()):
        machine += f"; not measured there but as shipped: {', '.join(missing)}"
    return dataclasses.replace(shipped(), machine=machine, **found)


def _numbers(told: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: float(told[name]) for name in NAMES & told.keys()}
    if wrong := sorted(name for name, cost in found.items() if not (math.isfinite(cost) and cost > 0)):
        raise ValueError(f"{', '.join(wrong)}: a cost is more than 0")
    return found
