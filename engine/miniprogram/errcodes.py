"""What each `errcode` of api.weixin.qq.com means to a caller. Nobody branches on `errmsg`, whose text changes.

A refusal is a value: WeChat looked at the request and will not do it. Whatever says nothing about the request itself
is an outage: raised, by the client, as ProviderAway.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

BUSY = -1
# The access token was renewed elsewhere, or its time is over.
TOKEN_STALE = frozenset({40001, 40014, 42001})


class Refusal(StrEnum):
    """Why WeChat will not do it."""

    CODE_INVALID = "CODE_INVALID"  # bad, used or expired code
    BUYER_BLOCKED = "BUYER_BLOCKED"
    OPENID_INVALID = "OPENID_INVALID"  # not a buyer of this mini program, or not lately
    NOT_SUBSCRIBED = "NOT_SUBSCRIBED"  # the buyer did not agree, or took it back
    TEMPLATE_INVALID = "TEMPLATE_INVALID"
    PAGE_INVALID = "PAGE_INVALID"  # no such page in the published version
    FIELD_INVALID = "FIELD_INVALID"  # `field` names it
    CONTENT_INVALID = "CONTENT_INVALID"
    UNKNOWN_ORDER = "UNKNOWN_ORDER"  # WeChat's shipping desk lags behind its payments
    NOT_SHIPPABLE = "NOT_SHIPPABLE"  # refunded, or settled otherwise
    TOO_OFTEN = "TOO_OFTEN"  # this minute's bound
    QUOTA_SPENT = "QUOTA_SPENT"  # this day's bound
    FORBIDDEN = "FORBIDDEN"  # our own appid, secret or permission: somebody must look
    OTHER = "OTHER"


REFUSAL_BY_ERRCODE: Mapping[int, Refusal] = {
    40029: Refusal.CODE_INVALID,
    40163: Refusal.CODE_INVALID,  # used before
    41008: Refusal.CODE_INVALID,  # missing
    40226: Refusal.BUYER_BLOCKED,
    40003: Refusal.OPENID_INVALID,
    43104: Refusal.OPENID_INVALID,  # of another appid
    61010: Refusal.OPENID_INVALID,  # has not visited for two hours
    43101: Refusal.NOT_SUBSCRIBED,
    40037: Refusal.TEMPLATE_INVALID,
    41030: Refusal.PAGE_INVALID,
    40165: Refusal.PAGE_INVALID,  # of a link
    47003: Refusal.FIELD_INVALID,
    40129: Refusal.CONTENT_INVALID,  # scene
    40169: Refusal.CONTENT_INVALID,  # scene too long
    44002: Refusal.CONTENT_INVALID,  # empty
    44004: Refusal.CONTENT_INVALID,  # empty text
    45002: Refusal.CONTENT_INVALID,  # too long
    47001: Refusal.CONTENT_INVALID,  # not JSON to them
    87014: Refusal.CONTENT_INVALID,
    10060001: Refusal.UNKNOWN_ORDER,
    10060004: Refusal.NOT_SHIPPABLE,
    45009: Refusal.QUOTA_SPENT,
    45011: Refusal.TOO_OFTEN,
    40002: Refusal.FORBIDDEN,
    40013: Refusal.FORBIDDEN,
    40125: Refusal.FORBIDDEN,
    40164: Refusal.FORBIDDEN,  # our address is not on the list
    41002: Refusal.FORBIDDEN,
    41004: Refusal.FORBIDDEN,
    48001: Refusal.FORBIDDEN,
    48004: Refusal.FORBIDDEN,
}

# The bound of getwxacodeunlimit is by the minute, although it has the code of a daily one.
BY_THE_MINUTE = frozenset({"getwxacodeunlimit"})

FIELD_IN_MESSAGE = re.compile(r"\b([a-z_]+[0-9]{1,2})\b")


@dataclass(frozen=True, slots=True)
class Refused:
    """WeChat's no. `field` is the template's field that it complains about, if it named one."""

    refusal: Refusal
    errcode: int
    field: str = ""

    @property
    def passes(self) -> bool:
        """Whether the very same request can succeed later."""
        return self.refusal in (Refusal.TOO_OFTEN, Refusal.QUOTA_SPENT)


def refused(call: str, errcode: int, answer: Mapping[str, Any]) -> Refused:
    """The refusal behind an errcode that is neither 0, nor busy, nor about the access token."""
    refusal = REFUSAL_BY_ERRCODE.get(errcode, Refusal.OTHER)
    if refusal is Refusal.QUOTA_SPENT and call in BY_THE_MINUTE:
        refusal = Refusal.TOO_OFTEN
    field = ""
    if refusal is Refusal.FIELD_INVALID:
        named = FIELD_IN_MESSAGE.search(str(answer.get("errmsg", "")))
        field = named.group(1) if named else ""
    return Refused(refusal, errcode, field)
