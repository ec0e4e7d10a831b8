"""The line over HTTP: the public document, places, passes.

A poll of the document and a claim of a pass ask no store: the document is in memory, and a signed place and the
head are all a claim needs.
"""

from collections.abc import Callable

from engine.infra.seals import SealKeys
from engine.line.admission.desk import ClaimRefusal
from engine.line.codes import ClaimCode
from engine.line.desk import LineDesk
from engine.line.document import Phase
from engine.line.line import NO_PLACE, Joining
from engine.line.place import Cohort, Place, read_place, seal_pass, seal_place
from engine.web.buyers import Buyers
from engine.web.http import Request, Response, answer, is_known, read_body, refuse, strict_json
from engine.web.problems import Code
from engine.web.routes import Route

PLACE_HEADER = "Floodgate-Place"
PLACE_GRACE_S = 3600  # a place outlives its sale a little, for people who come late to look
CLAIM_WAIT_MS_MIN = 300
CLAIM_WAIT_MS_MAX = 60_000

# Every decision of Redis that is not a pass, as buyers are told.
CLAIM_CODES: dict[ClaimCode, Code] = {
    ClaimCode.FENCED: Code.FENCED,
    ClaimCode.PAUSED: Code.PAUSED,
    ClaimCode.NOT_OPEN: Code.NOT_OPEN,
    ClaimCode.ENDED: Code.ENDED,
    ClaimCode.SOLD_OUT: Code.SOLD_OUT,
    ClaimCode.PLACE_VOID: Code.PLACE_VOID,
    ClaimCode.NOT_YOUR_TURN: Code.NOT_YOUR_TURN,
    ClaimCode.NO_ROOM: Code.NO_ROOM,
}


class LineRoutes:
    """Handlers of the line. `desk_of` finds the line of a sale in this worker."""

    def __init__(
        self,
        desk_of: Callable[[str], LineDesk | None],
        buyers: Buyers,
        keys: SealKeys,
        *,
        now_s: Callable[[], int],
        body_bytes_max: int,
        body_timeout_s: float,
    ) -> None:
        self._desk_of = desk_of
        self._buyers = buyers
        self._keys = keys
        self._now_s = now_s
        self._body_bytes_max = body_bytes_max
        self._body_timeout_s = body_timeout_s

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/v1/sales/{sale}/line", self.get_line),
            Route("POST", "/v1/sales/{sale}/places", self.post_place),
            Route("GET", "/v1/sales/{sale}/places/me", self.get_place),
            Route("POST", "/v1/sales/{sale}/pass", self.post_pass),
        ]

    async def get_line(self, request: Request, sale_id: str) -> Response:
        """The shared document: no buyer, no store, no computation."""
        desk = self._desk_of(sale_id)
        if desk is None:
            return refuse(request, Code.UNKNOWN_SALE)
        document = desk.document
        if document is None:
            return refuse(request, Code.UNAVAILABLE)
        headers = {"ETag": document.etag, "Cache-Control": "public, max-age=1"}
        if is_known(request, document.etag):
            return Response(status=304, headers=headers)
        return Response(document.body, headers=headers)

    async def post_place(self, request: Request, sale_id: str) -> Response:
        """Join: the same place on every call. A signed place in the body is honoured if Redis has forgotten it."""
        buyer = self._buyers.of(request, now_s=self._now_s())
        if buyer is None:
            return refuse(request, Code.LOGIN_REQUIRED)
        desk = self._desk_of(sale_id)
        if desk is None:
            return refuse(request, Code.UNKNOWN_SALE)
        raw = await read_body(request, bytes_max=self._body_bytes_max, timeout_s=self._body_timeout_s)
        shown_index = NO_PLACE
        if raw:
            try:
                body = strict_json(raw)
            except ValueError:
                return refuse(request, Code.BODY_INVALID)
            if not isinstance(body, dict):
                return refuse(request, Code.BODY_INVALID)
            shown = body.get("place")
            if shown is not None:
                place = self._place(shown, buyer, sale_id) if isinstance(shown, str) else None
                if place is None:
                    return refuse(request, Code.PLACE_INVALID)
                shown_index = place.index
        if desk.document is not None and desk.document.phase is Phase.ENDED:
            return refuse(request, Code.ENDED)
        index = await desk.join(Joining(buyer, shown_index))
        expires_s = desk.live.sale.closes_ms // 1000 + PLACE_GRACE_S
        place = Place(buyer, sale_id, 0, Cohort.LIVE, desk.live.epoch, index)
        return self._told(desk, place, seal_place(self._keys, place, expires_s=expires_s), status=201)

    async def get_place(self, request: Request, sale_id: str) -> Response:
        """Where the buyer stands now."""
        buyer = self._buyers.of(request, now_s=self._now_s())
        if buyer is None:
            return refuse(request, Code.LOGIN_REQUIRED)
        desk = self._desk_of(sale_id)
        if desk is None:
            return refuse(request, Code.UNKNOWN_SALE)
        sealed = request.headers.get(PLACE_HEADER, "")
        place = self._place(sealed, buyer, sale_id)
        if place is None:
            return refuse(request, Code.PLACE_INVALID)
        return self._told(desk, place, sealed, status=200)

    async def post_pass(self, request: Request, sale_id: str) -> Response:
        """The right to order, for whoever the head has reached."""
        now_s = self._now_s()
        buyer = self._buyers.of(request, now_s=now_s)
        if buyer is None:
            return refuse(request, Code.LOGIN_REQUIRED)
        desk = self._desk_of(sale_id)
        if desk is None:
            return refuse(request, Code.UNKNOWN_SALE)
        place = self._place(request.headers.get(PLACE_HEADER, ""), buyer, sale_id)
        if place is None:
            return refuse(request, Code.PLACE_INVALID)
        document = desk.document
        if document is None or document.phase is Phase.DEGRADED:
            return refuse(request, Code.UNAVAILABLE)
        if document.phase is Phase.PAUSED:
            return refuse(request, Code.PAUSED)
        if document.phase is Phase.ENDED:
            return refuse(request, Code.ENDED)
        if document.phase is Phase.WAITING or place.index >= document.head:
            ahead = max(1, place.index - document.head + 1)
            wait_ms = ahead * 1000 // (desk.live.sale.line_rate or 1000)
            return refuse(
                request,
                Code.NOT_YOUR_TURN,
                retry_after_ms=min(CLAIM_WAIT_MS_MAX, max(CLAIM_WAIT_MS_MIN, wait_ms)),
            )
        claimed = await desk.admission.claim(place, place.index)
        if isinstance(claimed, ClaimRefusal):
            return refuse(request, CLAIM_CODES[claimed.code], retry_after_ms=claimed.retry_after_ms)
        sealed = seal_pass(self._keys, claimed.admission, expires_s=desk.live.sale.closes_ms // 1000 + PLACE_GRACE_S)
        return answer({"pass": sealed, "expires_ms": claimed.ends_ms})

    def _place(self, sealed: str, buyer: bytes, sale_id: str) -> Place | None:
        return read_place(self._keys, sealed, buyer, sale_id, now_s=self._now_s())

    def _told(self, desk: LineDesk, place: Place, sealed: str, *, status: int) -> Response:
        document = desk.document
        head = document.head if document is not None else 0
        called = document is not None and document.phase is Phase.OPEN and place.index < head
        content = {
            "place": sealed,
            "position": place.index + 1,
            "ahead": max(0, place.index - head),
            "state": "your_turn" if called else "waiting",
        }
        return answer(content, status=status)
