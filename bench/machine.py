"""The machine under the figures: what it is, who runs where, and who used how much of it.

Reads /proc and pins processes where the system has both (Linux); elsewhere a figure is measured unpinned
and without the share of each process, and the report says so.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

CAN_PIN = hasattr(os, "sched_setaffinity")
CAN_ACCOUNT = Path("/proc/self/stat").exists()
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cores() -> tuple[int, ...]:
    """The cores this process may use."""
    return tuple(sorted(os.sched_getaffinity(0))) if CAN_PIN else tuple(range(os.cpu_count() or 1))


def describe() -> str:
    """One line for the report: processor, cores, system, Python."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = (line for line in cpuinfo.read_text().splitlines() if line.startswith("model name"))
        model = next(names, f":{model}").partition(":")[2].strip()
    return f"{model}, {len(cores())} cores, {platform.system()}, Python {sys.version.split()[0]}"


def family(pid: int) -> set[int]:
    """A process and all its descendants, as they are now."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (stat := _stat(int(folder.name))):
            parents[int(folder.name)] = int(stat[1])
    members, size = {pid}, 0
    while size != len(members):
        size = len(members)
        members |= {child for child, parent in parents.items() if parent in members}
    return members


def pin(pid: int, on: Iterable[int]) -> None:
    """Bind every thread of the process and of its descendants to these cores."""
    if not CAN_PIN:
        return
    for member in family(pid):
        tasks = Path(f"/proc/{member}/task")
        for task in tasks.iterdir() if tasks.exists() else ():
            os.sched_setaffinity(int(task.name), on)


@dataclass(frozen=True, slots=True)
class CpuUse:
    """CPU seconds so far, by the name of a process (descendants included)."""

    seconds: Mapping[str, float]

    def since(self, earlier: CpuUse) -> CpuUse:
        return CpuUse({name: s - earlier.seconds.get(name, 0.0) for name, s in self.seconds.items()})

    def per(self, count: int) -> dict[str, float]:
        """Microseconds per request, by process."""
        return {name: s * 1e6 / max(1, count) for name, s in self.seconds.items()}


def cpu_use(pids: Mapping[str, int]) -> CpuUse:
    if not CAN_ACCOUNT:
        return CpuUse({})
    return CpuUse({name: sum(map(_cpu_s, family(pid))) for name, pid in pids.items()})


def _cpu_s(pid: int) -> float:
    # With that of children who have ended, or the sum would fall whenever PostgreSQL lets a process go.
    stat = _stat(pid)
    return sum(map(int, stat[11:15])) / _TICKS_PER_S if stat else 0.0


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; empty when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
