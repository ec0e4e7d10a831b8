"""One run from the command line to the folder: the ground, the crowd, the verdict."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from loadtest.books.stack import Addresses, Ground, Stack
from loadtest.crosscheck.check import NotMade, Read, cross_check
from loadtest.crowd.protocol import Shop
from loadtest.crowd.scene import read_sale
from loadtest.lab import folder as folders
from loadtest.lab import target
from loadtest.lab.assembling import Circumstances, assembled
from loadtest.lab.generators import Generator, OpenLoop
from loadtest.lab.grounds import GivenGround, StackGround, only_run, own_stack, own_times
from loadtest.lab.locusting import LocustLoop
from loadtest.lab.machine import machine, versions
from loadtest.lab.options import Options, OptionsInvalid
from loadtest.lab.playing import Chapter, Played, Playing
from loadtest.lab.screen import Screen
from loadtest.lab.searches.driving import StopWhen, search
from loadtest.lab.selling import with_own_tiers
from loadtest.profiles.fitting import fitted
from loadtest.profiles.profile import Profile
from loadtest.report.model import CrossCheck, Report
from loadtest.wires.loop import LoopWire

SALE = "drop"
HOME = folders.RUNS / "stack-home"
LOG = folders.RUNS / "stack.log"
NO_CONFIG = "no settings of the engine (--config): its own audit of PostgreSQL and Redis was not made"
NO_ADMIN = "no admin listener (--admin): nobody could ask the engine what it counts"


class Lab:
    """One run. `go` raises TargetRefused, OptionsInvalid, StackError, GeneratorDied, Outage, FileExistsError."""

    def __init__(self, options: Options, profile: Profile, *, command: str, screen: Screen) -> None:
        self._options = options
        self._profile = profile
        self._command = command
        self._screen = screen
        self._started_at = datetime.now(UTC)
        self._notes: list[str] = []
        self._generators: list[Generator] = []

    async def go(self) -> tuple[Report, Path, bool]:
        """The report, its folder, and whether there is a verdict at all."""
        self._ground, missing = await grounded(self._options, self._profile)
        with only_run(folders.RUNS) if isinstance(self._ground, Stack) else contextlib.nullcontext():
            return await self._run(missing)

    async def _run(self, missing: Sequence[str]) -> tuple[Report, Path, bool]:
        began, host = time.monotonic(), machine()
        if not isinstance(self._ground, Stack) and self._options.sale is None:
            self._say_of_times()
        folders.RUNS.mkdir(parents=True, exist_ok=True)
        self._folder = folders.fresh(self._profile, given=self._options.out, at=self._started_at)
        folders.keep_profile(self._profile, self._folder)
        left_running: list[str] = []
        ground = self._ground
        try:
            if isinstance(ground, Stack):
                self._screen.say(f"Starting the stack (log: {LOG}) ...")
                await ground.start()
            found = await search(self._profile, self._play)
            checks = await self._cross_checks(found.played.evidence.sale.sale)
            if self._options.keep and isinstance(ground, Stack):
                await self._keep(ground)
        finally:
            for generator in self._generators:
                await generator.stop()
            if isinstance(ground, Stack):
                self._screen.say("Stopping the stack ...")
                left_running = await ground.stop()
                folders.keep_logs(HOME, self._folder)
        around = Circumstances(
            profile=self._profile,
            command=self._command,
            engine=self._generators[-1].engine,
            processes=self._options.processes,
            started_at=self._started_at,
            duration_s=time.monotonic() - began,
            machine=host,
            versions=versions(),
            left_running=left_running,
            missing=missing,
            cross_checks=checks,
            notes=self._notes,
        )
        report = assembled(found, around)
        folders.write(report, found.played.record, self._folder)
        return report, self._folder, has_verdict(report, missing)

    def _say_of_times(self) -> None:
        """To a sale that is there people are fitted; to a stack's own times nobody can be."""
        if (known := own_times(self._profile)) is not None:
            self._notes.append(known)
            self._screen.say(known)

    async def _play(self, profile: Profile, *, mark: str, stop_when: StopWhen | None = None) -> Played:
        """One play of several, perhaps: with a sale and SKUs of its own, so that none is judged by another's."""
        sale = self._options.sale or f"{SALE}-{mark}"
        if self._options.sale is not None:
            profile = await self._fitted(profile, sale)
        elif not isinstance(self._ground, Stack):
            stamp = f"{self._started_at:%m%d%H%M%S}"
            sale, profile = f"{sale}-{stamp}", with_own_tiers(profile, mark=stamp)
        elif self._generators:
            profile = with_own_tiers(profile, mark=mark)
        folder = self._folder if not self._generators else self._folder / mark
        (folder / "logs").mkdir(parents=True, exist_ok=True)
        generator = self._crowd(profile, folder)
        self._generators.append(generator)
        chapter = Chapter()
        playing = Playing(
            profile,
            self._ground,
            generator,
            sale=sale,
            folder=folder,
            applies=self._options.sale is None,
            chapter=chapter,
            stop_when=stop_when,
        )
        with self._screen.following(profile, chapter):
            return await playing.go()

    async def _fitted(self, profile: Profile, sale: str) -> Profile:
        """People who want what the given sale sells, and hurry as its hold asks, unless a pace was given."""
        addresses = self._ground.addresses()
        shop = Shop.at(public_url=addresses.public_url, wechat_url=addresses.simulator_url, sale=sale)
        async with LoopWire(dice=random.Random(profile.seed), observer=lambda *_: None) as wire:
            there = await read_sale(wire, shop)
        return fitted(profile, there, pace=self._options.changes.get("scale.pace"))

    def _crowd(self, profile: Profile, folder: Path) -> Generator:
        if self._options.generator == "locust":
            return LocustLoop(profile, processes=self._options.processes, folder=folder, owned=self._options.owned)
        return OpenLoop(profile, processes=self._options.processes, folder=folder / "logs")

    async def _cross_checks(self, sale: str) -> Sequence[CrossCheck]:
        """The same reads by somebody else's generator, now that nobody else asks anything."""
        if not self._options.cross_checks:
            return ()
        url = f"{self._ground.addresses().public_url}/v1/sales/{sale}"
        self._screen.say("Cross-checking the reads with autocannon ...")
        try:
            return await cross_check(
                [Read(path="the line document", url=f"{url}/line"), Read(path="the sale", url=url)]
            )
        except NotMade as why:
            self._notes.append(f"No cross-check: {why}")
            return ()

    async def _keep(self, stack: Stack) -> None:
        addresses = stack.addresses()
        self._screen.say(
            f"The run is over and the stack still runs: {addresses.public_url}, "
            f"admin {', '.join(addresses.admin_urls)}, WeChat {addresses.simulator_url}. Ctrl-C ends it and judges."
        )
        stopped = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stopped.set)
        await stopped.wait()


