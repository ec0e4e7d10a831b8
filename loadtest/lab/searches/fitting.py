"""Which arrivals a search can work with. Pure; to be asked before anything starts."""

from __future__ import annotations

from loadtest.profiles.profile import ClosedArrivals, Profile, RateArrivals


class SearchInvalid(Exception):
    """The profile's arrivals do not fit what it searches for; the message says which do."""


def check(profile: Profile) -> None:
    """Raises SearchInvalid."""
    arrivals = profile.arrivals
    match profile.run.search:
        case "breakpoint" if not isinstance(arrivals, RateArrivals):
            raise SearchInvalid('run.search = "breakpoint" needs arrivals.curve = "rates" that rise')
        case "overload" if not isinstance(arrivals, ClosedArrivals):
            raise SearchInvalid('run.search = "overload" needs arrivals.curve = "closed": it finds the capacity')
    if profile.run.soak and not isinstance(arrivals, RateArrivals):
        raise SearchInvalid('run.soak needs arrivals.curve = "rates": a steady load')
