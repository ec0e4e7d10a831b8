"""The line of one sale in one worker: its sight, its document, its joins and claims, in one place."""

from collections.abc import Callable, Mapping

from engine.catalog.board import LiveSale
from engine.infra.clock import ClockMs, wall_ms
from engine.line.admission.desk import AdmissionDesk
from engine.line.front.document import Band, LineDocument, write_document
from engine.line.front.outlook import LaneOutlook, outlook_of
from engine.line.front.turns import Turn, View, turn_of
from engine.line.joining.desk import JoinDesk
from engine.line.pacing.ticker import Ticker
from engine.line.place import Place

DEGRADED_AFTER_S = 3.0  # a worker whose sight is older than this admits nobody
INSTANT_MS = 4  # who asks within so long is answered from one view; sales open and close at whole seconds


class LineDesk:
    """Everything that a worker knows and can do about one line. `luck`: a random number from 0 to 1."""

    def __init__(
        self,
        live: LiveSale,
        joins: JoinDesk,
        admission: AdmissionDesk,
        ticker: Ticker,
        *,
        window_ms: int,
        luck: Callable[[], float],
        now_ms: ClockMs = wall_ms,
    ) -> None:
        self.live = live
        self.joins = joins
        self.admission = admission
        self.ticker = ticker
        self._window_ms = window_ms
        self._luck = luck
        self._now_ms = now_ms
        self._outlooks: tuple[LaneOutlook, ...] = ()
        self._view: View | None = None
        self.document: LineDocument | None = None

    async def refresh(self) -> None:
        """Look, and tick if it is time. Raises RedisAway; the sight then ages."""
        self.joins.refresh()
        sight = await self.ticker.refresh()
        if sight is not None and self.ticker.sight is not None:
            self._outlooks = outlook_of(
                self.live.sale, self.ticker.sight, self.ticker.memory, window_ms=self._window_ms
            )

    def write(self, bands: Mapping[str, Band]) -> LineDocument:
        """The document of this moment, for everybody."""
        self.document = write_document(self.view(), bands)
        return self.document

    def latest(self) -> LineDocument:
        """The last document; a worker that has not looked yet says that it knows nothing."""
        return self.document or self.write({})

    def view(self) -> View:
        """What this worker knows now. It is in doubt without a young sight, while the sale is fenced, and while
        nothing can be written down: then nobody may be let through."""
        ticker, live, kept = self.ticker, self.live, self._view
        doubtful = live.fenced or not ticker.keeper.healthy or ticker.age_s() > DEGRADED_AFTER_S
        now_ms = ticker.redis_now_ms() or self._now_ms()
        if (
            kept is None
            or kept.sight is not ticker.sight
            or kept.outlooks is not self._outlooks
            or kept.sale is not live.sale
            or kept.doubtful is not doubtful
            or kept.now_ms // INSTANT_MS != now_ms // INSTANT_MS
        ):
            kept = self._view = View(
                sale=live.sale, sight=ticker.sight, outlooks=self._outlooks, doubtful=doubtful, now_ms=now_ms
            )
        return kept

    def turn(self, place: Place | None, *, admitted: bool = False) -> Turn:
        """Where a visitor stands."""
        return turn_of(self.view(), place, spread=self._luck(), admitted=admitted)
