"""The admission desk of one sale in one worker: claims travel in batches, and a pass is told once it is written down.

Who is refused waits for Redis alone. Who gets a pass waits for PostgreSQL too; when that is away the buyer is told
so, and the same pass is waiting for the next try.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass

from engine.catalog.board import LiveSale
from engine.infra.batcher import Batcher
from engine.line.admission.ledger import AdmissionLedger, Given
from engine.line.admission.passes import ClaimAnswer, Claiming, Passes, Terms
from engine.line.codes import ClaimCode
from engine.line.joining.roster import Roster
from engine.line.place import NONCE_BYTES, Pass, Place

CLAIMERS_FOR_EACH = 4  # so many people are remembered for every one who may be at the till
WRITTEN_COUNT_MAX = 50_000  # passes that this worker knows to be written down; then it asks PostgreSQL again
ASK_AGAIN_MS_MIN = 1_000  # who stands in front gets the next room, so a second is the most that it lies unused
ASK_AGAIN_MS_MAX = 5_000  # well below the ten seconds after which somebody who does not ask is forgotten
ASK_AGAIN_MS_EACH = 20


@dataclass(frozen=True, slots=True)
class Admitted:
    """A pass, and when it ends if the serving goes on without a stop, by the clock of Redis."""

    admission: Pass
    ends_ms: int


@dataclass(frozen=True, slots=True)
class ClaimRefusal:
    """No pass, why, and when it is worth asking again, where that is known."""

    code: ClaimCode
    retry_after_ms: int | None = None


def rank_of(position: int, weight: int) -> float:
    """The order in which room goes to the people of all lanes: a lane of twice the weight has twice as many in front.
    Within a lane it is the order of the positions."""
    return (position + 1) / weight


class AdmissionDesk:
    """Claims of one sale. `limit` says how many people may be at the till now; `nonce` makes a new pass' name."""

    def __init__(
        self,
        live: LiveSale,
        passes: Passes,
        ledger: AdmissionLedger,
        *,
        limit: Callable[[], int],
        pass_ms: int,
        batch_count_max: int,
        queue_count_max: int,
        nonce: Callable[[], bytes] = lambda: os.urandom(NONCE_BYTES),
    ) -> None:
        self._live = live
        self._passes = passes
        self._ledger = ledger
        self._limit = limit
        self._pass_ms = pass_ms
        self._nonce = nonce
        self._roster = Roster(live.sale.sale_id)
        self._written: set[bytes] = set()
        self._claims: Batcher[Claiming, ClaimAnswer] = Batcher(
            self._claim, batch_count_max=batch_count_max, queue_count_max=queue_count_max
        )
        self._writes: Batcher[Given, None] = Batcher(
            self._write, batch_count_max=batch_count_max, queue_count_max=queue_count_max
        )

    async def claim(self, place: Place, position: int) -> Admitted | ClaimRefusal:
        """A pass for whoever is called and finds room: the same one until it is used or has run out.

        Raises Outage: the same claim may be made again and gives the same pass.
        """
        weight = self._live.sale.lanes[place.lane].weight
        answer = await self._claims.submit(Claiming(place, position, rank_of(position, weight), self._nonce()))
        admission = answer.admission
        if admission is None:
            if answer.code is ClaimCode.FENCED:
                self._live.fence()
            return ClaimRefusal(answer.code, self._wait_ms(answer))
        if admission.nonce not in self._written:
            await self._writes.submit(Given(admission=admission, position=position, tick=answer.tick))
        return Admitted(admission, answer.now_ms + answer.end_ms - answer.serving_ms)

    def _wait_ms(self, answer: ClaimAnswer) -> int | None:
        match answer.code:
            case ClaimCode.NO_ROOM:
                return min(ASK_AGAIN_MS_MIN + ASK_AGAIN_MS_EACH * answer.before, ASK_AGAIN_MS_MAX)
            case ClaimCode.NOT_OPEN:
                return max(ASK_AGAIN_MS_MIN, self._live.sale.opens_ms - answer.now_ms)
            case _:
                return None

    async def _claim(self, claimings: list[Claiming]) -> list[ClaimAnswer]:
        limit = self._limit()
        terms = Terms(limit=limit, pass_ms=self._pass_ms, claimers_max=CLAIMERS_FOR_EACH * limit)
        return await self._passes.claim(self._live, self._roster, claimings, terms)

    async def _write(self, given: list[Given]) -> list[None]:
        await self._ledger.write(self._live.sale.sale_id, given)
        if len(self._written) > WRITTEN_COUNT_MAX:
            self._written.clear()
        self._written.update(one.admission.nonce for one in given)
        return [None] * len(given)
