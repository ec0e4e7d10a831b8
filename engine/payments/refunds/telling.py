"""Telling Redis at once that a refund freed units. Whoever dies before that is made up for by the auditor."""

from engine.catalog.board import Board
from engine.orders.book import OrderBook
from engine.orders.telling import tell_kept
from engine.payments.refunds.wishes import Decided
from engine.stock.stock import Stock


class RefundTeller:
    """Speaks to the sale of a decision."""

    def __init__(self, board: Board, stock: Stock, book: OrderBook) -> None:
        self._board = board
        self._stock = stock
        self._book = book

    async def tell(self, decided: Decided) -> None:
        """The order keeps only these units. Raises nothing: what Redis does not hear now it hears later."""
        live = self._board.sales.get(decided.sale_id)
        if live is not None and decided.items:
            await tell_kept(live, self._stock, self._book, {decided.order_no: decided.kept})
