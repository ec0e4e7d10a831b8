"""Access tokens of the mini program, as `/cgi-bin/stable_token` gives them out and every other call spends them.

Asked normally, the same token comes back until its last five minutes; then a new one is made and both work
for a while. A forced refresh makes a new one at once, is rationed, and kills the old one (at once, or after
the time a knob names); too soon after another it makes none and tells the one there is. A token that has run
out is 42001, one nobody has heard of is 40001: tokens live in memory, so a restart is the same to a client as
somebody else's forced refresh.
"""

from collections.abc import Callable, Mapping
from typing import Any

from engine.simulator.luck.faults import Faults
from engine.simulator.weixin.quotas import Quota

LIFE_MS = 7_200_000
RENEWED_MS = 5 * 60_000  # A normal call renews a token this long before its end.
KEPT_MAX = 1000  # Dead tokens are remembered to tell 42001 from 40001, not for ever.
MINUTE_MS = 60_000
DAY_MS = 86_400_000
BUSY = (-1, "system error")


class AccessTokens:
    """The tokens of one mini program. `issue` answers a document, `fault` an error (code and words) or None."""

    def __init__(
        self,
        appid: str,
        app_secret: str,
        *,
        faults: Callable[[], Faults],
        entropy: Callable[[int], bytes],
    ) -> None:
        self._appid = appid
        self._app_secret = app_secret
        self._faults = faults
        self._entropy = entropy
        self._current = ""
        self._ends_ms: dict[str, int] = {}  # Also of tokens that have ended, the oldest first.
        self._killed: set[str] = set()
        self._forced_ms: int | None = None
        self._per_minute = Quota(MINUTE_MS)
        self._per_day = Quota(DAY_MS)
        self._forced_per_day = Quota(DAY_MS)

    def issue(self, asked: Mapping[str, Any], *, now_ms: int) -> tuple[str, int] | tuple[int, str]:
        """The token and the whole seconds it lives on, or the error code and its words."""
        luck = self._faults()
        if asked.get("appid") != self._appid:
            return 40013, "invalid appid"
        if asked.get("secret") != self._app_secret:
            return 40125, "invalid appsecret"
        if asked.get("grant_type") != "client_credential":
            return 40002, "invalid grant_type"
        if not self._per_minute.take(luck.token_quota_minute, now_ms=now_ms):
            return 45011, "api minute-quota reach limit  mustslower  retry next minute"
        if not self._per_day.take(luck.token_quota_day, now_ms=now_ms):
            return 45009, "reach max api daily quota limit"
        if asked.get("force_refresh", False) is True:
            return self._force(luck, now_ms=now_ms)
        left_ms = self._ends_ms.get(self._current, 0) - now_ms
        if left_ms <= RENEWED_MS:
            self._renew(now_ms)
            left_ms = LIFE_MS
        return self._current, left_ms // 1000

    def fault(self, token: str, *, now_ms: int) -> tuple[int, str] | None:
        """Why this token opens nothing."""
        if not token:
            return 41001, "access_token missing"
        ends_ms = self._ends_ms.get(token)
        if ends_ms is None or (token in self._killed and now_ms >= ends_ms):
            return 40001, "invalid credential, access_token is invalid or not latest"
        return (42001, "access_token expired") if now_ms >= ends_ms else None

    def _force(self, luck: Faults, *, now_ms: int) -> tuple[str, int] | tuple[int, str]:
        if self._forced_ms is not None and now_ms < self._forced_ms + luck.token_force_spacing_ms:
            return self._current, (self._ends_ms[self._current] - now_ms) // 1000
        if not self._forced_per_day.take(luck.token_force_quota_day, now_ms=now_ms):
            return 45009, "reach max api daily quota limit"
        old = self._current
        if old:
            self._ends_ms[old] = min(self._ends_ms[old], now_ms + luck.token_force_overlap_ms)
            self._killed.add(old)
        self._forced_ms = now_ms
        self._renew(now_ms)
        return self._current, LIFE_MS // 1000

    def _renew(self, now_ms: int) -> None:
        """A new current token; the one before lives until its own end."""
        self._current = f"{self._entropy(66).hex()}"
        self._ends_ms[self._current] = now_ms + LIFE_MS
        while len(self._ends_ms) > KEPT_MAX:
            oldest = next(iter(self._ends_ms))
            del self._ends_ms[oldest]
            self._killed.discard(oldest)
