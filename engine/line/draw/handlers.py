"""The draw over HTTP: rules and outcome, every entry, the buyer's own proof, and a page that checks them.

All but the proof are the same for everybody, so any cache may keep them, and any page of anybody may read them.
"""

import base64
import re
from collections.abc import Callable
from hashlib import blake2b, sha256
from importlib.resources import files

import orjson

from engine.catalog.board import Board
from engine.infra.seals import SealKeys
from engine.line.draw.document import draw_document
from engine.line.draw.draws import Draws
from engine.line.draw.entries import Entries
from engine.line.place import Cohort, read_place
from engine.web.buyers import Buyers
from engine.web.http import Request, Response, answer, is_known, refuse
from engine.web.problems import Code
from engine.web.routes import Route

PLACE_HEADER = "Floodgate-Place"
OCTETS = "application/octet-stream"
PAGE_TYPE = "text/html; charset=utf-8"
CHANGING = "public, max-age=1"
FINAL = "public, max-age=60"
SEALED = "public, max-age=86400, immutable"
ANYBODY = {"Access-Control-Allow-Origin": "*"}
CHUNK_NUMBER = re.compile(r"[0-9]{1,7}")


class DrawRoutes:
    """Handlers of the draw."""

    def __init__(self, board: Board, draws: Draws, buyers: Buyers, keys: SealKeys, *, now_s: Callable[[], int]) -> None:
        self._board = board
        self._draws = draws
        self._entries = Entries(draws.ledger)
        self._buyers = buyers
        self._keys = keys
        self._now_s = now_s
        self._page = files("engine.line.draw").joinpath("verify.html").read_bytes()
        self._page_headers = {"Content-Security-Policy": page_policy(self._page), "Cache-Control": FINAL}

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/v1/sales/{sale}/draw", self.get_draw),
            Route("GET", "/v1/sales/{sale}/draw/proof", self.get_proof),
            Route("GET", "/v1/sales/{sale}/draw/{lane}/entries/{chunk}", self.get_entries),
            Route("GET", "/verify-draw", self.get_page),
        ]

    async def get_draw(self, request: Request, sale_id: str) -> Response:
        """The rules, and what came of them."""
        live = self._board.find(sale_id)
        drawing = await self._draws.read(sale_id) if live is not None else None
        if live is None or drawing is None:
            return refuse(request, Code.UNKNOWN_SALE)
        body = orjson.dumps(draw_document(live.sale, drawing))
        etag = f'"{blake2b(body, digest_size=8).hexdigest()}"'
        headers = {"ETag": etag, "Cache-Control": FINAL if drawing.drawn else CHANGING, **ANYBODY}
        if is_known(request, etag):
            return Response(status=304, headers=headers)
        return Response(body, headers=headers)

    async def get_entries(self, request: Request, sale_id: str, lane_id: str, chunk: str) -> Response:
        """The tags of up to 4,096 entries, 16 bytes each, by the order of their indexes."""
        live = self._board.find(sale_id)
        drawing = await self._draws.read(sale_id) if live is not None else None
        if live is None or drawing is None:
            return refuse(request, Code.UNKNOWN_SALE)
        ordinal = next((lane.ordinal for lane in live.sale.lanes if lane.lane_id == lane_id), None)
        if ordinal is None or not CHUNK_NUMBER.fullmatch(chunk):
            return refuse(request, Code.UNKNOWN_ENTRIES)
        if not drawing.sealed:
            return refuse(request, Code.NOT_DRAWN)
        lane = drawing.lane(ordinal)
        found = await self._entries.chunk(sale_id, lane, int(chunk)) if lane is not None else None
        if found is None:
            return refuse(request, Code.UNKNOWN_ENTRIES)
        etag = f'"{found.root.hex()[:16]}"'
        headers = {"ETag": etag, "Cache-Control": SEALED, **ANYBODY}
        if is_known(request, etag):
            return Response(status=304, headers=headers)
        return Response(b"".join(found.tags), content_type=OCTETS, headers=headers)

    async def get_proof(self, request: Request, sale_id: str) -> Response:
        """The buyer's own entry and its way to the root."""
        now_s = self._now_s()
        buyer = self._buyers.of(request, now_s=now_s)
        if buyer is None:
            return refuse(request, Code.LOGIN_REQUIRED)
        live = self._board.find(sale_id)
        drawing = await self._draws.read(sale_id) if live is not None else None
        if drawing is None:
            return refuse(request, Code.UNKNOWN_SALE)
        place = read_place(self._keys, request.headers.get(PLACE_HEADER, ""), buyer, sale_id, now_s=now_s)
        if place is None:
            return refuse(request, Code.PLACE_INVALID)
        if place.cohort is Cohort.LIVE:
            return refuse(request, Code.NOT_IN_DRAW)
        if not drawing.drawn:
            return refuse(request, Code.NOT_DRAWN)
        lane = drawing.lane(place.lane)
        proof = await self._entries.proof(drawing, lane, place.index) if lane is not None else None
        if proof is None:
            return refuse(request, Code.PLACE_INVALID)
        return answer(proof, headers={"Cache-Control": "private, no-store"})

    async def get_page(self, _: Request) -> Response:
        """The page that checks a draw in the browser."""
        return Response(self._page, content_type=PAGE_TYPE, headers=self._page_headers)


def page_policy(page: bytes) -> str:
    """What the page may do: run its own script, style itself, and fetch draws from wherever somebody names."""
    script = page.split(b"<script>", 1)[1].split(b"</script>", 1)[0]
    digest = base64.b64encode(sha256(script).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; connect-src *; "
        "base-uri 'none'; form-action 'none'"
    )
