"""The days of bills: which day a moment belongs to, and when the bill of a day is there. China time throughout."""

from datetime import date, datetime, timedelta

from engine.simulator.pay.orders import DAY_MS
from engine.simulator.pay.refusals import BILL_CREATING, BILL_DATE, Refusal, parameter
from engine.simulator.pay.shapes import CHINA, china_second

CUT_AFTER_MS = 9 * 3_600_000  # Bills are cut at 09:00 of the next day.
READY_AFTER_MS = 10 * 3_600_000  # They can be fetched from 10:00.
MONTHS_BACK = 3


def day_starts_ms(day: date) -> int:
    """Midnight in China, ms since the epoch."""
    return int(datetime(day.year, day.month, day.day, tzinfo=CHINA).timestamp()) * 1000


def day_of(moment_ms: int) -> date:
    """The China date of a moment."""
    return china_second(moment_ms // 1000).date()


def months_before(day: date, months: int) -> date:
    """The same day of an earlier month, or the last day of that month when it is shorter."""
    first = day.replace(day=1)
    for _ in range(months):
        first = (first - timedelta(days=1)).replace(day=1)
    next_first = (first + timedelta(days=31)).replace(day=1)
    return first.replace(day=min(day.day, (next_first - timedelta(days=1)).day))


def find(text: str, *, now_ms: int, today: bool) -> date | Refusal:
    """The day asked for when its bill can be there, else why not."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or len(text) != 10:
        return parameter("bill_date", text, "must be YYYY-MM-DD", location="query")
    present = day_of(now_ms)
    if day > present or day < months_before(present, MONTHS_BACK):
        return BILL_DATE
    if not today and day == present:
        return BILL_DATE
    if not today and now_ms < day_starts_ms(day) + DAY_MS + READY_AFTER_MS:
        return BILL_CREATING
    return day
