"""The follower carries changes of the catalog (window, limits, pause, capacities) to Redis, in every process.

The terms are absolute, so carrying them twice is harmless, and a process that dies is replaced by any other.
"""

from engine.catalog.board import Board
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
        for sale_id, live in self._board.sales.items():
            terms = Terms.of(live.sale)
            if live.fenced or self._carried.get(sale_id) == (live.epoch, terms):
                continue
            if await self._stock.amend(live.keys, live.epoch, terms) is AmendCode.FENCED:
                live.fence()
            else:
                self._carried[sale_id] = (live.epoch, terms)
        return False
