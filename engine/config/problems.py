"""What is wrong with the settings, as values first and as one exception that carries all of them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One wrong setting: its key, its value with secrets masked (None where it has none), where, and why."""

    key: str
    value: str | None
    source: str
    reason: str

    def __str__(self) -> str:
        shown = self.key if self.value is None else f"{self.key} = {self.value}"
        return f"{shown} ({self.source}): {self.reason}"


class ConfigInvalid(Exception):
    """The settings cannot be used; nothing was started."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        count = f"{len(problems)} settings are" if len(problems) != 1 else "1 setting is"
        super().__init__("\n".join([f"{count} wrong:", *(f"  {problem}" for problem in problems)]))
