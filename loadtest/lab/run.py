"""One run from the command line to the folder: the ground, the crowd, the verdict."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

from loadtest.books.stack import Addresses, Ground, Stack
from loadtest.lab import folder as folders
from loadtest.lab import target
from loadtest.lab.assembling import Circumstances, assembled
from loadtest.lab.generators import Generator, OpenLoop
from loadtest.lab.grounds import GivenGround, StackGround, own_stack
from loadtest.lab.machine import machine, versions
from loadtest.lab.options import Options, OptionsInvalid
from loadtest.lab.playing import Chapter, Playing, with_own_tiers
from loadtest.lab.screen import Screen
from loadtest.profiles.profile import Profile
from loadtest.report.model import Report

SALE = "drop"
HOME = folders.RUNS / "stack-home"
LOG = folders.RUNS / "stack.log"


async def run(options: Options, profile: Profile, *, command: str, screen: Screen) -> tuple[Report, Path, bool]:
    """Play it; returns the report, its folder, and whether there is a verdict at all.

    Raises TargetRefused, OptionsInvalid, StackError, GeneratorDied, Outage.
    """
    started_at, began, host = datetime.now(UTC), time.monotonic(), machine()
    ground, missing = await grounded(options, profile)
    sale = SALE
    if isinstance(ground, StackGround) or (isinstance(ground, GivenGround) and options.config is not None):
        mark = f"{started_at:%H%M%S}"
        sale, profile = f"{SALE}-{started_at:%Y%m%d}-{mark}", with_own_tiers(profile, mark=mark)
    sale = options.sale or sale
    folder = folders.fresh(profile, given=options.out, at=started_at)
    folders.keep_profile(profile, folder)
    generator = crowd(options, profile, folder)
    chapter = Chapter()
    left_running: list[str] = []
    try:
        if isinstance(ground, Stack):
            screen.say(f"Starting the stack (log: {LOG}) ...")
            await ground.start()
        playing = Playing(
            profile,
            ground,
            generator,
            sale=sale,
            folder=folder,
            applies=options.sale is None,
            chapter=chapter,
        )
        with screen.following(profile, chapter):
            played = await playing.go()
        if options.keep and isinstance(ground, Stack):
            await _keep(ground, screen)
    finally:
        await generator.stop()
        if isinstance(ground, Stack):
            screen.say("Stopping the stack ...")
            left_running = await ground.stop()
            folders.keep_logs(HOME, folder)
    around = Circumstances(
        command=command,
        engine=generator.engine,
        processes=options.processes,
        started_at=started_at,
        duration_s=time.monotonic() - began,
        machine=host,
        versions=versions(),
        left_running=left_running,
        missing=missing,
    )
    report = assembled(played, around)
    folders.write(report, played.record, folder)
    return report, folder, has_verdict(report, missing)


def has_verdict(report: Report, missing: list[str]) -> bool:
    """What is known to be wrong is a verdict, even where not everything could be looked at."""
    wrong = len(report.audit.reasons) > len(missing) or not report.arrived.holds
    return not missing or wrong or not all(one.holds for one in report.slos)


async def grounded(options: Options, profile: Profile) -> tuple[Ground, list[str]]:
    """What the run will stand on, proven to be what it should be, and what an audit will miss there."""
    if options.stack is not None:
        ground: Ground = StackGround(options.stack)
        await _prove(ground.addresses(), owned=options.owned)
        return ground, []
    if options.target is None:
        return own_stack(profile, home=HOME, log=LOG), []
    assert options.wechat is not None
    key = os.environ.get(options.admin_key_env, "")
    missing = []
    if not options.admin:
        missing.append("no admin listener (--admin): nobody could ask the engine what it counts")
    elif not key:
        raise OptionsInvalid(f"--admin needs the admin key in the environment variable {options.admin_key_env}")
    if options.config is None:
        missing.append("no settings of the engine (--config): its own audit of PostgreSQL and Redis was not made")
    addresses = Addresses(
        public_url=str(target.check(options.target, owned=options.owned)),
        admin_urls=tuple(str(target.check(url, owned=options.owned)) for url in options.admin),
        jobs_admin_url="",
        simulator_url=str(target.check(options.wechat, owned=options.owned)),
        admin_key=key,
        config=str(options.config) if options.config else "",
        pids={},
    )
    await _prove(addresses, owned=options.owned)
    return GivenGround(addresses), missing


async def _prove(addresses: Addresses, *, owned: bool) -> None:
    """All addresses are checked before the first of them hears anything."""
    engine = target.check(addresses.public_url, owned=owned)
    wechat = target.check(addresses.simulator_url, owned=owned)
    for url in addresses.admin_urls:
        target.check(url, owned=owned)
    await target.prove_engine(engine)
    await target.prove_simulator(wechat)


def crowd(options: Options, profile: Profile, folder: Path) -> Generator:
    return OpenLoop(profile, processes=options.processes, folder=folder / "logs")


async def _keep(stack: Stack, screen: Screen) -> None:
    addresses = stack.addresses()
    screen.say(
        f"The run is over and the stack still runs: {addresses.public_url}, "
        f"admin {', '.join(addresses.admin_urls)}, WeChat {addresses.simulator_url}. Ctrl-C ends it and judges."
    )
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stopped.set)
    await stopped.wait()
