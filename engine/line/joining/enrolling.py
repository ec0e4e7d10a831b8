"""Telling the roster who is in the lobby: soon after each commit, and the whole lobby where some are missing.

PostgreSQL has committed these places, so nobody waits for this and nothing is lost when it fails: what could not be
told is kept and tried again, and what a dead worker took with it is found by its number, before the first live place
is given out.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence

import structlog

from engine.catalog.board import LiveSale
from engine.infra.outage import Outage, RedisAway
from engine.line.codes import EnrollCode
from engine.line.joining.ledger import JoinLedger
from engine.line.joining.roster import Kept, Roster
from engine.line.joining.scripts import JoinScripts

log = structlog.get_logger(__name__)

UNTOLD_COUNT_MAX = 200_000  # about 60 MB; beyond it the lobby is read again from PostgreSQL when it matters
TELL_COUNT_MAX = 500
PAGE_COUNT = 4_000
SCRIPT_COUNT_MAX = 1_000  # entries a script: some milliseconds in which the same Redis serves nobody else


class Enroller:
    """One sale's places on their way to the roster."""

    def __init__(self, live: LiveSale, roster: Roster, scripts: JoinScripts, ledger: JoinLedger) -> None:
        self._live = live
        self._roster = roster
        self._scripts = scripts
        self._ledger = ledger
        self._untold: deque[tuple[bytes, Kept]] = deque(maxlen=UNTOLD_COUNT_MAX)
        self._telling: asyncio.Task[None] | None = None
        self._completing: asyncio.Task[None] | None = None

    def tell(self, entries: Sequence[tuple[bytes, Kept]] = ()) -> None:
        """Tell the roster of these, and of all that could not be told before; in the background."""
        self._untold.extend(entries)
        if self._untold and self._telling is None and not self._live.fenced:
            self._telling = asyncio.create_task(self._tell())

    def complete(self) -> None:
        """Tell the roster of the whole lobby, in the background."""
        if self._completing is None:
            self._completing = asyncio.create_task(self._complete())

    async def settled(self) -> None:
        """When nothing is under way any more."""
        for task in (self._telling, self._completing):
            if task is not None:
                await task

    async def _tell(self) -> None:
        try:
            while self._untold:
                page = [self._untold.popleft() for _ in range(min(len(self._untold), TELL_COUNT_MAX))]
                try:
                    code = await self._scripts.enroll(self._live, self._roster, page)
                except RedisAway:
                    self._untold.extendleft(page)
                    return
                if code is EnrollCode.FENCED:  # the rebuild reads them from PostgreSQL, or join finds them missing
                    self._untold.extendleft(page)
                    self._live.fence()
                    return
        finally:
            self._telling = None

    async def _complete(self) -> None:
        try:
            await load_lobby(self._live, self._live.epoch, self._roster, self._scripts, self._ledger)
            log.warning("roster_completed", sale=self._live.sale.sale_id)
        except Outage as outage:
            log.warning("roster_not_completed", sale=self._live.sale.sale_id, reason=str(outage))
        finally:
            self._completing = None


async def load_lobby(
    live: LiveSale,
    epoch: int,
    roster: Roster,
    scripts: JoinScripts,
    ledger: JoinLedger,
    show_life: Callable[[], Awaitable[object]] | None = None,
) -> bool:
    """Tell the roster of everybody whom PostgreSQL has in the lobby; False when the epoch is not the sale's any more.

    `show_life` is awaited after each page. Raises Outage.
    """
    counts: Counter[int] = Counter()
    async for page in ledger.read_entries(live.sale.sale_id, page_count=PAGE_COUNT):
        parts = [page[at : at + SCRIPT_COUNT_MAX] for at in range(0, len(page), SCRIPT_COUNT_MAX)]
        codes = await asyncio.gather(*(scripts.enroll(live, roster, part, epoch=epoch) for part in parts))
        if EnrollCode.FENCED in codes:
            return False
        counts.update(kept.lane for _, kept in page)
        if show_life is not None:
            await show_life()
    code = await scripts.enroll(live, roster, (), epoch=epoch, complete=counts)
    return code is EnrollCode.ENROLLED
