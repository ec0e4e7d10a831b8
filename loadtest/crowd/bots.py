"""Those who do not keep the rules: what a bot is, and what it does."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bot:
    """One automated buyer. `kind` is a name of `BotKind`; `arrives_s` counts from the opening."""

    openid: str
    arrives_s: float
    kind: str
    looks_per_s: float
    stays_s: float
    wishes: tuple[str, ...]
    quantity: int
    whim: int
