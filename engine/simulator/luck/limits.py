"""Rate limits: one bucket of calls per merchant and name, filled continuously, one second deep. Pure but for what
it remembers; the clock is an argument.
"""


class Limits:
    """Buckets appear when they are first used; their number is merchants times routes."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[str, str], tuple[float, int]] = {}

    def take(self, mchid: str, name: str, *, per_s: int, now_ms: int) -> bool:
        """Whether one more call fits; a refused call takes nothing."""
        level = self._level(mchid, name, per_s, now_ms)
        fits = level >= 1
        self._buckets[mchid, name] = (level - 1 if fits else level, now_ms)
        return fits

    def has(self, mchid: str, name: str, *, per_s: int, now_ms: int) -> bool:
        """Whether one more would fit, without taking it."""
        return self._level(mchid, name, per_s, now_ms) >= 1

    def _level(self, mchid: str, name: str, per_s: int, now_ms: int) -> float:
        level, then_ms = self._buckets.get((mchid, name), (float(per_s), now_ms))
        return min(float(per_s), level + max(now_ms - then_ms, 0) * per_s / 1000)


class Nonces:
    """The nonces each merchant used lately; the signature's window makes older ones harmless."""

    KEPT_MS = 10 * 60_000

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], int] = {}

    def is_new(self, mchid: str, nonce: str, *, now_ms: int) -> bool:
        """Remember it; False when it was used within the time kept. They stand in the order of their use."""
        while self._seen:
            oldest = next(iter(self._seen))
            if now_ms < self._seen[oldest] + self.KEPT_MS:
                break
            del self._seen[oldest]
        if (mchid, nonce) in self._seen:
            return False
        self._seen[mchid, nonce] = now_ms
        return True
