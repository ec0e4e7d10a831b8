"""The forgetter puts titles away once their fapiao came to rest long ago: what is not kept cannot be lost."""

from engine.payments.fapiao.book import FapiaoBook

FORGET_COUNT_MAX = 500


class Forgetter:
    """days: how long a title is kept after its fapiao came to rest."""

    def __init__(self, book: FapiaoBook, *, days: int) -> None:
        self._book = book
        self._days = days

    async def run_once(self) -> bool:
        """Whether more are waiting. Raises PostgresAway."""
        return await self._book.put_titles_away(days=self._days, count_max=FORGET_COUNT_MAX) == FORGET_COUNT_MAX
