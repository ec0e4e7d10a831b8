"""`make soak`: the soak profile for as many minutes as one likes; everything else as `floodgate loadtest` has it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from loadtest.lab import command
from loadtest.profiles.loading import load
from loadtest.profiles.profile import RateArrivals

PROFILE = "soak"
MINUTES_MIN, MINUTES_MAX = 2, 120
TAIL_S = 15


def arguments(words: Sequence[str]) -> list[str]:
    """Those of `floodgate loadtest`; what is not ours is handed on."""
    parser = argparse.ArgumentParser(
        prog="python -m loadtest.lab.searches.soak",
        description="Play the soak profile. Other options are those of floodgate loadtest.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--minutes",
        type=_minutes,
        metavar="N",
        help=f"how long people come, {MINUTES_MIN} to {MINUTES_MAX} (as the profile says); a short run may not tell",
    )
    own, others = parser.parse_known_args(words)
    if own.minutes is None:
        return [PROFILE, *others]
    return [PROFILE, *changes(own.minutes), *others]


def changes(minutes: float) -> list[str]:
    """The profile's steady rate for so long, with as many tickets more or fewer."""
    profile = load(PROFILE)
    assert isinstance(profile.arrivals, RateArrivals)
    ends_s, rate = profile.arrivals.points[-1]
    seconds = minutes * 60
    tickets = max(1, round(profile.sale.tickets * seconds / ends_s))
    return [
        *("--set", f"arrivals.points=[[0, {rate:g}], [{seconds:g}, {rate:g}]]"),
        *("--set", f"run.after_opening_s={seconds + TAIL_S:g}"),
        *("--set", f"sale.tickets={tickets}"),
    ]


def _minutes(text: str) -> float:
    minutes = float(text)
    if not MINUTES_MIN <= minutes <= MINUTES_MAX:
        raise argparse.ArgumentTypeError(f"{text} is not between {MINUTES_MIN} and {MINUTES_MAX}")
    return minutes


if __name__ == "__main__":
    sys.exit(command.main(arguments(sys.argv[1:])))
