"""What a sale file says of a sale's line: its lanes, its lobby, its pace and the beacon of its draw.

Beside the bounds of each key: either one open lane by its name or lanes as tables, a floor for the public, times in
their order, a rate or a concurrency at least, and a beacon with its round or none.
"""

from engine.catalog import bounds, toml_lines
from engine.catalog.reader import Found, Reader
from engine.catalog.records import Entry, Lane
from engine.catalog.tables import LaneTable, SaleTable

ONLY_LANE = "public"


def read_lanes(reader: Reader, sale: Found) -> tuple[Lane, ...] | None:
    """The lanes under [[sales.lanes]], taken out of the sale's table; None where there are none."""
    if "lanes" not in sale.raw:
        return None
    every = reader.tables(sale.raw, "lanes", sale.path, sale.name)
    name, path = f"{sale.name}.lanes", (*sale.path, "lanes")
    if "lane" in sale.raw:
        reader.refuse((*sale.path, "lane"), f"{sale.name}.lane", "stands beside lanes; write the one or the other")
    if len(every) > bounds.LANES_MAX:
        reader.refuse(path, name, f"are {len(every)}; a line has at most {bounds.LANES_MAX}")
        return ()
    lanes: dict[str, Lane] = {}
    places: dict[str, Found] = {}
    for ordinal, found in enumerate(every):
        if (table := reader.checked(LaneTable, found)) is None:
            continue
        if table.id in lanes:
            line = toml_lines.nearest_line(reader.lines, places[table.id].path)
            reader.refuse((*found.path, "id"), f"{found.name}.id", f"is taken by the lane of line {line}")
            continue
        places[table.id] = found
        lanes[table.id] = Lane(
            ordinal=ordinal,
            lane_id=table.id,
            title=table.title,
            entry=Entry(table.entry),
            weight=table.weight,
            quota_units=table.quota_units,
        )
    if len(lanes) == len(every):
        _refuse_low_floor(reader, sale, tuple(lanes.values()))
    return tuple(lanes.values())


def _refuse_low_floor(reader: Reader, sale: Found, lanes: tuple[Lane, ...]) -> None:
    everybody = sum(lane.weight for lane in lanes)
    public = sum(lane.weight for lane in lanes if lane.entry is Entry.EVERYONE)
    if lanes and public * 100 < everybody * bounds.PUBLIC_SHARE_MIN_PERCENT:
        reason = (
            f"leave the public a weight of {public} in {everybody}; lanes with entry everyone have at least "
            f"{bounds.PUBLIC_SHARE_MIN_PERCENT} % together, so that the public never stands still"
        )
        reader.refuse((*sale.path, "lanes", 0), f"{sale.name}.lanes", reason)


def only_lane(table: SaleTable) -> tuple[Lane, ...]:
    """The one open lane of a sale that names no lanes."""
    return (Lane(ordinal=0, lane_id=table.lane or ONLY_LANE),)


def read_lobby(reader: Reader, sale: Found, table: SaleTable, opens_ms: int | None) -> tuple[int | None, int | None]:
    """When the lobby opens and when it closes, in ms; None where the file is silent."""
    opens_at, closes_at = table.lobby_opens_at, table.lobby_closes_at
    lobby_opens_ms = None if opens_at is None else reader.instant_ms(sale, "lobby_opens_at", opens_at)
    lobby_closes_ms = None if closes_at is None else reader.instant_ms(sale, "lobby_closes_at", closes_at)
    if lobby_closes_ms is not None and opens_ms is not None and lobby_closes_ms > opens_ms:
        reader.refuse(
            (*sale.path, "lobby_closes_at"),
            f"{sale.name}.lobby_closes_at",
            "is after opens_at; the draw is made before the sale opens",
        )
    ends_ms, end = (opens_ms, "opens_at") if lobby_closes_ms is None else (lobby_closes_ms, "lobby_closes_at")
    if lobby_opens_ms is not None and ends_ms is not None and lobby_opens_ms >= ends_ms:
        reader.refuse((*sale.path, "lobby_opens_at"), f"{sale.name}.lobby_opens_at", f"is not before {end}")
    return lobby_opens_ms, lobby_closes_ms


def refuse_half_told(reader: Reader, sale: Found, table: SaleTable) -> None:
    """A line needs a pace; a beacon and its round stand together."""
    if table.line_rate is None and table.line_concurrency is None:
        reason = "is missing; write line_rate (people a second), line_concurrency (people at the till), or both"
        reader.refuse((*sale.path, "line_rate"), f"{sale.name}.line_rate", reason)
    if (table.beacon_url is None) != (table.beacon_round is None):
        absent, there = "beacon_url", "beacon_round"
        if table.beacon_round is None:
            absent, there = there, absent
        reader.refuse((*sale.path, there), f"{sale.name}.{absent}", f"is missing beside {there}")
