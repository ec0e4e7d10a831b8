"""What is known of a run while it runs: the record so far, and how each process of the generator is.

The newest second or two are missing, because a process tells of a second when it is over. Searches stop a run by it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from loadtest.lab.talk import Moment
from loadtest.recording.record import Record


@dataclass(slots=True)
class Live:
    record: Record = field(default_factory=Record)
    """Seconds only; totals come with the testimonies."""
    moments: dict[str, list[Moment]] = field(default_factory=dict)
    """Process to how it was, in order; their `seconds` are emptied."""

    def hear(self, process: str, moment: Moment) -> None:
        self.record.add(Record.unpacked(moment.seconds))
        moment.seconds = b""
        self.moments.setdefault(process, []).append(moment)

    @property
    def underway(self) -> int:
        return sum(moments[-1].underway for moments in self.moments.values())

    def stages(self) -> Counter[str]:
        """Where people are, by the name of the stage."""
        total: Counter[str] = Counter()
        for moments in self.moments.values():
            total.update(moments[-1].stages)
        return total

    def cpu_share(self) -> float:
        """Of one core, of the busiest process, lately."""
        return max((moments[-1].cpu_share for moments in self.moments.values()), default=0.0)
