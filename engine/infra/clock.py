"""Wall time for edges that must name an instant (seal expiry, signatures). Decisions about stock never use it:
they read Redis TIME inside the script."""

import time
from collections.abc import Callable

ClockMs = Callable[[], int]


def wall_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def wall_s() -> int:
    """Seconds since the epoch."""
    return int(time.time())
