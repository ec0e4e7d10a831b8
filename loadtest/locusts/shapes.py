"""The shapes of Locust's class picker. Their height is the number of users that the person asks for, their length the
run time; `StoryShape` has both from the story, `ArrivalsShape` is the open loop.
"""

from __future__ import annotations

import logging
from typing import Any

from locust import LoadTestShape
from locust.runners import MasterRunner

from loadtest.locusts.heights import HEIGHTS, users_of
from loadtest.locusts.preflight import story_of
from loadtest.locusts.users import ArrivalsUser
from loadtest.locusts.wishes import WishInvalid, wishes_in
from loadtest.profiles.loading import ProfileInvalid

log = logging.getLogger("floodgate")

LENGTH_S = 120
"""Where the person gives no run time."""
AT_ONCE_PER_S = 100.0
"""Locust warns of more. A step that is higher takes a second for each hundred users."""

Tick = tuple[int, float] | None


class _Curve(LoadTestShape):
    abstract = True
    use_common_options = True
    curve = ""

    def tick(self) -> Tick:
        options = self._options()
        length_s = float(options.run_time or LENGTH_S)
        at = self.get_run_time() / length_s  # type: ignore[no-untyped-call]
        if at >= 1:
            return None
        return max(1, round(int(options.num_users or 1) * HEIGHTS[self.curve](at))), AT_ONCE_PER_S

    def _options(self) -> Any:
        assert self.runner is not None
        return self.runner.environment.parsed_options


class DropShape(_Curve):
    """People gather, a step, a tail."""

    curve = "drop"


class RampShape(_Curve):
    """From nobody to all."""

    curve = "ramp"


class StepsShape(_Curve):
    """Five steps."""

    curve = "steps"


class SpikeShape(_Curve):
    """A fifth of all, and all for a moment."""

    curve = "spike"


class SoakShape(_Curve):
    """All, for as long as you like."""

    curve = "soak"


class StoryShape(_Curve):
    """The story's own curve; users and run time are the story's."""

    use_common_options = False

    def reset_time(self) -> None:
        super().reset_time()  # type: ignore[no-untyped-call]
        try:
            wishes = wishes_in(self._options())
            self._there, self._length_s = users_of(story_of(wishes, seed=wishes.seed))
        except (WishInvalid, ProfileInvalid) as refusal:
            log.error("%s", refusal)
            self._there, self._length_s = (lambda _: 0), 0.0

    def tick(self) -> Tick:
        now = self.get_run_time()  # type: ignore[no-untyped-call]
        return None if now >= self._length_s else (max(1, self._there(now)), AT_ONCE_PER_S)


class ArrivalsShape(LoadTestShape):
    """One door on every worker, until the story is over or everybody is back."""

    abstract = False
    use_common_options = True
    """Locust warns of the first shape of a file that it has not, whether or not it is used."""

    def reset_time(self) -> None:
        super().reset_time()  # type: ignore[no-untyped-call]
        self._has_begun = False

    def tick(self) -> Tick:
        runner = self.runner
        assert runner is not None
        doors = max(1, runner.worker_count) if isinstance(runner, MasterRunner) else 1
        if self._has_begun and runner.user_count == 0:
            return None
        self._has_begun = self._has_begun or runner.user_count > 0
        # Set before Locust divides the users up: one for each worker, none twice.
        ArrivalsUser.fixed_count = doors
        others = sum(user.fixed_count for user in runner.user_classes if user is not ArrivalsUser)
        if self._has_begun:
            return runner.shape_last_tick[:2] if runner.shape_last_tick else (doors + others, float(doors + others))
        return doors + others, float(doors + others)


SHAPES: dict[str, type[LoadTestShape]] = {
    "story": StoryShape,
    "drop": DropShape,
    "ramp": RampShape,
    "steps": StepsShape,
    "spike": SpikeShape,
    "soak": SoakShape,
}
