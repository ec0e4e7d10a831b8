"""The line over HTTP: the public document, places, passes, challenges, and the document as a stream.

A poll of the document asks no store, and a claim that comes too early is answered from memory: the signed place and
the sight of the line are all that needs. Only joins, and claims whose turn has come, go further.
"""

from collections.abc import Callable
from typing import TypeAlias

from engine.catalog.board import KEPT_AFTER_CLOSING_MS
from engine.catalog.records import Entry, Lane
from engine.infra.seals import SealKeys
from engine.line.admission.desk import ClaimRefusal
from engine.line.codes import ClaimCode
from engine.line.eligibility.deciding import lane_named, lane_unless_named
from engine.line.eligibility.eligibility import Eligibility
from engine.line.front.asking import read_asked
from engine.line.front.challenge import Challenger
from engine.line.front.desk import LineDesk
from engine.line.front.limits import Limits
from engine.line.front.states import LineState
from engine.line.front.streams import LineStreams
from engine.line.front.turns import View
from engine.line.joining.records import Joining, JoinRefusal
from engine.line.phases import Phase
from engine.line.place import Place, read_place, seal_pass, seal_place
from engine.web.buyers import Buyers
from engine.web.http import Later, Outcome, Request, Response, answer, is_known, refuse, settled, take_body
from engine.web.problems import Code
from engine.web.routes import Route

PLACE_HEADER = "Floodgate-Place"
PROOF_HEADER = "Floodgate-Proof"
PLACE_GRACE_S = KEPT_AFTER_CLOSING_MS // 1000  # so long the end of a sale may still be put off, and places stay good
OPENING_WAIT_MS_MAX = 60_000

Joined: TypeAlias = Place | JoinRefusal

