"""One moment of a run, put together from the record as it grows and from what is watched."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from loadtest.lab.playing import Chapter
from loadtest.lab.tally import KindSoFar, Tally
from loadtest.lab.watching import Sample
from loadtest.profiles.profile import Profile

NOTES_MAX = 3


@dataclass(frozen=True, slots=True)
class View:
    """One moment of a run."""

    title: str
    chapter: str
    clock_s: float | None
    """Seconds since the opening; None while it is not set."""
    expected: int
    """People who are still to come or have come; 0 where nobody knows."""
    arrived: int | None
    """None while no process of the generator has told of anybody; Locust tells only when it is over."""
    missed: int
    underway: int | None
    outages: int
    kinds: Mapping[str, KindSoFar]
    sample: Sample | None
    generator_cpu: float | None
    generator_lag_s: float | None
    notes: tuple[str, ...]


def view_of(profile: Profile, chapter: Chapter, tally: Tally) -> View:
    heard, now_s = chapter.live, time.time()
    if heard is not None:
        tally.count(heard.record, now_s=now_s)
    moments = [told[-1] for told in heard.moments.values()] if heard is not None else []
    stages = heard.stages() if heard is not None else {}
    seen = chapter.observation.samples if chapter.observation is not None else []
    return View(
        title=profile.story.title,
        chapter=chapter.name,
        clock_s=None if chapter.opens_at_s is None else now_s - chapter.opens_at_s,
        expected=sum(stages.values()),
        arrived=tally.arrived if heard is not None and heard.record.seconds else None,
        missed=tally.missed,
        underway=sum(moment.underway for moment in moments) if moments else None,
        outages=tally.outages,
        kinds=tally.kinds(),
        sample=seen[-1] if seen else None,
        generator_cpu=max((moment.cpu_share for moment in moments), default=None),
        generator_lag_s=max((moment.lag_s for moment in moments), default=None),
        notes=tuple(chapter.notes[-NOTES_MAX:]),
    )
