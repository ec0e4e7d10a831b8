"""Did anybody jump the line? Read from what was written down: every tick that called people, every pass given out.

Pure: the log goes in, in its order, and what is wrong with it comes out. A pass is right if its place lay below the
head of its lane at its tick. A tick says how many people it called, so a log that misses ticks shows it: the heads
then moved further than was called. What falls into such a hole is judged by the next head that is known, which
proves less; nobody is accused of what the log does not prove, and what could not be judged is counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

OFFENDERS_MAX = 50  # more of them tell a reader nothing new


@dataclass(frozen=True, slots=True)
class TickLine:
    """A tick of the log. heads: how far each lane was called after it; released: how many people it called."""

    epoch: int
    tick: int
    heads: tuple[int, ...]
    released: int


@dataclass(frozen=True, slots=True)
class PassLine:
    """A pass of the log: given out under this tick to this buyer (some hex digits), at this place.

    settled: it is old enough that every tick before it is written down.
    """

    epoch: int
    tick: int
    lane: int
    position: int
    buyer: str
    settled: bool = True


@dataclass(slots=True)
class LineAudit:
    """Feed it the log in order of epoch and tick, a tick before its passes; then `end` it.

    last_heads: how far the lanes of the newest epoch were called at last, as the ledger has it.
    """

    last_epoch: int
    last_heads: tuple[int, ...]
    ticks: int = 0
    passes: int = 0
    holes: int = 0
    unjudged: int = 0
    wrong: int = 0
    offenders: list[str] = field(default_factory=list)
    _epoch: int = 0
    _before: TickLine | None = None
    _pending: list[PassLine] = field(default_factory=list)

    def tick(self, line: TickLine) -> None:
        """The next tick of the log."""
        self._enter(line.epoch)
        self.ticks += 1
        before = self._before
        if before is None:  # how far a restored line was called before its first tick is not in the log
            self._judge(line.heads, hole=bool(self._pending))
        else:
            self._refuse_steps_back(before, line)
            whole = _moved(before.heads, line.heads) <= line.released
            self._judge(before.heads if whole else line.heads, hole=not whole)
        self._before = line

    def passed(self, line: PassLine) -> None:
        """The next pass of the log."""
        self._enter(line.epoch)
        self.passes += 1
        self._pending.append(line)

    def accuse(self, sentence: str) -> None:
        """Something is wrong."""
        self.wrong += 1
        if len(self.offenders) < OFFENDERS_MAX:
            self.offenders.append(sentence)

    def end(self) -> None:
        """The log is over."""
        self._close()

    def _enter(self, epoch: int) -> None:
        if epoch != self._epoch:
            self._close()
            self._epoch, self._before = epoch, None

    def _close(self) -> None:
        """Judge what came after the last tick of an epoch, which may have had more ticks than its log.

        Of the newest epoch the ledger knows the last heads. An older one ended with a loss, and what was called last in
        it may be lost, too: whoever stood beyond what is known is not judged.
        """
        known = self._before.heads if self._before else ()
        newest = self._epoch == self.last_epoch
        heads = tuple(max(pair) for pair in zip_longest(known, self.last_heads, fillvalue=0)) if newest else known
        judged = []
        for line in self._pending:
            beyond = line.position >= _head(heads, line.lane)
            if beyond and not self._is_of_last_tick(line) and not (newest and line.settled):
                self.unjudged += 1
            else:
                judged.append(line)
        self._pending = judged
        self._judge(heads, hole=heads != known)

    def _refuse_steps_back(self, before: TickLine, line: TickLine) -> None:
        for lane, (was, now) in enumerate(zip(before.heads, line.heads, strict=False), start=1):
            if now < was:
                self.accuse(f"tick {line.tick} of epoch {line.epoch} called lane {lane} back from {was:,} to {now:,}")

    def _is_of_last_tick(self, line: PassLine) -> bool:
        return self._before is not None and line.tick == self._before.tick

    def _judge(self, heads: Sequence[int], *, hole: bool) -> None:
        """By the last tick's heads whoever passed under it, by these the others."""
        self.holes += hole
        for line in self._pending:
            of_tick = self._before.heads if self._before is not None and self._is_of_last_tick(line) else heads
            head = _head(of_tick, line.lane)
            if line.position >= head:
                self.accuse(
                    f"buyer {line.buyer} had a pass under tick {line.tick} of epoch {line.epoch} with place "
                    f"{line.position:,} of lane {line.lane + 1}, of which {head:,} were called"
                )
        self._pending = []


def _head(heads: Sequence[int], lane: int) -> int:
    return heads[lane] if lane < len(heads) else 0


def _moved(before: Sequence[int], after: Sequence[int]) -> int:
    """How many positions the heads went on."""
    return sum(max(0, now - was) for was, now in zip(before, after, strict=False))