JOIN_CODES: dict[JoinRefusal, Code] = {
    JoinRefusal.NOT_OPEN_YET: Code.NOT_OPEN,
    JoinRefusal.SEALING: Code.DRAWING,
    JoinRefusal.LANE_GONE: Code.UNKNOWN_LANE,
    JoinRefusal.ENDED: Code.ENDED,
}

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
        eligibility: Eligibility,
        limits: Limits,
        challenger: Challenger,
        streams: LineStreams,
        *,
        now_s: Callable[[], int],
        body_bytes_max: int,
        body_timeout_s: float,
    ) -> None:
        self._desk_of = desk_of
        self._buyers = buyers
        self._keys = keys
        self._eligibility = eligibility
        self._limits = limits
        self._challenger = challenger
        self._streams = streams
        self._now_s = now_s
        self._body_bytes_max = body_bytes_max
        self._body_timeout_s = body_timeout_s

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/v1/sales/{sale}/line", self.get_line),
            Route("GET", "/v1/sales/{sale}/line/events", self.get_events),
            Route("GET", "/v1/sales/{sale}/challenge", self.get_challenge),
            Route("POST", "/v1/sales/{sale}/places", self.post_place),
            Route("GET", "/v1/sales/{sale}/places/me", self.get_place),
            Route("POST", "/v1/sales/{sale}/pass", self.post_pass),
        ]

    def get_line(self, request: Request, sale_id: str) -> Response:
        """The shared document: no buyer, no store, no computation."""
        desk = self._desk_of(sale_id)
        if desk is None:
            return refuse(request, Code.UNKNOWN_SALE)
        document = desk.latest()
        headers = {"ETag": document.etag, "Cache-Control": "public, max-age=1"}
        if is_known(request, document.etag):
            return Response(status=304, headers=headers)
        return Response(document.body, headers=headers)

    async def get_events(self, request: Request, sale_id: str) -> Response:
        """The same document whenever it changes, as Server-Sent Events."""
        desk = self._desk_of(sale_id)
        if desk is None:
            return refuse(request, Code.UNKNOWN_SALE)
        return self._streams.open(sale_id, desk.latest()) or refuse(request, Code.OVERLOADED)

    async def get_challenge(self, request: Request, sale_id: str) -> Response:
        """Something for this buyer to solve before joining this sale's line."""
        now_s = self._now_s()
        buyer = self._buyers.of(request, now_s=now_s)
        if buyer is None:
            return refuse(request, Code.LOGIN_REQUIRED)
        if self._desk_of(sale_id) is None:
            return refuse(request, Code.UNKNOWN_SALE)
        refusal = self._limits.asking(buyer)
        if refusal is not None:
            return refuse(request, refusal.code, retry_after_ms=refusal.retry_after_ms)
        challenge = self._challenger.challenge(buyer, sale_id, now_s=now_s)
        return answer(challenge, headers={"Cache-Control": "no-store"})

    def post_place(self, request: Request, sale_id: str) -> Outcome:
        """Join: the same place on every call. A signed place in the body is honoured if the store has forgotten it."""
        buyer = self._buyers.of(request, now_s=self._now_s())
        if buyer is None:
            return refuse(request, Code.LOGIN_REQUIRED)
        desk = self._desk_of(sale_id)
        if desk is None:
            return refuse(request, Code.UNKNOWN_SALE)

        def join(raw: bytes) -> Outcome:
            asked = read_asked(raw)
            if isinstance(asked, Code):
                return refuse(request, asked)
            shown = None if asked.place is None else self._place(asked.place, buyer, sale_id)
            if asked.place is not None and shown is None:
                return refuse(request, Code.PLACE_INVALID)
            limited = self._limited(request, desk, buyer, shown)
            if limited is not None:
                return limited
            if shown is not None:
                return self._join(request, desk, Joining(buyer, shown.lane, shown))
            sale = desk.live.sale
            lane: Lane | None = lane_unless_named(sale) if asked.lane_id is None else lane_named(sale, asked.lane_id)
            if lane is None:
                return refuse(request, Code.UNKNOWN_LANE)
            if lane.entry is Entry.EVERYONE:
                return self._join(request, desk, Joining(buyer, lane.ordinal))
            return self._join_if_eligible(request, desk, buyer, lane, asked.code)

        return take_body(request, join, bytes_max=self._body_bytes_max, timeout_s=self._body_timeout_s)

    def _limited(self, request: Request, desk: LineDesk, buyer: bytes, shown: Place | None) -> Response | None:
        """Why this buyer may not join now. Who shows a place was let in before, and has proved enough."""
        sale = desk.live.sale

        def proved() -> bool | None:
            proof = request.headers.get(PROOF_HEADER)
            if shown is not None:
                return True
            return None if proof is None else self._challenger.is_solved(proof, buyer, sale.sale_id)

        refusal = self._limits.joining(request, buyer, sale.challenge, proved=proved)
        return None if refusal is None else refuse(request, refusal.code, retry_after_ms=refusal.retry_after_ms)

    async def _join_if_eligible(
        self, request: Request, desk: LineDesk, buyer: bytes, lane: Lane, code: str | None
    ) -> Response:
        entry = await self._eligibility.check(desk.live.sale, buyer, lane, code)
        if entry is not None:
            return refuse(request, Code(entry.value))
        return await settled(self._join(request, desk, Joining(buyer, lane.ordinal)))

    def _join(self, request: Request, desk: LineDesk, joining: Joining) -> Outcome:
        def told(place: Joined) -> Response:
            if isinstance(place, JoinRefusal):
                return refuse(request, JOIN_CODES[place], retry_after_ms=_until_lobby_ms(desk.view(), place))
            return self._told(desk, place, seal_place(self._keys, place, expires_s=_ends_s(desk)), status=201)

        joined = desk.joins.join(joining)
        return told(joined.result()) if joined.done() else Later(joined, told)

    def get_place(self, request: Request, sale_id: str) -> Response:
        """Where the buyer stands now, by the place that is shown."""
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
        """The right to order once, for whoever is called and finds room."""
        buyer = self._buyers.of(request, now_s=self._now_s())
        if buyer is None:
            return refuse(request, Code.LOGIN_REQUIRED)
        desk = self._desk_of(sale_id)
        if desk is None:
            return refuse(request, Code.UNKNOWN_SALE)
        place = self._place(request.headers.get(PLACE_HEADER, ""), buyer, sale_id)
        if place is None:
            return refuse(request, Code.PLACE_INVALID)
        limited = self._limits.claiming(request, buyer)
        if limited is not None:
            return refuse(request, limited.code, retry_after_ms=limited.retry_after_ms)
        position = self._claimable(request, desk, place)
        if isinstance(position, Response):
            return position
        claimed = await desk.admission.claim(place, position)
        if isinstance(claimed, ClaimRefusal):
            return refuse(request, CLAIM_CODES[claimed.code], retry_after_ms=claimed.retry_after_ms)
        sealed = seal_pass(self._keys, claimed.admission, expires_s=_ends_s(desk))
        return answer({"pass": sealed, "state": LineState.ADMITTED, "ends_ms": claimed.ends_ms})

    def _claimable(self, request: Request, desk: LineDesk, place: Place) -> int | Response:
        """The position to claim with, or what this worker knows for sure without asking anybody."""
        turn, view = desk.turn(place), desk.view()
        match turn.state:
            case LineState.ENDED:
                return refuse(request, Code.ENDED)
            case LineState.SOLD_OUT:
                return refuse(request, Code.SOLD_OUT)
            case LineState.DEGRADED:
                return refuse(request, Code.UNAVAILABLE)
            case LineState.PAUSED:
                return refuse(request, Code.PAUSED)
        if view.phase is not Phase.LIVE:
            wait_ms = max(1, min(OPENING_WAIT_MS_MAX, view.sale.opens_ms - view.now_ms))
            return refuse(request, Code.NOT_OPEN, retry_after_ms=wait_ms)
        found = view.lane(place.lane)
        if turn.position is None or found is None or turn.position >= found[0].head:
            return refuse(request, Code.NOT_YOUR_TURN, retry_after_ms=turn.ask_again_ms)
        return turn.position

    def _place(self, sealed: str, buyer: bytes, sale_id: str) -> Place | None:
        return read_place(self._keys, sealed, buyer, sale_id, now_s=self._now_s())

    def _told(self, desk: LineDesk, place: Place, sealed: str, *, status: int) -> Response:
        return answer({"place": sealed, **desk.turn(place).document()}, status=status)


def _ends_s(desk: LineDesk) -> int:
    """When seals of this sale end: a place with the sale; whether a pass is still good is for Redis to say."""
    return desk.live.sale.closes_ms // 1000 + PLACE_GRACE_S


def _until_lobby_ms(view: View, refusal: JoinRefusal) -> int | None:
    """When it is worth asking again: once the lobby opens; None where the code says it all."""
    opens_ms = view.sale.lobby_opens_ms
    if refusal is not JoinRefusal.NOT_OPEN_YET or opens_ms is None:
        return None
    return max(1, min(OPENING_WAIT_MS_MAX, opens_ms - view.now_ms))
