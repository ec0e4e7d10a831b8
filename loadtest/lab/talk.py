"""What the process that judges and those that play the crowd say to each other: one JSON document a line.

Downwards a plan, then a scene, then perhaps the word to send people home. Upwards `ready`, a live line twice a second,
and `done`, once the testimony lies in the file that the plan names.
"""

from __future__ import annotations

import pickle
from base64 import b64decode, b64encode
from dataclasses import asdict, dataclass
from typing import Any, Self

import msgpack
import orjson

from loadtest.profiles.profile import Profile

HOME = b'{"home": true}\n'
"""Whoever is still there is sent home."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Who plays which part of a crowd."""

    profile: Profile
    """It travels as it is, unchecked: fitted to a sale it may have names that no file may have."""
    part: int
    parts: int
    testimony: str
    """The file for what this process's people were told and what was measured."""

    def line(self) -> bytes:
        return b64encode(pickle.dumps(self)) + b"\n"

    @classmethod
    def read(cls, line: bytes) -> Self:
        found = pickle.loads(b64decode(line))  # noqa: S301 - from the process that started us
        assert isinstance(found, cls)
        return found


@dataclass(frozen=True, slots=True)
class Scene:
    """Where the sale is, and the moment that everything counts from."""

    public_url: str
    wechat_url: str
    sale: str
    opens_at_s: float
    """Of the wall clock."""
    warm_until_s: float
    """Of the wall clock: until then the server is warmed up, unmeasured."""

    def line(self) -> bytes:
        return orjson.dumps(asdict(self)) + b"\n"

    @classmethod
    def read(cls, line: bytes) -> Self:
        return cls(**orjson.loads(line))


@dataclass(slots=True)
class Moment:
    """How one process is, about twice a second."""

    wall_s: float
    cpu_share: float
    """Of one core, since the last one."""
    lag_s: float
    """The latest that its clock has struck since the last one."""
    underway: int
    """Visitors on their way."""
    stages: dict[str, int]
    seconds: bytes
    """A packed Record of the seconds that closed since the last one."""

    def line(self) -> bytes:
        said = {**asdict(self), "seconds": b64encode(self.seconds).decode()}
        return orjson.dumps({"live": said}) + b"\n"

    @classmethod
    def read(cls, said: dict[str, Any]) -> Self:
        return cls(**{**said, "seconds": b64decode(said["seconds"])})


def said(kind: str, **words: Any) -> bytes:
    return orjson.dumps({kind: words}) + b"\n"


def testified(*, testimony: bytes, record: bytes, line_reads: int) -> bytes:
    """What lies in the testimony file."""
    return bytes(msgpack.packb([testimony, record, line_reads]))


def testimony_in(packed: bytes) -> tuple[bytes, bytes, int]:
    testimony, record, line_reads = msgpack.unpackb(packed)
    return testimony, record, line_reads
