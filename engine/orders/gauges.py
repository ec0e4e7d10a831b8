"""What this process' sales look like together: metrics carry no ids, so they tell of all sales at once."""

from collections.abc import Sequence

from engine import telemetry
from engine.line.pacing.ticker import Ticker
from engine.orders.desk import Desk


def tell_gauges(desks: Sequence[Desk]) -> None:
    """Set the gauges of stock and line."""
    shelves = [shelf for desk in desks if desk.stock.snapshot for shelf in desk.stock.snapshot.shelves.values()]
    for kind in ("free", "held", "sold"):
        telemetry.SHELF_UNITS.labels(kind).set(sum(getattr(shelf, kind) for shelf in shelves))
    tickers = [desk.line.ticker for desk in desks]
    sights = [ticker.sight for ticker in tickers if ticker.sight is not None]
    people = telemetry.LINE_PEOPLE
    people.labels("waiting").set(sum(sight.waiting for sight in sights))
    people.labels("called").set(sum(lane.called for sight in sights for lane in sight.lanes))
    people.labels("admitted").set(sum(sight.admitted for sight in sights))
    people.labels("limit").set(sum(ticker.limit for ticker in tickers if ticker.sight is not None))
    if tickers:
        estimates = max(tickers, key=_at_the_till).memory.estimates
        telemetry.LINE_SHARES.labels("show").set(estimates.show_rate)
        telemetry.LINE_SHARES.labels("conversion").set(estimates.conversion_rate)
        telemetry.LINE_SHARES.labels("lapse").set(estimates.lapse_share)


def _at_the_till(ticker: Ticker) -> int:
    return 0 if ticker.sight is None else ticker.sight.admitted + ticker.sight.orders_open
