"""The job loop: background work is a `run_once` that a loop repeats and a test calls directly.

A job that fails is logged and tried again at its next turn: an outage in one job never stops another.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from engine.infra.outage import Outage

log = structlog.get_logger(__name__)

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Job:
    """`run_once` says whether more work is waiting; then it runs again at once."""

    name: str
    run_once: Callable[[], Awaitable[bool]]
    every_s: float


async def for_each(items: Iterable[Item], act: Callable[[Item], Awaitable[object]]) -> bool:
    """One after the other, whether anything is left to do at once; what goes wrong with one of them does not keep the
    others from their turn, and the first failure is raised at the end."""
    more, failure = False, None
    for item in items:
        try:
            more |= bool(await act(item))
        except Exception as error:
            failure = failure or error
    if failure is not None:
        raise failure
    return more


async def run_forever(job: Job) -> None:
    """Repeat the job until cancelled. Turns are jittered, so that many processes do not march in step."""
    while True:
        more = False
        try:
            more = await job.run_once()
        except Outage as outage:
            log.warning("job_waits", job=job.name, reason=str(outage))
        except Exception:
            log.exception("job_failed", job=job.name)
        if not more:
            await asyncio.sleep(job.every_s * random.uniform(0.8, 1.2))  # noqa: S311 - jitter, no secret


async def run_all(jobs: list[Job]) -> None:
    """Run every job until cancelled."""
    async with asyncio.TaskGroup() as group:
        for job in jobs:
            group.create_task(run_forever(job), name=job.name)
