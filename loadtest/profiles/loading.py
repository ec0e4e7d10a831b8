"""Finding a profile, reading it, and saying what is wrong with it, all at once, in a person's words."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from loadtest.profiles.profile import Profile

FOLDER = Path(__file__).parent
AS_PLAYED = "profile"
"""A run keeps its profile under this name, whatever the story is called."""


COUNTING = ("count", "per_s")


class ProfileInvalid(Exception):
    """The profile cannot be played; the message names the file and every mistake in it."""


def names() -> list[str]:
    """The profiles that come with the lab."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(wanted: str, *, changes: Mapping[str, Any] | None = None) -> Profile:
    """A profile by its name, or from a file (whatever ends in .toml). `changes` maps dotted keys to values that
    replace those of the file; a number in a key counts the entries of a list from 0 (`slo.0.at_most`). Promises that
    count follow another scale, but for those that are given here. Raises ProfileInvalid."""
    path = Path(wanted) if wanted.endswith(".toml") else FOLDER / f"{wanted}.toml"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as problem:
        if path.parent == FOLDER:
            raise ProfileInvalid(_unknown(wanted)) from None
        raise ProfileInvalid(f"{path} cannot be read: {problem.strerror}") from None
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise ProfileInvalid(f"{path} is not TOML: {problem}") from None
    written, promised = _scale(document), {}
    for key, value in (changes or {}).items():
        if key.split(".")[0] == "slo":
            promised[key] = value
        else:
            _change(document, path, key, value)
    _follow(document, written)
    for key, value in promised.items():
        _change(document, path, key, value)
    try:
        profile = Profile.model_validate(document)
    except ValidationError as problem:
        raise ProfileInvalid(_in_words(path, problem)) from None
    if path.stem not in (profile.story.name, AS_PLAYED):
        raise ProfileInvalid(f"{path}: story.name is {profile.story.name}, the file's name says {path.stem}")
    return profile


def digest(profile: Profile) -> str:
    """Twelve hexadecimal digits: the same for two runs of the same story with the same numbers."""
    return sha256(orjson.dumps(profile.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]


def _change(document: dict[str, Any], path: Path, key: str, value: Any) -> None:
    """Raises ProfileInvalid for a key that leads through something that has no keys, or past the end of a list."""
    here: Any = document
    *tables, last = key.split(".")
    for step, table in enumerate(tables, start=1):
        here = here.setdefault(table, {}) if isinstance(here, dict) else here[_entry(here, path, key, table)]
        if not isinstance(here, dict | list):
            raise ProfileInvalid(f"{path} cannot be played:\n  {key}: {'.'.join(tables[:step])} has no keys")
    here[last if isinstance(here, dict) else _entry(here, path, key, last)] = value


def _entry(entries: list[Any], path: Path, key: str, step: str) -> int:
    if not step.isdecimal() or int(step) >= len(entries):
        there = f"0 to {len(entries) - 1}" if entries else "none"
        raise ProfileInvalid(f"{path} cannot be played:\n  {key}: {step} is no entry of this list; there are {there}")
    return int(step)


def _scale(document: Mapping[str, Any]) -> float:
    """How many of the people come; whatever else stands there is for the profile to refuse."""
    scale = document.get("scale", {})
    people = scale.get("people", 1.0) if isinstance(scale, dict) else None
    return float(people) if isinstance(people, int | float) and people > 0 else 1.0


def _follow(document: dict[str, Any], written: float) -> None:
    """Promises that count are written for the file's own scale, and follow another one."""
    ratio, slos = _scale(document) / written, document.get("slo")
    if ratio == 1 or not isinstance(slos, list):
        return
    for slo in slos:
        if isinstance(slo, dict) and slo.get("measure") in COUNTING:
            for bound in ("at_most", "at_least"):
                if isinstance(slo.get(bound), int | float):
                    slo[bound] = round(slo[bound] * ratio, 3)


def _unknown(wanted: str) -> str:
    near = difflib.get_close_matches(wanted, names(), n=1)
    meant = f" Did you mean {near[0]}?" if near else ""
    return f"There is no profile called {wanted}.{meant} There are: {', '.join(names())}. Or give a file: ./my.toml"


def _in_words(path: Path, problem: ValidationError) -> str:
    lines = []
    for mistake in problem.errors(include_url=False):
        where = ".".join(str(step) for step in mistake["loc"]) or "the file"
        what = mistake["msg"].removeprefix("Value error, ")
        if mistake["type"] == "extra_forbidden":
            what = "is no key of a profile"
        elif mistake["type"] == "missing":
            what = "is missing"
        lines.append(f"  {where}: {what}")
    return f"{path} cannot be played:\n" + "\n".join(lines)
