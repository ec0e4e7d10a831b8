"""How far the refunds of a cancelled session have come, for people and for programs. Pure."""

from dataclasses import asdict, dataclass
from typing import Any

REASON_CHARS_MAX = 80  # WeChat shows the reason of a refund to the buyer, and takes no longer one
MINUTE_S = 60
HOUR_S = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Orders with tickets of the session, each counted once, and the fen behind them.

    open: not paid yet; they are being ended. undecided: paid, and not written down for a refund yet. decided: written
    down, not sent yet. sent: WeChat is at it. failed: somebody has to look. free: cost nothing and were taken back.
    `lately` of them succeeded within the last `lately_s` seconds.
    """

    open: int
    undecided: int
    undecided_fen: int
    decided: int
    decided_fen: int
    sent: int
    sent_fen: int
    succeeded: int
    succeeded_fen: int
    failed: int
    failed_fen: int
    free: int
    lately: int
    lately_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A session and its refunds. `cancelled_ms` is None while it takes place; then the counts say what cancelling it
    would mean."""

    session_id: str
    title: str
    cancelled_ms: int | None
    reason: str | None
    counts: Counts

    @property
    def orders(self) -> int:
        """All of them, open ones included."""
        counts = self.counts
        return counts.open + self.waiting + counts.succeeded + counts.failed + counts.free

    @property
    def waiting(self) -> int:
        """Paid orders whose money has not come back and is expected to."""
        return self.counts.undecided + self.counts.decided + self.counts.sent

    @property
    def fen(self) -> int:
        """All the money that goes back."""
        counts = self.counts
        return counts.undecided_fen + counts.decided_fen + counts.sent_fen + counts.succeeded_fen + counts.failed_fen

    @property
    def done(self) -> bool:
        """Whether nothing is left to do but for those that failed."""
        return self.cancelled_ms is not None and not self.counts.open and not self.waiting

    @property
    def rate_per_s(self) -> float:
        """Refunds that succeeded lately, per second."""
        return self.counts.lately / self.counts.lately_s if self.counts.lately_s > 0 else 0.0

    @property
    def left_s(self) -> float | None:
        """Seconds until the last one, at this rate; None when nothing moves."""
        if not self.waiting:
            return 0.0
        return self.waiting / self.rate_per_s if self.rate_per_s > 0 else None

    def document(self) -> dict[str, Any]:
        """For programs."""
        counts = {name: value for name, value in asdict(self.counts).items() if not name.startswith("lately")}
        return {
            "session": self.session_id,
            "title": self.title,
            "cancelled_ms": self.cancelled_ms,
            "reason": self.reason,
            "orders": self.orders,
            "fen": self.fen,
            **counts,
            "rate_per_s": round(self.rate_per_s, 2),
            "left_s": None if self.left_s is None else round(self.left_s, 1),
            "done": self.done,
        }

    def lines(self) -> list[str]:
        """For people, one fact a line."""
        counts = self.counts
        back = f"{yuan(counts.succeeded_fen)} of {yuan(self.fen)}"
        lines = [f"{counts.succeeded:,} of {self.orders:,} orders are refunded: {back}."]
        for count, sentence in (
            (counts.open, "not paid yet, being ended"),
            (counts.undecided, f"paid, to be written down for a refund ({yuan(counts.undecided_fen)})"),
            (counts.decided, f"written down, not sent yet ({yuan(counts.decided_fen)})"),
            (counts.sent, f"sent, WeChat is at it ({yuan(counts.sent_fen)})"),
            (counts.free, "cost nothing and were taken back"),
            (counts.failed, f"failed and need a person ({yuan(counts.failed_fen)})"),
        ):
            if count:
                lines.append(f"{count:,} {sentence}.")
        if self.waiting:
            pace = f"{self.rate_per_s:,.1f} refunds a second"
            lines.append(
                "No refund came back lately." if self.left_s is None else f"{pace}; {_time(self.left_s)} left."
            )
        elif self.done:
            lines.append("Nothing is left to do." if not counts.failed else "Only the failed ones are left.")
        return lines


def is_reason(text: str) -> bool:
    """Whether WeChat takes this as the reason of a refund: 1 to 80 printable characters, no emoji."""
    return 1 <= len(text) <= REASON_CHARS_MAX and text.isprintable() and max(text) <= "\uffff" and not text.isspace()


def yuan(fen: int) -> str:
    """Money for people."""
    return f"¥{fen / 100:,.2f}"


def _time(seconds: float) -> str:
    if seconds < MINUTE_S:
        return "less than a minute"
    if seconds < HOUR_S:
        return f"about {seconds / MINUTE_S:.0f} min"
    return f"about {seconds / HOUR_S:.1f} h"
