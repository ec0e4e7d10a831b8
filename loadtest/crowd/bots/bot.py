"""One automated buyer, as it is drawn."""

from __future__ import annotations

from dataclasses import dataclass

KINDS_PREFIX = "bot_"
HOSTS = 8
"""So few addresses have all bots: a rented machine each."""


@dataclass(frozen=True, slots=True)
class Bot:
    """`kind` is a value of `profiles.profile.BotKind`; `arrives_s` counts from the opening."""

    openid: str
    arrives_s: float
    kind: str
    looks_per_s: float
    stays_s: float
    """Seconds after its arrival at which it gives up."""
    wishes: tuple[str, ...]
    quantity: int
    whim: int
    accounts: tuple[str, ...] = ()
    """Further openids of the same owner."""

    @property
    def address(self) -> str:
        """Where the balancer saw it."""
        return f"198.51.100.{1 + self.whim % HOSTS}"
