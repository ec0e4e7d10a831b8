"""What a run stands on: a stack that the lab starts for it, the stack of a running `make up`, or addresses that
somebody gave. All of them look alike to the rest of the lab (`books.stack.Ground`).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from loadtest.books.stack import Addresses, Stack, StackError, addresses_in
from loadtest.profiles.profile import Profile

SIMULATOR_OPTIONS = "--workers 2 --callers 1"
"""Payments are signed in processes of their own, as WeChat's are: the engine does not wait for a single core."""
CLAIM_WINDOW_S, CLAIM_WINDOW_MIN_S = 90, 10
SERVING_S, SERVING_MIN_S = 120, 6
"""The engine's own times of a line, and how short a faster pace may make them."""


class StackGround:
    """A stack that runs already, by the `stack.json` in its folder. Stopping it is not ours."""

    def __init__(self, home: Path) -> None:
        """Raises StackError when nothing runs there."""
        self._card = home / "stack.json"
        self.addresses()

    def addresses(self) -> Addresses:
        try:
            return addresses_in(self._card)
        except (OSError, ValueError, KeyError):
            raise StackError(f"no stack runs in {self._card.parent}: start one with make up") from None

    def check(self) -> None:
        # The card goes with the stack.
        self.addresses()


@dataclass(frozen=True, slots=True)
class GivenGround:
    """Addresses on the command line; whether its processes live, nobody here can see."""

    given: Addresses

    def addresses(self) -> Addresses:
        return self.given

    def check(self) -> None:
        return None


def own_stack(profile: Profile, *, home: Path, log: Path) -> Stack:
    """A fresh stack for this profile, not yet started."""
    command = [
        *floodgate(),
        *("up", "--home", str(home), "--workers", str(profile.engine.workers)),
        *("--simulator", SIMULATOR_OPTIONS),
    ]
    return Stack(command, home=home, log=log, environment=environment(profile))


@contextlib.contextmanager
def only_run(folder: Path) -> Iterator[None]:
    """A second run must not delete the home of a stack that is just starting for the first. Raises StackError."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError(
                f"another run has the lab's stack in {folder}: wait until it is over, or play on another with --stack"
            ) from None
        yield
    finally:
        os.close(lock)


def environment(profile: Profile) -> dict[str, str]:
    """The engine's settings for this profile. Times that belong to the hold go with its pace, so that nobody is waited
    for during several holds; the profile's own words count for more."""
    pace = profile.scale.pace
    settings: Mapping[str, object] = {
        "LINE_CLAIM_WINDOW_S": max(CLAIM_WINDOW_MIN_S, round(CLAIM_WINDOW_S / pace)),
        "LINE_PASS_SERVING_S": max(SERVING_MIN_S, round(SERVING_S / pace)),
        **profile.engine.settings,
    }
    return {f"FLOODGATE_{name}": str(value) for name, value in settings.items()}


def own_times(profile: Profile) -> str | None:
    """What to know about a ground that was there before: its times did not follow the pace of the people. None where
    the people do not hurry."""
    if profile.scale.pace <= 1:
        return None
    times = " ".join(f"{name}={value}" for name, value in environment(profile).items())
    return (
        f"People hurry {profile.scale.pace:g} times, and this stack keeps its own times. Whoever is called and never "
        f"comes is waited for, and units may be left over at the end. Start it with {times}, or play with --pace 1"
    )


def floodgate() -> list[str]:
    """The engine's command of this installation."""
    script = Path(sys.executable).with_name("floodgate")
    return [str(script)] if script.exists() else [sys.executable, "-m", "engine.cli"]
