"""What passes between a front and the office: calls of merchants, visits of everybody else, and the answers.

Fronts speak HTTP and check signatures, the office decides. All of this is plain values, so that the two may
live in one process or in several.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.simulator.pay.refusals import Refusal

JSON_TYPE = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the merchant API whose signature was right.

    `number` is the variable part of the path, `query` the decoded query, `serial` the Wechatpay-Serial header
    (empty without one), `nonce` what the caller signed, `base_url` the address the caller used, without a path.
    """

    route: str
    mchid: str
    number: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    serial: str = ""
    nonce: str = ""
    base_url: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A success of the merchant API; only downloads are not signed."""

    status: int
    body: bytes
    content_type: str = JSON_TYPE
    signed: bool = True


Outcome = Answer | Refusal


@dataclass(frozen=True, slots=True)
class Visit:
    """One request outside the merchant API: a login, a buyer's phone, a person who runs a drill."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Page:
    """The answer to a visit; `lost` resets the connection instead."""

    status: int
    body: bytes
    content_type: str = "application/json"
    lost: bool = False
