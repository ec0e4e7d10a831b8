"""What the doctor's checks answer."""

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    OK = "ok"
    WARNING = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: its subject, the verdict, and a sentence that, unless ok, says what to do."""

    subject: str
    verdict: Verdict
    text: str


def ok(subject: str, text: str) -> Finding:
    return Finding(subject, Verdict.OK, text)


def warning(subject: str, text: str) -> Finding:
    return Finding(subject, Verdict.WARNING, text)


def fail(subject: str, text: str) -> Finding:
    return Finding(subject, Verdict.FAIL, text)
