"""A unit beside its yardstick: timed in turns by pytest-benchmark, so that both meet the same moments of the machine.

Clocks count CPU time, of this thread or of a server: who waits for a core on a crowded machine is not timed, or the
longer of the two would be interrupted more often and look slower. Collecting garbage is switched off meanwhile: it
would fall on whoever is running when a counter is full.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

from pytest_benchmark.fixture import BenchmarkFixture

from bench.micro.gate import Ratio, ratio_of

ROUNDS = 150
WARMUP_ROUNDS = 5

Clock = Callable[[], float]
Work = Callable[..., object]


def _nothing() -> tuple[()]:
    return ()


class Beside:
    """Times one unit, once. `found` is told the ratio, unless benchmarks are switched off."""

    def __init__(self, benchmark: BenchmarkFixture, found: Callable[[Ratio], None]) -> None:
        self._benchmark = benchmark
        self._found = found

    def __call__(
        self,
        unit: Work,
        yardstick: Work,
        *,
        prepare: Callable[[], tuple[Any, ...]] = _nothing,
        clock: Clock = time.thread_time,
    ) -> None:
        """`prepare` is not timed; what it gives is handed to both, to the yardstick first. `clock` counts seconds."""
        yardstick_s: list[float] = []
        self._benchmark._timer = clock

        def begin() -> tuple[tuple[Any, ...], dict[str, Any]]:
            prepared = prepare()
            began_s = clock()
            yardstick(*prepared)
            yardstick_s.append(clock() - began_s)
            return prepared, {}

        gc.collect()
        gc.disable()
        try:
            self._benchmark.pedantic(  # type: ignore[no-untyped-call]
                unit, setup=begin, rounds=ROUNDS, warmup_rounds=WARMUP_ROUNDS
            )
        finally:
            gc.enable()
        if self._benchmark.stats is not None:
            unit_s = self._benchmark.stats.stats.data
            ratio = ratio_of(unit_s=unit_s, yardstick_s=yardstick_s[-len(unit_s) :])
            self._benchmark.extra_info.update(ratio=ratio.middle, low=ratio.low, high=ratio.high)
            self._found(ratio)
