"""Subscribe messages: templates, buyers who accepted them, and what was sent.

One acceptance is one message: sending takes it, and without one the answer is 43101. Acceptances and sent
messages are papers of the ledger, one per buyer and template, so that taking the one and keeping the other
are a single line of the journal.
"""

from collections.abc import Mapping
from typing import Any

from engine.simulator.office.ledger import Ledger, Paper
from engine.simulator.pay import forms
from engine.simulator.weixin import keywords

_TEMPLATE = "template"
_SUBSCRIPTION = "subscription"
PAGE_MAX = 1024
STATES = ("developer", "trial", "formal")
LANGUAGES = ("zh_CN", "en_US", "zh_HK", "zh_TW")
Error = tuple[int, str]


class Messages:
    """Over one ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def register(self, template_id: str, names: list[str]) -> None:
        """A template with its keywords, in force at once."""
        self._ledger.record(paper=Paper(_TEMPLATE, template_id, {"keywords": names}))

    def templates(self) -> dict[str, list[str]]:
        """The keywords of every template by its id."""
        return {key: document["keywords"] for key, document in self._ledger.papers(_TEMPLATE).items()}

    def accept(self, openid: str, template_id: str) -> int:
        """The buyer says yes once more; how many messages may now be sent."""
        known = self._of(openid, template_id)
        accepted = known["accepted"] + 1
        self._keep(known | {"accepted": accepted})
        return int(accepted)

    def send(self, message: Mapping[str, Any], *, now_ms: int) -> Error | str:
        """Send one message: the error, or the keys of `openid template number` as the message's name."""
        openid, template_id, data = message.get("touser"), message.get("template_id"), message.get("data")
        if not isinstance(openid, str) or not forms.OPENID.fullmatch(openid):
            return 40003, "invalid openid"
        template = self._ledger.papers(_TEMPLATE).get(template_id) if isinstance(template_id, str) else None
        if template is None or not isinstance(template_id, str):
            return 40037, "invalid template_id"
        page = message.get("page", "")
        if not isinstance(page, str) or len(page) > PAGE_MAX or any(letter.isspace() for letter in page):
            return 41030, "invalid page"
        if message.get("miniprogram_state", "formal") not in STATES or message.get("lang", "zh_CN") not in LANGUAGES:
            return 40097, "invalid args"
        fault = _data_fault(template["keywords"], data)
        if fault is not None:
            return fault
        known = self._of(openid, template_id)
        if not known["accepted"]:
            return 43101, "user refuse to accept the msg"
        sent = {"page": page, "data": data, "sent_ms": now_ms}
        messages = [*known["messages"], sent]
        self._keep(known | {"accepted": known["accepted"] - 1, "messages": messages})
        return f"{openid} {template_id} {len(messages)}"

    def sent(self) -> list[dict[str, Any]]:
        """Every message that went out, buyer by buyer."""
        return [
            {"openid": kept["openid"], "template_id": kept["template_id"], **message}
            for kept in self._ledger.papers(_SUBSCRIPTION).values()
            for message in kept["messages"]
        ]

    def waiting(self) -> list[dict[str, Any]]:
        """Acceptances that no message has taken yet."""
        return [
            {"openid": kept["openid"], "template_id": kept["template_id"], "accepted": kept["accepted"]}
            for kept in self._ledger.papers(_SUBSCRIPTION).values()
            if kept["accepted"]
        ]

    def _of(self, openid: str, template_id: str) -> dict[str, Any]:
        fresh: dict[str, Any] = {"openid": openid, "template_id": template_id, "accepted": 0, "messages": []}
        return self._ledger.papers(_SUBSCRIPTION).get(f"{openid} {template_id}", fresh)

    def _keep(self, document: dict[str, Any]) -> None:
        key = f"{document['openid']} {document['template_id']}"
        self._ledger.record(paper=Paper(_SUBSCRIPTION, key, document))


def _data_fault(names: list[str], data: object) -> Error | None:
    """47003 names the first keyword that is missing, foreign, empty or does not fit."""
    if not isinstance(data, dict):
        return 47003, "argument invalid! data is empty"
    for name in [*names, *(name for name in data if name not in names)]:
        told = data.get(name)
        value = told.get("value") if isinstance(told, dict) else None
        if not isinstance(value, str) or not value:
            return 47003, f"argument invalid! data.{name}.value is empty"
        if name not in names or not keywords.fits(name, value):
            return 47003, f"argument invalid! data.{name}.value invalid"
    return None
