"""The sales that the figures are measured on. Each has one SKU and one lane, and lets through whoever comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.requests import sku_of

PAST, FUTURE = "2020-01-01T00:00:00", "2098-01-01T00:00:00"

# What each sale is for. Of the line: joined live while it sells; joined in its lobby; with a few and with many people
# waiting; one whose people are let through; one whose doors open; one whose Redis is lost.
LIVE, LOBBY, FEW, MANY, TILL, DOORS, LOST = "live", "lobby", "few", "many", "till", "doors", "lost"
# One that is bought empty before it is measured, and one that never ends.
SOLD_OUT, OPEN = "soldout", "open"
SOLD_OUT_UNITS = 100

_EVENT = """
time_zone = "UTC"

[[events]]
id = "bench"
title = "Bench"

[[events.sessions]]
id = "bench-day"
title = "Day"
starts_at = 2099-06-01T20:00:00
"""
_SKU = """
[[events.sessions.skus]]
id = "{sku}"
title = "Floor"
price_fen = 100
capacity = {units}
per_order_max = 4
"""
_WINDOW = """
[[sales]]
id = "{sale_id}"
title = "{sale_id}"
skus = ["{sku}"]
opens_at = {opens_at}
closes_at = 2099-01-01T00:00:00
hold_s = 7200
per_buyer_max = 6
line_rate = {rate_per_s}
line_concurrency = {concurrency}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleSpec:
    """One sale. `concurrency` bounds who may be at the till at once."""

    sale_id: str
    units: int
    opens_at: str = PAST
    rate_per_s: int = 1000
    concurrency: int = 1_000_000


LINING = (
    SaleSpec(sale_id=LIVE, units=1000),
    SaleSpec(sale_id=LOBBY, units=1000, opens_at=FUTURE),
    SaleSpec(sale_id=FEW, units=1000, rate_per_s=1),
    SaleSpec(sale_id=MANY, units=1000, rate_per_s=1),
    SaleSpec(sale_id=TILL, units=1000, rate_per_s=1),
    SaleSpec(sale_id=DOORS, units=1000, opens_at=FUTURE),
    SaleSpec(sale_id=LOST, units=1000, opens_at=FUTURE),
)
SELLING = (SaleSpec(sale_id=SOLD_OUT, units=SOLD_OUT_UNITS), SaleSpec(sale_id=OPEN, units=5_000_000))
FLOODED = (SaleSpec(sale_id=LIVE, units=1000), SaleSpec(sale_id=FEW, units=1000, rate_per_s=1), *SELLING)


def sale_file(specs: Sequence[SaleSpec]) -> str:
    """The sale file that `floodgate sale apply` reads."""
    skus = "".join(_SKU.format(sku=sku_of(spec.sale_id), units=spec.units) for spec in specs)
    windows = "".join(
        _WINDOW.format(
            sale_id=spec.sale_id,
            sku=sku_of(spec.sale_id),
            opens_at=spec.opens_at,
            rate_per_s=spec.rate_per_s,
            concurrency=spec.concurrency,
        )
        for spec in specs
    )
    return _EVENT + skus + windows
