"""Reading orders in batches: everybody who asks at this moment is answered by one question to PostgreSQL."""

from engine.infra.batcher import Batcher
from engine.orders.book import OrderBook
from engine.orders.records import Order

READ_COUNT_MAX = 200
READ_QUEUE_COUNT_MAX = 20_000
READ_SPACING_S = 0.01


class OrderReader:
    """`read` for buyers, who all look at once."""

    def __init__(self, book: OrderBook) -> None:
        self._book = book
        self._batcher: Batcher[str, Order | None] = Batcher(
            self._read_all,
            batch_count_max=READ_COUNT_MAX,
            queue_count_max=READ_QUEUE_COUNT_MAX,
            spacing_s=READ_SPACING_S,
        )

    async def read(self, order_no: str) -> Order | None:
        """The order, or None. Raises PostgresAway or Overloaded."""
        return await self._batcher.submit(order_no)

    async def _read_all(self, order_nos: list[str]) -> list[Order | None]:
        found = await self._book.read_orders(order_nos)
        return [found.get(order_no) for order_no in order_nos]
