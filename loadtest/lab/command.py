"""`floodgate loadtest`, as a process: arguments in, exit status out.

0 the audit, every SLO and the arrivals hold; 1 one of them does not; 2 no verdict: the input made no sense, the target
was refused, the stack would not run, or the books could not be audited; 130 stopped by a signal.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence

import uvloop
from rich.console import Console
from rich.table import Table
from rich.text import Text

from loadtest.books.stack import StackError, allow_open_files
from loadtest.lab import ending
from loadtest.lab import options as given
from loadtest.lab.generators import GeneratorDied
from loadtest.lab.options import Options, OptionsInvalid
from loadtest.lab.run import Lab
from loadtest.lab.screen import Screen
from loadtest.lab.searches import fitting
from loadtest.lab.target import TargetRefused
from loadtest.profiles.loading import ProfileInvalid, load
from loadtest.profiles.profile import Profile
from loadtest.wires.port import Outage

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PASS, FAIL, NO_VERDICT, STOPPED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    words = sys.argv[1:] if arguments is None else list(arguments)
    parser = given.parser()
    parsed = parser.parse_args(words)
    if parsed.list:
        _list()
        return PASS
    if parsed.profile is None:
        parser.print_help(sys.stderr)
        return NO_VERDICT
    try:
        options = given.read(parsed)
        profile = load(options.profile, changes=options.changes)
        fitting.check(profile)
    except (OptionsInvalid, ProfileInvalid, fitting.SearchInvalid) as mistake:
        return _refuse(str(mistake))
    return _play(options, profile, command=given.said(words))


def _play(options: Options, profile: Profile, *, command: str) -> int:
    allow_open_files()
    console = Console()
    screen = Screen(console, is_live=console.is_terminal and not options.plain)

    async def until_told_to_stop() -> int:
        work = asyncio.ensure_future(Lab(options, profile, command=command, screen=screen).go())
        loop = asyncio.get_running_loop()

        def stop_once() -> None:
            # A second signal must not interrupt the stopping of the stack.
            for number in STOPPING:
                loop.add_signal_handler(number, lambda: None)
            work.cancel()

        for number in STOPPING:
            loop.add_signal_handler(number, stop_once)
        report, folder, has_verdict = await work
        ending.show(console, report, folder, has_verdict=has_verdict)
        if not has_verdict:
            return NO_VERDICT
        return PASS if report.passed else FAIL

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(until_told_to_stop())
    except asyncio.CancelledError:
        screen.say("Stopped before the end; what was started is down, and there is no verdict.")
        return STOPPED
    except (TargetRefused, OptionsInvalid, FileExistsError) as refusal:
        return _refuse(str(refusal))
    except (StackError, GeneratorDied) as gone:
        return _refuse(f"No verdict: {gone}")
    except Outage as outage:
        return _refuse(f"No verdict: nobody answered any more ({outage})")
    except OSError as problem:
        return _refuse(f"No verdict: this machine refused what the run needs: {_why(problem)}")


def _why(problem: OSError) -> str:
    return f"{problem.filename}: {problem.strerror}" if problem.filename else str(problem)


def _refuse(sentence: str) -> int:
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text(sentence, style="red"))
    return NO_VERDICT


def _list() -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, title, problem in given.listing():
        table.add_row(name, Text(problem, style="red") if problem else title)
    Console(highlight=False).print(table)
