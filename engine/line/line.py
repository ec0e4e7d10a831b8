"""What every process has of the line: the scripts, the ledger, a look at it, and the way back after a loss."""

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from engine.catalog.board import LiveSale
from engine.infra.redis import RedisStore
from engine.line.draw.draws import Draws
from engine.line.draw.ledger import DrawLedger
from engine.line.joining.ledger import JoinLedger
from engine.line.joining.restoring import Restorer
from engine.line.joining.scripts import JoinScripts
from engine.line.pacing.scripts import PaceScripts
from engine.line.sight import LineSight

if TYPE_CHECKING:
    from engine.infra.postgres import Pool


class Line:
    """The line's parts over these stores."""

    def __init__(self, store: RedisStore, pool: "Pool") -> None:
        self.pacing = PaceScripts(store)
        self.join_scripts, self.join_ledger = JoinScripts(store), JoinLedger(pool)
        draws = Draws(DrawLedger(pool), store, monotonic_s=time.monotonic)
        self.restorer = Restorer(self.join_scripts, self.join_ledger, draws.publish)

    async def look(self, live: LiveSale) -> LineSight | None:
        """The line as it stands now; None when fenced."""
        return await self.pacing.look(live)

    async def restore(
        self, live: LiveSale, epoch: int, show_life: Callable[[], Awaitable[object]] | None = None
    ) -> bool:
        """Part of a rebuild: the line as PostgreSQL knows it; False when a later rebuild has taken over."""
        return await self.restorer.restore(live, epoch, show_life)
