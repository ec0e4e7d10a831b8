"""The passes that were given out, as PostgreSQL keeps them: who, when, and how far the line was called then."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.infra.postgres import connection, load_queries
from engine.line.place import Pass

if TYPE_CHECKING:
    from engine.infra.postgres import Pool

QUERIES = Path(__file__).with_name("queries.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One pass, the position that it was given for, and the tick that had called it by then."""

    admission: Pass
    position: int
    tick: int


class AdmissionLedger:
    """Writes the passes of one sale down."""

    def __init__(self, pool: "Pool") -> None:
        self._pool = pool
        self._sql = load_queries(QUERIES)

    async def write(self, sale_id: str, given: Sequence[Given]) -> None:
        """Write these passes down, each once. Raises PostgresAway; writing them again is harmless."""
        async with connection(self._pool) as conn:
            await conn.execute(
                self._sql.write_admissions,
                sale_id,
                [one.admission.buyer for one in given],
                [one.admission.nonce for one in given],
                [one.admission.epoch for one in given],
                [one.tick for one in given],
                [one.admission.lane for one in given],
                [one.position for one in given],
            )
