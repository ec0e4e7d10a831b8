"""The follower carries changes of the catalog (window, limits, pause, capacities) to Redis, in every process.

The terms are absolute, so carrying them twice is harmless, and a process that dies is replaced by any other.
"""

from engine.catalog.board import Board, LiveSale
from engine.infra.jobs import for_each
from engine.stock.codes import AmendCode
from engine.stock.stock import Stock, Terms


class Follower:
    """Compares each live sale with what this process last carried to Redis."""

    def __init__(self, board: Board, stock: Stock) -> None:
        self._board = board
        self._stock = stock
        self._carried: dict[str, tuple[int, Terms]] = {}

    async def run_once(self) -> bool:
        """Read the catalog and carry what changed. Raises PostgresAway or RedisAway."""
        await self._board.refresh()
        await for_each(list(self._board.sales.values()), self._carry)
        return False

    async def carry_at_once(self, sale_id: str) -> bool:
        """Read the catalog and carry one sale now; False when Redis does not know it as it is, and it is restored
        with these terms. Raises PostgresAway or RedisAway."""
        await self._board.refresh()
        live = self._board.sales.get(sale_id)
        if live is None:
            return False
        await self._carry(live)
        return not live.fenced

    async def _carry(self, live: LiveSale) -> None:
        sale_id, terms = live.sale.sale_id, Terms.of(live.sale)
        if live.fenced or self._carried.get(sale_id) == (live.epoch, terms):
            return
        if await self._stock.amend(live.keys, live.epoch, terms) is AmendCode.FENCED:
            live.fence()
        else:
            self._carried[sale_id] = (live.epoch, terms)
