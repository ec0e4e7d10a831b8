"""Mini-program login: codes from wx.login, and jscode2session, which turns each into an openid once.

Codes live five minutes and die on first use. Like the real endpoint, every answer is HTTP 200; the truth is
in `errcode`. Codes are kept in memory only: after a restart the mini program simply logs in again.
"""

from collections.abc import Callable, Mapping

from engine.simulator.pay import shapes

CODE_MS = 5 * 60_000


class Logins:
    """The codes handed out and not yet used."""

    def __init__(self, appid: str, app_secret: str, entropy: Callable[[int], bytes]) -> None:
        self._appid = appid
        self._app_secret = app_secret
        self._entropy = entropy
        self._codes: dict[str, tuple[str, int]] = {}

    def code(self, openid: str, *, now_ms: int) -> str:
        """What wx.login gives this buyer: 32 characters, good for five minutes, once."""
        self._forget(now_ms)
        code = "0" + self._entropy(16).hex()[1:]
        self._codes[code] = (openid, now_ms)
        return code

    def session(self, query: Mapping[str, str], *, now_ms: int) -> dict[str, object]:
        """The answer of jscode2session to these query parameters."""
        if not query.get("appid"):
            return self._error(41002, "appid missing")
        if not query.get("secret"):
            return self._error(41004, "appsecret missing")
        if not query.get("js_code"):
            return self._error(41008, "missing code")
        if query["appid"] != self._appid:
            return self._error(40013, "invalid appid")
        if query["secret"] != self._app_secret:
            return self._error(40125, "invalid appsecret")
        if query.get("grant_type") != "authorization_code":
            return self._error(40002, "invalid grant_type")
        openid, given_ms = self._codes.pop(query["js_code"], ("", 0))
        if not openid or now_ms >= given_ms + CODE_MS:
            return self._error(40029, "invalid code")
        return {"session_key": shapes.session_key(self._entropy(16)), "openid": openid}

    def _error(self, errcode: int, errmsg: str) -> dict[str, object]:
        return {"errcode": errcode, "errmsg": f"{errmsg}, rid: {shapes.notice_id(self._entropy(16))[:26]}"}

    def _forget(self, now_ms: int) -> None:
        """Codes are kept in the order given, so the dead ones stand in front."""
        while self._codes:
            oldest = next(iter(self._codes))
            if now_ms < self._codes[oldest][1] + CODE_MS:
                return
            del self._codes[oldest]
