"""Health, metrics, and a sale's numbers. Never on the public listener."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from engine.catalog.board import Board
from engine.infra.outage import Outage
from engine.line.line import Line
from engine.orders.book import OrderBook
from engine.stock.stock import Stock
from engine.web.http import Request, Response, answer, refuse
from engine.web.operators import Operators
from engine.web.problems import Code
from engine.web.routes import Route


class ConsoleRoutes:
    """`why_not_ready` says what keeps this process from serving, or None."""

    def __init__(
        self,
        board: Board,
        stock: Stock,
        line: Line,
        book: OrderBook,
        *,
        operators: Operators,
        why_not_ready: Callable[[], Awaitable[str | None]],
    ) -> None:
        self._board = board
        self._stock = stock
        self._line = line
        self._book = book
        self._operators = operators
        self._why_not_ready = why_not_ready

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/livez", self.get_livez),
            Route("GET", "/readyz", self.get_readyz),
            Route("GET", "/metrics", self.get_metrics),
            Route("GET", "/admin/v1/sales/{sale}", self.get_sale),
        ]

    async def get_livez(self, _: Request) -> Response:
        """The process answers: it need not be restarted."""
        return answer({"live": True})

    async def get_readyz(self, _: Request) -> Response:
        """Whether traffic should come here."""
        reason = await self._why_not_ready()
        if reason is None:
            return answer({"ready": True, "reason": None})
        return answer({"ready": False, "reason": reason}, status=503, headers={"Retry-After": "1"})

    async def get_metrics(self, _: Request) -> Response:
        """Prometheus' text format."""
        return Response(generate_latest(), content_type=CONTENT_TYPE_LATEST)

    async def get_sale(self, request: Request, sale_id: str) -> Response:
        """A sale's stock, line and orders, as Redis and the ledger have them now."""
        if not self._operators.know(request):
            return refuse(request, Code.LOGIN_REQUIRED)
        live = self._board.sales.get(sale_id)
        if live is None:
            return refuse(request, Code.UNKNOWN_SALE)
        orders = await self._book.count_states(sale_id)
        try:
            seen = await self._stock.observe(live.keys, live.epoch)
            sight = await self._line.look(live)
        except Outage:
            seen, sight = None, None
        shelves = seen.shelves if seen else {}
        return answer(
            {
                "sale": sale_id,
                "phase": "fenced" if seen is None else "live",
                "epoch": live.epoch,
                "stock": [{"sku": sku_id, **asdict(shelf)} for sku_id, shelf in shelves.items()],
                "orders": orders,
                "line": {
                    "head": sum(lane.head for lane in sight.lanes),
                    "tail": sum(lane.end for lane in sight.lanes),
                }
                if sight
                else None,
            }
        )
