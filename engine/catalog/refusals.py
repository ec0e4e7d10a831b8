"""What is wrong with a sale file, as values first and as one exception that carries all of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason to refuse a sale file: the key's path by ids, its line where known, and why."""

    key: str
    line: int | None
    reason: str


class SaleFileInvalid(Exception):
    """The sale file is refused; nothing was changed."""

    def __init__(self, path: Path, problems: Iterable[Problem]) -> None:
        self.path = path
        self.problems = tuple(sorted(problems, key=lambda problem: problem.line or 0))
        place = [f"{path}:{problem.line}" if problem.line else f"{path}" for problem in self.problems]
        super().__init__(
            "\n".join(
                f"{where}: {problem.key} {problem.reason}" for where, problem in zip(place, self.problems, strict=True)
            )
        )
