"""A bill's day is a day in China, whatever clock and zone this machine has.

WeChat cuts the bill of a day in the next morning and keeps it for three months. Pure: the time is an argument.
"""

from collections.abc import Collection, Iterator
from datetime import date, datetime, time, timedelta, timezone

CHINA = timezone(timedelta(hours=8))
ONE_DAY = timedelta(days=1)
DAYS_BACK_MAX = 89  # three months, whichever they are, are at least 89 days


def day_of(moment: datetime) -> date:
    """The China date of an aware moment."""
    return moment.astimezone(CHINA).date()


def starts_at(day: date) -> datetime:
    """Midnight in China."""
    return datetime(day.year, day.month, day.day, tzinfo=CHINA)


def ready_at(day: date, after_time: time) -> datetime:
    """When the bill of this day may be asked for."""
    return datetime.combine(day + ONE_DAY, after_time, tzinfo=CHINA)


def newest_ready(now: datetime, after_time: time) -> date:
    """The newest day whose bill should be there."""
    today = day_of(now)
    newest = today - ONE_DAY
    return newest if now >= ready_at(newest, after_time) else newest - ONE_DAY


def oldest_kept(now: datetime) -> date:
    """The oldest day whose bill WeChat surely still has."""
    return day_of(now) - DAYS_BACK_MAX * ONE_DAY


def days_left(now: datetime, *, after_time: time, first_day: date | None, finished: Collection[date]) -> Iterator[date]:
    """The days that are still to be reconciled, the newest first. `first_day` is the day of our first payment; without
    one, only the newest day is looked at, in case WeChat knows of money that we do not."""
    day = newest_ready(now, after_time)
    oldest = max(oldest_kept(now), min(first_day or day, day))
    while day >= oldest:
        if day not in finished:
            yield day
        day -= ONE_DAY
