"""Who is it: exchanges the one-time code of wx.login for the buyer's openid (code2Session).

A bad, used or expired code and a buyer WeChat has blocked are refusals, values with a code. Everything else,
our own wrong appid or secret included, raises ProviderAway, because the buyer can do nothing about it and
must not be told that their login is bad. The session_key in the answer is dropped at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import aiohttp

from engine.config import Wechat
from engine.infra.outage import ProviderAway
from engine.infra.reading import Unreadable, read_object, text
from engine.miniprogram.wire import Wire

CODE_LENGTH_MAX = 128  # WeChat's codes have 32; what is longer is not worth a request


class LoginRefusal(StrEnum):
    CODE_INVALID = "CODE_INVALID"
    BUYER_BLOCKED = "BUYER_BLOCKED"
    TOO_OFTEN = "TOO_OFTEN"


REFUSAL_BY_ERRCODE: Mapping[int, LoginRefusal] = {
    40029: LoginRefusal.CODE_INVALID,
    40163: LoginRefusal.CODE_INVALID,  # used before
    41008: LoginRefusal.CODE_INVALID,  # missing
    40226: LoginRefusal.BUYER_BLOCKED,
    45011: LoginRefusal.TOO_OFTEN,
}


@dataclass(frozen=True, slots=True)
class LoginRefused:
    code: LoginRefusal


class Login:
    """The caller closes the session."""

    def __init__(
        self,
        *,
        session: aiohttp.ClientSession,
        login_url: str,
        appid: str,
        app_secret: str,
        timeout_s: float,
    ) -> None:
        self._wire = Wire(session=session, url=login_url, timeout_s=timeout_s)
        self._fixed = {"appid": appid, "secret": app_secret, "grant_type": "authorization_code"}

    @classmethod
    def from_config(cls, config: Wechat, session: aiohttp.ClientSession) -> Login:
        return cls(
            session=session,
            login_url=config.login_url,
            appid=config.appid,
            app_secret=config.app_secret.get_secret_value(),
            timeout_s=config.timeout_s,
        )

    async def openid_of(self, code: str) -> str | LoginRefused:
        """The openid behind a wx.login code. The code is spent by this call, whatever comes of it.

        Raises ProviderAway when WeChat does not answer, or not with what the documents promise.
        """
        if not (0 < len(code) <= CODE_LENGTH_MAX and code.isascii() and code.isprintable()):
            return LoginRefused(LoginRefusal.CODE_INVALID)
        body = await self._wire.get("code2Session", "/sns/jscode2session", {**self._fixed, "js_code": code})
        return _outcome(body)


def _outcome(body: bytes) -> str | LoginRefused:
    try:
        fields = read_object(body)
        errcode = fields.get("errcode", 0)
        if errcode == 0:
            return text(fields, "openid")
    except Unreadable as error:
        raise ProviderAway(f"code2Session: unreadable: {error}") from None
    refusal = REFUSAL_BY_ERRCODE.get(errcode) if type(errcode) is int else None
    if refusal is None:
        raise ProviderAway(f"code2Session: errcode {errcode}")
    return LoginRefused(refusal)
