"""The server side of the mini program (api.weixin.qq.com): one entry for every call that spends an access token.

Every answer is HTTP 200; the truth is in `errcode`. Checks come in this order: WeChat is busy (luck), the
token, the body, and then what the interface itself demands. What outlives a crash (templates, acceptances,
messages, shipping) is with the ledger; tokens, phone codes and quotas are not.
"""

from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any

import orjson

from engine.simulator.luck.faults import Faults, delay_s, happens
from engine.simulator.office.ledger import Ledger
from engine.simulator.pay import forms, shapes
from engine.simulator.weixin import wxacode
from engine.simulator.weixin.access_tokens import BUSY, MINUTE_MS, AccessTokens
from engine.simulator.weixin.logins import Logins
from engine.simulator.weixin.messages import Messages
from engine.simulator.weixin.quotas import Quota
from engine.simulator.weixin.shipping import Shipping

CODE_MS = 5 * 60_000
CONTENT_MAX = 2500
SCENES = (1, 2, 3, 4)
Error = tuple[int, str]
Told = Mapping[str, Any] | bytes | Error

# Words that make the check of a text find something, so that a merchant can try every answer.
VERDICTS = {"违规": ("risky", 20006), "可疑": ("review", 21000)}


class MiniProgram:
    """One mini program and the merchants bound to it; answers a document, or the bytes of a picture."""

    def __init__(
        self,
        appid: str,
        app_secret: str,
        *,
        ledger: Ledger,
        logins: Logins,
        mchids: Mapping[str, object],
        faults: Callable[[], Faults],
        now_ms: Callable[[], int],
        entropy: Callable[[int], bytes],
    ) -> None:
        self.messages = Messages(ledger)
        self.shipping = Shipping(ledger)
        self._appid = appid
        self._logins = logins
        self._mchids = mchids
        self._faults = faults
        self._now_ms = now_ms
        self._entropy = entropy
        self._tokens = AccessTokens(appid, app_secret, faults=faults, entropy=entropy)
        self._phone_codes: dict[str, tuple[str, int]] = {}
        self._codes_per_minute = Quota(MINUTE_MS)
        self._count = 0
        self._fates = 0
        self._calls: Mapping[str, Callable[[Mapping[str, Any]], Told]] = {
            "/wxa/business/getuserphonenumber": self._phone,
            "/cgi-bin/message/subscribe/send": self._send,
            "/wxa/getwxacodeunlimit": self._code,
            "/wxa/generate_urllink": self._link,
            "/wxa/msg_sec_check": self._check,
            "/wxa/sec/order/upload_shipping_info": self._ship,
        }

    def fate(self) -> tuple[float, bool]:
        """How many seconds the next call waits before its effect, and whether its answer is lost after it."""
        luck = self._faults()
        if not luck.weixin_delay_ms[1] and not luck.weixin_lost:
            return 0.0, False
        self._fates += 1
        subject = str(self._fates)
        wait_s = delay_s(luck.weixin_delay_ms, seed=luck.seed, knob="weixin_delay_ms", subject=subject)
        return wait_s, happens(luck.weixin_lost, seed=luck.seed, knob="weixin_lost", subject=subject)

    def token(self, body: bytes) -> Mapping[str, Any]:
        """POST /cgi-bin/stable_token."""
        asked = _object(body)
        told = BUSY if self._busy() else asked
        if isinstance(told, Mapping):
            issued = self._tokens.issue(told, now_ms=self._now_ms())
            if isinstance(issued[0], str):
                return {"access_token": issued[0], "expires_in": issued[1]}
            told = issued
        return self._error(told)

    def session(self, query: Mapping[str, str]) -> Mapping[str, object]:
        """GET /sns/jscode2session. A buyer whom luck makes high-risk stays so, and the code is spent."""
        if self._busy():
            return self._error(BUSY)
        told = self._logins.session(query, now_ms=self._now_ms())
        luck, openid = self._faults(), str(told.get("openid", ""))
        if openid and happens(luck.login_blocked, seed=luck.seed, knob="login_blocked", subject=openid):
            return self._error((40226, "code blocked"))
        return told

    def call(self, path: str, token: str, body: bytes) -> Mapping[str, Any] | bytes:
        """POST `path`?access_token=`token`: one of the calls that need a token."""
        told = self._call(path, token, body)
        if isinstance(told, tuple):
            return self._error(told)
        return told if isinstance(told, bytes) else {"errcode": 0, "errmsg": "ok", **told}

    def phone_code(self, openid: str) -> str:
        """What the button that asks for the phone number gives the mini program: good once, for five minutes."""
        now_ms = self._now_ms()
        while self._phone_codes and now_ms >= self._phone_codes[oldest := next(iter(self._phone_codes))][1] + CODE_MS:
            del self._phone_codes[oldest]
        code = self._entropy(32).hex()
        self._phone_codes[code] = (openid, now_ms)
        return code

    def _call(self, path: str, token: str, body: bytes) -> Told:
        if self._busy():
            return BUSY
        fault = self._tokens.fault(token, now_ms=self._now_ms())
        if fault is not None:
            return fault
        if not body:
            return 44002, "empty post data"
        asked = _object(body)
        return self._calls[path](asked) if isinstance(asked, dict) else asked

    def _phone(self, asked: Mapping[str, Any]) -> Told:
        code = asked.get("code")
        openid, given_ms = self._phone_codes.pop(code, ("", 0)) if isinstance(code, str) else ("", 0)
        if not openid or self._now_ms() >= given_ms + CODE_MS:
            return 40029, "invalid code"
        if asked.get("openid", openid) != openid:
            return 40003, "invalid openid"
        number = phone(openid)
        return {
            "phone_info": {
                "phoneNumber": number,
                "purePhoneNumber": number,
                "countryCode": "86",
                "watermark": {"timestamp": self._now_ms() // 1000, "appid": self._appid},
            }
        }

    def _send(self, asked: Mapping[str, Any]) -> Told:
        sent = self.messages.send(asked, now_ms=self._now_ms())
        return {} if isinstance(sent, str) else sent

    def _code(self, asked: Mapping[str, Any]) -> Told:
        if not self._codes_per_minute.take(self._faults().wxacode_quota_minute, now_ms=self._now_ms()):
            return 45009, "reach max api daily quota limit"
        fault = wxacode.code_fault(asked)
        if fault is not None:
            return fault
        subject = f"{self._appid} {asked.get('page', '')} {asked['scene']} {asked.get('env_version', 'release')}"
        return wxacode.picture(subject, asked.get("width", wxacode.WIDTH))

    def _link(self, asked: Mapping[str, Any]) -> Told:
        fault = wxacode.link_fault(asked, now_s=self._now_ms() // 1000)
        return {"url_link": wxacode.link(self._entropy(16).hex())} if fault is None else fault

    def _check(self, asked: Mapping[str, Any]) -> Told:
        openid, content = asked.get("openid"), asked.get("content")
        if asked.get("scene") not in SCENES or asked.get("version") != 2:
            return 40129, "invalid scene"
        if not isinstance(openid, str) or not forms.OPENID.fullmatch(openid):
            return 40003, "invalid openid"
        if not isinstance(content, str) or not content:
            return 44004, "empty content"
        if len(content) > CONTENT_MAX:
            return 45002, "content size out of limit"
        suggest, label = next((verdict for word, verdict in VERDICTS.items() if word in content), ("pass", 100))
        found = {"suggest": suggest, "label": label}
        return {
            "result": found,
            "detail": [{"strategy": "content_model", "errcode": 0, **found, "prob": 90}],
            "trace_id": shapes.notice_id(self._entropy(16)),
        }

    def _ship(self, asked: Mapping[str, Any]) -> Told:
        return self.shipping.upload(asked, mchids=self._mchids, now_ms=self._now_ms()) or {}

    def _busy(self) -> bool:
        """-1, as WeChat is now and then; the n-th call has its own luck."""
        luck = self._faults()
        self._count += 1
        return happens(luck.weixin_busy, seed=luck.seed, knob="weixin_busy", subject=str(self._count))

    def _error(self, error: Error) -> Mapping[str, Any]:
        return {"errcode": error[0], "errmsg": f"{error[1]} rid: {shapes.notice_id(self._entropy(16))[:26]}"}


def phone(openid: str) -> str:
    """The number of a buyer, the same every time: 170 and eight digits."""
    return f"170{int.from_bytes(blake2b(openid.encode(), digest_size=8).digest()) % 10**8:08}"


def _object(body: bytes) -> Any:
    """The JSON object of a call, or the error that it is none."""
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError:
        asked = None
    return asked if isinstance(asked, dict) else (47001, "data format error")
