"""May these runs be compared at all? What differs between them beside what was to be compared. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loadtest.report.figures import LOAD_BEFORE_SHARE
from loadtest.report.model import Report

NAMED_MAX = 6
"""So many differing keys are named; the others are counted."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not the same in all runs. One that `forbids` makes every ratio meaningless."""

    what: str
    words: str
    forbids: bool = False


def differences(a: Sequence[Report], b: Sequence[Report]) -> list[Difference]:
    """Everything that differs or disturbs, what forbids first."""
    runs = [*a, *b]
    found = [*_profiles(a, b), *_machines(a, b), *_versions(a, b)]
    for what, read in _WATCHED:
        values = [read(run) for run in runs]
        if any(value != values[0] for value in values):
            found.append(Difference(what, f"The {what} differs: {_sides(a, b, read)}."))
    for name, side in (("A", a), ("B", b)):
        if limited := sum(run.generator.was_the_limit for run in side):
            words = f"In {limited} of {len(side)} runs of {name} the generator was the limit: it was measured, too."
            found.append(Difference("generator", words))
        if failed := sum(not run.audit.holds for run in side):
            words = f"In {failed} of {len(side)} runs of {name} the books disagree: quick and wrong is not quick."
            found.append(Difference("audit", words))
        if busy := [run for run in side if run.machine.load_before > LOAD_BEFORE_SHARE * run.machine.cores]:
            words = f"Before {len(busy)} of {len(side)} runs of {name} others kept the machine busy."
            found.append(Difference("load before", words))
    return sorted(found, key=lambda difference: not difference.forbids)


def _profiles(a: Sequence[Report], b: Sequence[Report]) -> list[Difference]:
    """The same question? Seeds are told apart from it, and so are the words of the story."""
    runs = [*a, *b]
    names = [run.story.get("name") for run in runs]
    if any(name != names[0] for name in names):
        return [
            Difference(
                "profile",
                f"The runs play different stories: {', '.join(dict.fromkeys(map(str, names)))}.",
                forbids=True,
            )
        ]
    asked = [_flat(run.profile) for run in runs]
    keys = [
        key
        for key in dict.fromkeys(key for one in asked for key in one)
        if any(one.get(key) != asked[0].get(key) for one in asked) and key != "seed" and not key.startswith("story.")
    ]
    # A key that some runs do not have at all came with another version of the lab, or goes with a key that differs.
    grown = [key for key in keys if not all(key in one for one in asked)]
    differing = [key for key in keys if key not in grown]
    found = []
    if differing:
        found.append(Difference("profile", f"The runs ask different things: {_keys(a, b, differing)}.", forbids=True))
    if grown:
        words = f"Some profiles have keys that others lack: {_keys(a, b, grown)}."
        found.append(Difference("profile keys", words))
    return found


def _keys(a: Sequence[Report], b: Sequence[Report], keys: Sequence[str]) -> str:
    """Dotted keys with the values of both sides."""
    named = ", ".join(f"{key} ({_sides(a, b, _reader(key))})" for key in keys[:NAMED_MAX])
    return named + (f" and {len(keys) - NAMED_MAX} more" if len(keys) > NAMED_MAX else "")


def _machines(a: Sequence[Report], b: Sequence[Report]) -> list[Difference]:
    def described(run: Report) -> str:
        machine = run.machine
        return f"{machine.cores} cores, {machine.cpu}, {machine.system}, {machine.memory_gib:.0f} GiB"

    if len({described(run) for run in [*a, *b]}) == 1:
        return []
    words = f"The machines differ: {_sides(a, b, described)}. Ratios across machines tell of the machines."
    return [Difference("machine", words)]


def _versions(a: Sequence[Report], b: Sequence[Report]) -> list[Difference]:
    runs = [*a, *b]
    names = [
        name
        for name in dict.fromkeys(name for run in runs for name in run.versions)
        if len({run.versions.get(name) for run in runs}) > 1
    ]
    if not names:
        return []
    named = ", ".join(f"{name} ({_sides(a, b, _version(name))})" for name in names)
    return [Difference("versions", f"Versions differ: {named}.")]


def _version(name: str) -> Callable[[Report], Any]:
    return lambda run: run.versions.get(name, "unknown")


_WATCHED: Sequence[tuple[str, Callable[[Report], Any]]] = (
    ("seed", lambda run: run.seed),
    ("generator", lambda run: f"{run.generator.engine}, {run.generator.processes} processes"),
)


def _reader(key: str) -> Callable[[Report], Any]:
    return lambda run: _flat(run.profile).get(key, "not set")


def _sides(a: Sequence[Report], b: Sequence[Report], read: Callable[[Report], Any]) -> str:
    """ "A 1, B 2", each side with all its values."""
    sides = [" or ".join(dict.fromkeys(str(read(run)) for run in side)) for side in (a, b)]
    return f"A {sides[0]}, B {sides[1]}"


def _flat(table: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Nested tables as dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{above}{key}.")
        else:
            flat[f"{above}{key}"] = value
    return flat
