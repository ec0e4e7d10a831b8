"""The archiver drops everything that Redis has of a sale, rosters included, once nobody watches it any more."""

from engine.catalog.board import KEPT_AFTER_CLOSING_MS
from engine.infra.clock import ClockMs, wall_ms
from engine.infra.jobs import for_each
from engine.infra.keys import SaleKeys
from engine.line.joining.ledger import JoinLedger
from engine.line.joining.restoring import forget
from engine.line.joining.roster import Roster
from engine.line.joining.scripts import JoinScripts

ARCHIVE_EVERY_S = 600.0
GRACE_MS = 3_600_000  # every process has taken the sale off its board by then, whatever its clock says
OLDER_EPOCHS = 3  # rosters of epochs before the last one are dropped by rebuilds; this sweeps up after them


class Archiver:
    """Looks at each sale that has left the boards once in the life of its process; doing it again is harmless."""

    def __init__(self, scripts: JoinScripts, ledger: JoinLedger, *, now_ms: ClockMs = wall_ms) -> None:
        self._scripts = scripts
        self._ledger = ledger
        self._now_ms = now_ms
        self._archived: set[str] = set()

    async def run_once(self) -> bool:
        """Archive what has become due. Raises Outage."""
        before_ms = self._now_ms() - KEPT_AFTER_CLOSING_MS - GRACE_MS
        found = await self._ledger.read_closed(before_ms=before_ms, known=sorted(self._archived))
        await for_each(found, self._archive)
        return False

    async def _archive(self, sale: tuple[str, int]) -> None:
        sale_id, epoch = sale
        keys, roster = SaleKeys.of(sale_id), Roster(sale_id)
        rosters = [key for older in range(max(1, epoch - OLDER_EPOCHS), epoch + 1) for key in roster.keys(older)]
        # The control goes last: while it is there, whoever continues after a crash finds the same sale.
        others = [key for key in keys.all() if key != keys.control]
        if await forget(self._scripts, keys.control, epoch, [*rosters, *others, keys.control]):
            self._archived.add(sale_id)
