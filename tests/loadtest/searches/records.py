"""Records of runs that never were: so much of each kind in every second, with one latency."""

from collections.abc import Callable, Mapping

from loadtest.recording.record import Record
from loadtest.recording.recorder import Recorder

OPENS_AT_S = 1_700_000_000.0
"""Of the wall clock."""


class Clock:
    def __init__(self) -> None:
        self.now_s = OPENS_AT_S

    def __call__(self) -> float:
        return self.now_s


def played(
    seconds: int,
    *,
    arrivals: Callable[[int], int],
    answers: Callable[[int], Mapping[tuple[str, str], int]],
    latency_s: Callable[[int], float] = lambda _: 0.01,
) -> Record:
    """The n-th second after the opening has `arrivals(n)` people and `answers(n)`: (request, outcome) to how many."""
    clock = Clock()
    recorder = Recorder(wall_s=clock)
    for second in range(seconds):
        clock.now_s = OPENS_AT_S + second
        for _ in range(arrivals(second)):
            recorder.arrive(missed=False)
        for (request, outcome), count in answers(second).items():
            for _ in range(count):
                recorder.observe(request, outcome, latency_s(second))
    recorder.finish()
    return Record.of(recorder)
