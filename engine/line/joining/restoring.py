"""Part of a rebuild: the line as PostgreSQL knows it, put back into a cleared sale.

Lobby places come back from their rows, page by page. Live places are not in PostgreSQL: their indexes go on behind
every one that may have been given out, and whoever shows a signed place has it back. Passes are gone; people claim
again. The roster of the epoch before is dropped in the background, as far as that goes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from engine.catalog.board import LiveSale
from engine.infra.outage import Outage
from engine.line.codes import ForgetCode, RestoreCode
from engine.line.joining.enrolling import load_lobby
from engine.line.joining.ledger import JoinLedger
from engine.line.joining.roster import Roster
from engine.line.joining.scripts import JoinScripts

log = structlog.get_logger(__name__)

Publish = Callable[[LiveSale, int], Awaitable[bool]]

FORGET_COUNT_MAX = 2_048  # keys a script


class Restorer:
    """Brings lines back. `publish` tells Redis of a draw that is made, under the epoch that is being built."""

    def __init__(self, scripts: JoinScripts, ledger: JoinLedger, publish: Publish) -> None:
        self._scripts = scripts
        self._ledger = ledger
        self._publish = publish
        self._forgetting: set[asyncio.Task[None]] = set()

    async def restore(
        self, live: LiveSale, epoch: int, show_life: Callable[[], Awaitable[object]] | None = None
    ) -> bool:
        """Load the line of a cleared sale; False when a later rebuild has taken over. Raises Outage.

        `show_life` is awaited every few thousand places.
        """
        serving_ms, lanes = await self._ledger.read_line(live.sale.sale_id)
        lanes = [one.after_loss() for one in lanes]
        if lanes:
            await self._ledger.keep_gaps(live.sale.sale_id, lanes)
        code = await self._scripts.restore(
            live, epoch, serving_ms=serving_ms, final=live.sale.sold_out_for_good, lanes=lanes
        )
        if code is RestoreCode.STALE_EPOCH:
            return False
        await self._publish(live, epoch)
        roster = Roster(live.sale.sale_id)
        if not await load_lobby(live, epoch, roster, self._scripts, self._ledger, show_life):
            return False
        if epoch > 1:
            task = asyncio.create_task(self._forget_older(live, epoch, roster))
            self._forgetting.add(task)
            task.add_done_callback(self._forgetting.discard)
        return True

    async def settled(self) -> None:
        """When nothing is under way any more."""
        await asyncio.gather(*self._forgetting)

    async def _forget_older(self, live: LiveSale, epoch: int, roster: Roster) -> None:
        try:
            await forget(self._scripts, live.keys.control, epoch, roster.keys(epoch - 1))
        except Outage as outage:  # memory that nobody reads; it goes with the sale at the latest
            log.warning("older_roster_not_dropped", sale=live.sale.sale_id, reason=str(outage))


async def forget(scripts: JoinScripts, control: str, epoch: int, keys: Sequence[str | bytes]) -> bool:
    """Drop these keys a few at a time; False when the sale has a newer epoch than this. Raises RedisAway."""
    for at in range(0, len(keys), FORGET_COUNT_MAX):
        if await scripts.forget(control, epoch, keys[at : at + FORGET_COUNT_MAX]) is ForgetCode.STALE_EPOCH:
            return False
    return True