def has_verdict(report: Report, missing: Sequence[str]) -> bool:
    """What is known to be wrong is a verdict, even where not everything could be looked at."""
    wrong = len(report.audit.reasons) > len(missing) or not report.arrived.holds
    return not missing or wrong or not all(one.holds for one in report.slos)


async def grounded(options: Options, profile: Profile) -> tuple[Ground, list[str]]:
    """What the run will stand on, proven to be what it should be, and what an audit will miss there."""
    if options.stack is not None:
        ground = StackGround(options.stack)
        await _prove(ground.addresses(), owned=options.owned)
        return ground, []
    if options.target is None:
        return own_stack(profile, home=HOME, log=LOG), []
    assert options.wechat is not None
    key = os.environ.get(options.admin_key_env, "")
    if options.admin and not key:
        raise OptionsInvalid(f"--admin needs the admin key in the environment variable {options.admin_key_env}")
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
    missing = [*([] if options.admin else [NO_ADMIN]), *([] if options.config else [NO_CONFIG])]
    return GivenGround(addresses), missing


async def _prove(addresses: Addresses, *, owned: bool) -> None:
    """All addresses are checked before the first of them hears anything."""
    engine = target.check(addresses.public_url, owned=owned)
    wechat = target.check(addresses.simulator_url, owned=owned)
    for url in addresses.admin_urls:
        target.check(url, owned=owned)
    await target.prove_engine(engine)
    await target.prove_simulator(wechat)
