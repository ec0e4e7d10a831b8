"""The job loop: background work is a `run_once` that a loop repeats and a test calls directly.

A job that fails is logged and tried again at its next turn: an outage in one job never stops another.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from engine.infra.outage import Outage

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """`run_once` says whether more work is waiting; then it runs again at once."""

    name: str
    run_once: Callable[[], Awaitable[bool]]
    every_s: float


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
