"""A unit beside its yardstick: timed in turns by pytest-benchmark, so that both meet the same moments of the machine.

Collecting garbage is switched off meanwhile: it would fall on whoever is running when a counter is full.
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

Work = Callable[..., object]


def _nothing() -> tuple[()]:
    return ()


class Beside:
    """Times one unit, once. `found` is told the ratio, unless benchmarks are switched off."""

    def __init__(self, benchmark: BenchmarkFixture, found: Callable[[Ratio], None]) -> None:
        self._benchmark = benchmark
        self._found = found

    def __call__(self, unit: Work, yardstick: Work, *, prepare: Callable[[], tuple[Any, ...]] = _nothing) -> None:
        """`prepare` is not timed; what it gives is handed to both, to the yardstick first."""
        yardstick_s: list[float] = []

        def begin() -> tuple[tuple[Any, ...], dict[str, Any]]:
            prepared = prepare()
            began_s = time.perf_counter()
            yardstick(*prepared)
            yardstick_s.append(time.perf_counter() - began_s)
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
