"""How long a soak lasts."""

import pytest

from loadtest.lab import options
from loadtest.lab.searches import fitting
from loadtest.lab.searches.soak import arguments
from loadtest.profiles.loading import load
from loadtest.profiles.profile import Profile, RateArrivals


def played(*words: str) -> Profile:
    chosen = options.read(options.parser().parse_args(arguments(words)))
    return load(chosen.profile, changes=chosen.changes)


def test_without_minutes_the_profile_is_played_as_it_is() -> None:
    assert played() == load("soak")


def test_minutes_change_the_length_and_nothing_of_the_rate() -> None:
    short, whole = played("--minutes", "3").arrivals, load("soak").arrivals
    assert isinstance(short, RateArrivals)
    assert isinstance(whole, RateArrivals)
    assert (short.points[-1][0], short.points[-1][1]) == (180, whole.points[-1][1])


def test_a_longer_soak_has_more_tickets() -> None:
    assert played("--minutes", "30").tickets == 2 * load("soak").tickets


def test_a_soak_of_any_length_fits_its_search() -> None:
    fitting.check(played("--minutes", "5"))


def test_other_options_are_the_labs() -> None:
    chosen = options.read(options.parser().parse_args(arguments(["--minutes", "3", "--workers", "3"])))
    assert chosen.changes["engine.workers"] == 3


def test_no_time_at_all_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        arguments(["--minutes", "0"])
    assert "is not between" in capsys.readouterr().err
