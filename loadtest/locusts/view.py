"""What the web UI's tab shows, as a document: read from the board at the moment of asking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loadtest.locusts.board import ARRIVED, MISSED, OUTAGES, Board
from loadtest.recording.kinds import GOODPUTS, Goodput
from loadtest.report.words import KINDS

if TYPE_CHECKING:
    from loadtest.locusts.director import Director
    from loadtest.locusts.player import Player

NOW_S = 3
"""Now is the mean of so many whole seconds."""
REPORTED_AFTER_S = 3
"""Workers tell their master this often; a second is whole when everybody has told of it."""


@dataclass(frozen=True, slots=True)
class Rate:
    series: list[int]
    peak: int
    total: int

    @property
    def now(self) -> float:
        newest = self.series[-NOW_S:]
        return round(sum(newest) / len(newest), 1) if newest else 0.0

    def row(self) -> dict[str, float]:
        return {"now": self.now, "peak": self.peak, "total": self.total}


class View:
    def __init__(self, director: Director, *, local: Player | None) -> None:
        self._director = director
        self._local = local

    def goodput(self) -> dict[Goodput, Rate]:
        board = self._board()
        growing_s = 1 if self._local else REPORTED_AFTER_S
        seconds = board.seconds(growing_s=0 if self._director.summary else growing_s)
        total = board.total()
        return {kind: Rate([second[kind] for second in seconds], board.peaks[kind], total[kind]) for kind in GOODPUTS}

    def live(self) -> dict[str, Any]:
        director, board = self._director, self._board()
        terms, summary, total = director.terms, director.summary, board.total()
        sights = list(board.sights)
        newest = sights[-1] if sights else None
        return {
            "sale": terms.sale if terms else "",
            "story": terms.profile["story"]["title"] if terms else "",
            "story_zh": terms.profile["story"]["title_zh"] if terms else "",
            "phase": newest.phase if newest else "",
            "goodput": [
                {"kind": kind, "title": KINDS[kind].en, "title_zh": KINDS[kind].zh, "series": rate.series, **rate.row()}
                for kind, rate in self.goodput().items()
            ],
            "people": {"came": total[ARRIVED], "missed": total[MISSED], "outages": total[OUTAGES]},
            "stock": [
                {"sku": sku, "free": free, "held": held, "sold": sold}
                for sku, (free, held, sold) in (newest.stock.items() if newest else ())
            ],
            "bands": dict(newest.bands) if newest else {},
            "line": {
                "waiting": newest.waiting if newest else None,
                "called": newest.called if newest else None,
                "rate_per_s": newest.rate_per_s if newest else None,
                "series": [sight.waiting for sight in sights],
            },
            "generators": [
                {"name": name, "cpu_share": beat.cpu_share, "lag_ms": round(beat.lag_s * 1000, 1)}
                for name, beat in sorted(board.beats.items())
            ],
            "summary": list(summary.lines()) if summary else [director.refusal] if director.refusal else [],
            "well": summary.is_well if summary else not director.refusal,
        }

    def _board(self) -> Board:
        """The board, with the newest of this process where it plays itself."""
        board = self._director.board
        if self._local is not None and self._local.round is not None:
            running = self._local.round
            board.hear(self._local.name, running.live(), running.beats[-1] if running.beats else None)
        return board
