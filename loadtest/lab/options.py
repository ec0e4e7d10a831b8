"""What a person may say on the command line, read whole or refused whole, before anything starts."""

from __future__ import annotations

import argparse
import shlex
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from loadtest.lab.target import OWN
from loadtest.profiles import loading

EPILOG = """\
With a profile alone everything that is needed starts by itself and ends with the run:
  floodgate loadtest concert-drop
  floodgate loadtest coldplay --scale 0.01 --seed 7 --set slo.0.at_most=900

On the stack of a running `make up`:
  floodgate loadtest concert-drop --stack .run

On servers of your own; their WeChat must be `floodgate simulator`:
  floodgate loadtest concert-drop --target http://10.0.0.5:8080 --wechat http://10.0.0.6:9300 \\
      --admin http://10.0.0.5:9100 --admin-key-env FLOODGATE_ADMIN_KEY --config floodgate.toml --i-own-this-target

exit codes: 0 audit, SLOs and arrivals all hold; 1 one of them does not; 2 no verdict; 130 stopped
"""


class OptionsInvalid(Exception):
    """The command line makes no sense; the sentence says what to write instead."""


@dataclass(frozen=True, slots=True)
class Options:
    profile: str
    changes: dict[str, Any]
    """Dotted keys of the profile to values that replace the file's."""
    target: str | None
    sale: str | None
    admin: tuple[str, ...]
    admin_key_env: str
    wechat: str | None
    config: Path | None
    stack: Path | None
    generator: Literal["open", "locust"]
    processes: int
    out: Path | None
    owned: bool
    keep: bool
    plain: bool
    cross_checks: bool


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="floodgate loadtest",
        description="Play a peak against Floodgate, audit every book afterwards, and judge it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("profile", nargs="?", metavar="PROFILE", help="a name from --list, or a file: ./my.toml")
    parser.add_argument("--list", action="store_true", help="show the profiles that there are, and end")
    played = parser.add_argument_group("what is played")
    played.add_argument(
        "--scale",
        type=float,
        metavar="X",
        help="share of the real people and tickets that comes (0 to 1); the profile has one",
    )
    played.add_argument(
        "--pace", type=float, metavar="X", help="divides the times of people (1 to 1000); the profile has one"
    )
    played.add_argument("--seed", type=int, metavar="N", help="the same seed brings the same crowd")
    played.add_argument("--workers", type=int, metavar="N", help="web workers of a stack that the lab starts")
    played.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="any key of the profile, e.g. sale.hold_s=300"
    )
    target = parser.add_argument_group("against what (by default a stack of its own)")
    target.add_argument("--stack", type=Path, metavar="FOLDER", help="the stack of a running `make up`: .run")
    target.add_argument("--target", metavar="URL", help="where buyers reach the engine")
    target.add_argument("--wechat", metavar="URL", help="the WeChat simulator that this engine talks to")
    target.add_argument("--sale", metavar="ID", help="a sale that is there and new; needed without --config")
    target.add_argument(
        "--admin", action="append", default=[], metavar="URL", help="an admin listener; repeat for each"
    )
    target.add_argument(
        "--admin-key-env",
        default="FLOODGATE_ADMIN_KEY",
        metavar="NAME",
        help="the environment variable with the admin key (FLOODGATE_ADMIN_KEY)",
    )
    target.add_argument("--config", type=Path, metavar="FILE", help="its settings: to apply the sale, and to audit")
    target.add_argument(OWN, dest="owned", action="store_true", help="the target is not this machine, and it is mine")
    how = parser.add_argument_group("how")
    how.add_argument("--generator", choices=("open", "locust"), default="open", help="who plays the crowd (open)")
    how.add_argument("--processes", type=int, default=2, metavar="N", help="processes of the generator (2)")
    how.add_argument("--out", type=Path, metavar="FOLDER", help="where the run is kept (.run/loadtest/PROFILE-TIME)")
    how.add_argument("--keep", action="store_true", help="leave the lab's own stack running until Ctrl-C")
    how.add_argument("--plain", action="store_true", help="plain lines even on a terminal")
    how.add_argument("--no-cross-check", action="store_true", help="do not ask a second generator")
    return parser


def read(arguments: argparse.Namespace) -> Options:
    """Raises OptionsInvalid."""
    changes = dict(_change(text) for text in arguments.set)
    for name, key in (
        ("scale", "scale.people"),
        ("pace", "scale.pace"),
        ("seed", "seed"),
        ("workers", "engine.workers"),
    ):
        value = getattr(arguments, name)
        if value is not None:
            changes[key] = value
    if arguments.stack is not None and arguments.target is not None:
        raise OptionsInvalid("--stack and --target name two grounds; give one of them")
    if not 1 <= arguments.processes <= 64:
        raise OptionsInvalid(f"--processes {arguments.processes}: give 1 to 64")
    target_words = {"--wechat": arguments.wechat, "--sale": arguments.sale, "--admin": arguments.admin}
    given = [name for name, value in target_words.items() if value]
    if given and arguments.target is None:
        raise OptionsInvalid(f"{given[0]} belongs to a target: give --target as well")
    if arguments.target is not None:
        if arguments.wechat is None:
            raise OptionsInvalid("--target needs --wechat: the simulator that this engine talks to")
        if arguments.sale is None and arguments.config is None:
            raise OptionsInvalid("--target needs --config, to apply the sale, or --sale, the id of one that is new")
    if arguments.workers is not None and (arguments.stack is not None or arguments.target is not None):
        raise OptionsInvalid("--workers is for a stack that the lab starts; this one has the workers that it has")
    if arguments.config is not None and arguments.target is None:
        raise OptionsInvalid("--config belongs to --target; a stack brings its own settings")
    if arguments.config is not None and not arguments.config.is_file():
        raise OptionsInvalid(f"--config {arguments.config}: there is no such file")
    if arguments.keep and (arguments.stack is not None or arguments.target is not None):
        raise OptionsInvalid("--keep is for a stack that the lab starts; this one runs on anyway")
    return Options(
        profile=arguments.profile,
        changes=changes,
        target=arguments.target,
        sale=arguments.sale,
        admin=tuple(arguments.admin),
        admin_key_env=arguments.admin_key_env,
        wechat=arguments.wechat,
        config=arguments.config,
        stack=arguments.stack,
        generator=arguments.generator,
        processes=arguments.processes,
        out=arguments.out,
        owned=arguments.owned,
        keep=arguments.keep,
        plain=arguments.plain,
        cross_checks=not arguments.no_cross_check,
    )


def _change(text: str) -> tuple[str, Any]:
    """`sale.hold_s=300`: the value is TOML where it can be, else text."""
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not key or any(not part for part in key.split(".")):
        raise OptionsInvalid(f"--set {text}: write a dotted key, =, and a value, e.g. --set sale.hold_s=300")
    try:
        return key, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key, value


def listing() -> list[tuple[str, str, str]]:
    """(name, title, what makes it unplayable or nothing) of every profile that comes with the lab."""
    rows = []
    for name in loading.names():
        try:
            rows.append((name, loading.load(name).story.title, ""))
        except loading.ProfileInvalid as problem:
            rows.append((name, "", str(problem)))
    return rows


def said(arguments: Sequence[str]) -> str:
    """The command as a person would type it again."""

    return shlex.join(["floodgate", "loadtest", *arguments])
