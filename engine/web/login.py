"""POST /v1/login: the code of wx.login becomes a seal. WeChat says who it is; this module only asks and writes down."""

from collections.abc import Awaitable, Callable

from engine.web.buyers import Buyers
from engine.web.http import Request, Response, answer, read_body, refuse, strict_json
from engine.web.problems import Code
from engine.web.routes import Route

LOGINS_AT_ONCE_MAX = 128
"""In one worker. Each waits for WeChat, on a connection of its own."""

OpenidOf = Callable[[str], Awaitable[str | None]]


class LoginDesk:
    """`openid_of` exchanges a code for an openid, or None when WeChat refuses the code; it raises ProviderAway."""

    def __init__(
        self,
        buyers: Buyers,
        openid_of: OpenidOf,
        *,
        now_s: Callable[[], int],
        nonce: Callable[[], bytes],
        seal_s: int,
        body_bytes_max: int,
        body_timeout_s: float,
    ) -> None:
        self._buyers = buyers
        self._openid_of = openid_of
        self._now_s = now_s
        self._nonce = nonce
        self._seal_s = seal_s
        self._body_bytes_max = body_bytes_max
        self._body_timeout_s = body_timeout_s

    def routes(self) -> list[Route]:
        return [Route("POST", "/v1/login", self.post_login, LOGINS_AT_ONCE_MAX)]

    async def post_login(self, request: Request) -> Response:
        """{"code"} -> {"seal", "expires_ms"}."""
        raw = await read_body(request, bytes_max=self._body_bytes_max, timeout_s=self._body_timeout_s)
        try:
            body = strict_json(raw)
        except ValueError:
            return refuse(request, Code.BODY_INVALID)
        code = body.get("code") if isinstance(body, dict) else None
        if not isinstance(code, str) or not code:
            return refuse(request, Code.BODY_INVALID)
        openid = await self._openid_of(code)
        if openid is None:
            return refuse(request, Code.LOGIN_REFUSED)
        buyer = await self._buyers.remember(openid, self._nonce())
        expires_s = self._now_s() + self._seal_s
        return answer({"seal": self._buyers.seal(buyer, expires_s=expires_s), "expires_ms": expires_s * 1000})
