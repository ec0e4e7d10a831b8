"""GET /v1/sales/{sale}: what a sale offers. The same for everybody, with an entity tag."""

from hashlib import blake2b
from typing import Any

import orjson

from engine.catalog.board import Board
from engine.catalog.records import Sale
from engine.web.http import Request, Response, is_known, refuse
from engine.web.problems import Code
from engine.web.routes import Route


def sale_document(sale: Sale) -> dict[str, Any]:
    """A sale as buyers see it: nothing in it says how many units there are."""
    return {
        "sale": sale.sale_id,
        "title": sale.title,
        "event": sale.event.title,
        "lanes": [{"id": lane.lane_id, "title": lane.title, "entry": lane.entry} for lane in sale.lanes],
        "opens_ms": sale.opens_ms,
        "closes_ms": sale.closes_ms,
        "time_zone": sale.time_zone,
        "hold_s": sale.hold_s,
        "per_buyer_max": sale.per_buyer_max,
        "sessions": [
            {
                "session": one.session_id,
                "title": one.title,
                "venue": one.venue,
                "starts_ms": one.starts_ms,
                "cancelled": one.cancelled,
            }
            for one in sale.sessions
        ],
        "skus": [
            {
                "sku": sku.sku_id,
                "session": sku.session_id,
                "title": sku.title,
                "price_fen": sku.price_fen,
                "per_order_max": sku.per_order_max,
            }
            for sku in sale.skus
        ],
        "refunds": [{"days_before": tier.days_before, "percent": tier.percent} for tier in sale.refunds],
    }


class CatalogDesk:
    """Reads of the catalog."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def routes(self) -> list[Route]:
        return [Route("GET", "/v1/sales/{sale}", self.get_sale)]

    async def get_sale(self, request: Request, sale_id: str) -> Response:
        """The sale's document, or 304."""
        live = self._board.find(sale_id)
        if live is None:
            return refuse(request, Code.UNKNOWN_SALE)
        body = orjson.dumps(sale_document(live.sale))
        etag = f'"{blake2b(body, digest_size=8).hexdigest()}"'
        headers = {"ETag": etag, "Cache-Control": "public, max-age=5"}
        if is_known(request, etag):
            return Response(status=304, headers=headers)
        return Response(body, headers=headers)
