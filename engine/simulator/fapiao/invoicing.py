"""Applications for fapiao: accepting them and their reversals, then doing what was accepted, step by step.

Every accepting answer is 202; the steps follow after a while each, with a callback for each that succeeds. What
was accepted goes on after a restart.
"""

from collections.abc import Callable, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from engine.simulator.fapiao import forms as fapiao_forms
from engine.simulator.fapiao import life, view
from engine.simulator.fapiao.book import APPLICATION, Book, json, key_of
from engine.simulator.fapiao.life import Document
from engine.simulator.keys.sealed_fields import open_field
from engine.simulator.luck.faults import delay_s, happens
from engine.simulator.pay import forms
from engine.simulator.pay.refusals import FAPIAO_NO_ORDER, FAPIAO_NO_TITLE, FAPIAO_UNKNOWN, Refusal, parameter
from engine.simulator.processes.authorization import Merchant
from engine.simulator.processes.calls import Answer, Call, Outcome

_ACCEPTED = Answer(202, b"")
_FAILURES = {"ISSUE_ACCEPTED": "fapiao_issue_failed", "REVERSE_ACCEPTED": "fapiao_reverse_failed"}


class Invoicing:
    """`field_keys` open what a merchant encrypted, by serial; `later` acts once after some seconds."""

    def __init__(
        self,
        book: Book,
        *,
        field_keys: Callable[[Merchant], Mapping[str, RSAPrivateKey]],
        later: Callable[[float, Callable[[], object]], None],
    ) -> None:
        self._book = book
        self._field_keys = field_keys
        self._later = later

    def resume(self) -> None:
        """Go on with every application that has something accepted and not done."""
        for key, document in self._book.applications().items():
            if life.is_open(document):
                self._advance_later(key, document)

    def apply(self, merchant: Merchant, call: Call) -> Outcome:
        """POST fapiao-applications: 202, to be issued."""
        asked = self._book.read(call, fapiao_forms.APPLICATION)
        if isinstance(asked, Refusal):
            return asked
        fault = _amounts_fault(asked) or self._buyer_fault(merchant, asked["buyer_information"], call.serial)
        if fault is not None:
            return fault
        apply_id = asked["fapiao_apply_id"]
        most_fen = self._most_fen(merchant, apply_id, asked["scene"])
        if isinstance(most_fen, Refusal):
            return most_fen
        key = key_of(merchant.mchid, apply_id)
        known = self._book.application(key)
        applied = life.apply(
            known,
            asked,
            mchid=merchant.mchid,
            most_fen=most_fen,
            terms=_terms(asked),
            card=self._card(merchant.mchid, apply_id, asked["scene"]),
            now_ms=self._book.now_ms(),
        )
        return self._accept(key, known, applied)

    def query(self, merchant: Merchant, call: Call) -> Outcome:
        """GET fapiao-applications/{fapiao_apply_id}?fapiao_id="""
        closed = self._book.closed()
        if closed is not None:
            return closed
        known = self._book.application(key_of(merchant.mchid, call.number))
        if known is None:
            return FAPIAO_UNKNOWN
        shown = view.view(known, call.query.get("fapiao_id"), seller=fapiao_forms.SELLER)
        return shown if isinstance(shown, Refusal) else json(shown)

    def reverse(self, merchant: Merchant, call: Call) -> Outcome:
        """POST fapiao-applications/{fapiao_apply_id}/reverse: 202, to be reversed."""
        asked = self._book.read(call, fapiao_forms.REVERSAL)
        if isinstance(asked, Refusal):
            return asked
        if not 1 <= len(asked["fapiao_information"]) <= life.FAPIAO_MAX:
            return parameter("/fapiao_information", len(asked["fapiao_information"]), "must be 1 to 5")
        key = key_of(merchant.mchid, call.number)
        known = self._book.application(key)
        if known is None:
            return FAPIAO_UNKNOWN
        return self._accept(key, known, life.reverse(known, asked))

    def all(self) -> list[Mapping[str, Any]]:
        """Every application as it is kept, the oldest first."""
        return list(self._book.applications().values())

    def _accept(self, key: str, known: Document | None, accepted: Document | Refusal) -> Outcome:
        if isinstance(accepted, Refusal):
            return accepted
        if accepted is not known:
            self._book.keep(APPLICATION, key, accepted)
            if known is None or not life.is_open(known):
                self._advance_later(key, accepted)
        return _ACCEPTED

    def _advance_later(self, key: str, document: Mapping[str, Any]) -> None:
        luck = self._book.faults()
        subject = f"{key} {[(one['status'], one.get('card_status')) for one in document['fapiao']]}"
        wait_s = delay_s(luck.fapiao_delay_ms, seed=luck.seed, knob="fapiao_delay_ms", subject=subject)
        self._later(wait_s, lambda: self._advance(key))

    def _advance(self, key: str) -> None:
        known = self._book.application(key)
        if known is None:
            return
        luck, tries = self._book.faults(), known.get("tries", 0)

        def fails(state: str, fapiao_id: str) -> bool:
            knob = _FAILURES[state]
            return happens(getattr(luck, knob), seed=luck.seed, knob=knob, subject=f"{key} {fapiao_id} {tries}")

        moved, steps = life.advance(known, fails=fails, fresh_number=self._fresh_number, now_ms=self._book.now_ms())
        moved["tries"] = tries + 1
        states = list(dict.fromkeys(step.state for step in steps))
        for state in states:
            done = [step for step in steps if step.state == state]
            notice = self._book.notice(
                known["mchid"],
                known["apply_id"],
                life.EVENTS[state],
                {"fapiao_information": [step.told() for step in done]},
                subject=" ".join([known["apply_id"], *(step.fapiao_id for step in done)]),
            )
            self._book.keep(APPLICATION, key, moved, notice)
        if not states:
            self._book.keep(APPLICATION, key, moved)
        if life.is_open(moved):
            self._advance_later(key, moved)

    def _buyer_fault(self, merchant: Merchant, buyer: Mapping[str, Any], serial: str) -> Refusal | None:
        """What is wrong with the buyer; phone and mail must open, and are looked at no further."""
        if buyer["type"] == "ORGANIZATION" and "taxpayer_id" not in buyer:
            return parameter("/buyer_information/taxpayer_id", "", "is required for ORGANIZATION")
        for name in ("phone", "email"):
            if name in buyer:
                keys, path = self._field_keys(merchant), f"/buyer_information/{name}"
                opened = open_field(keys, serial=serial, path=path, text=buyer[name])
                if isinstance(opened, Refusal):
                    return opened
        return None

    def _most_fen(self, merchant: Merchant, apply_id: str, scene: str) -> int | Refusal:
        """What may be invoiced: the payment itself, or the amount the buyer saw when filling in the title."""
        if scene == "WITH_WECHATPAY":
            order = self._book.order(merchant.mchid, apply_id)
            return FAPIAO_NO_ORDER if order is None else order.total_fen
        known = self._book.title(merchant.mchid, apply_id)
        return FAPIAO_NO_TITLE if known is None or known.get("title") is None else int(known["total_fen"])

    def _card(self, mchid: str, apply_id: str, scene: str) -> Mapping[str, str] | None:
        template = self._book.card(mchid)
        if template is None:
            return None
        if scene == "WITH_WECHATPAY":
            order = self._book.order(mchid, apply_id)
            openid = "" if order is None else order.openid
        else:
            openid = (self._book.title(mchid, apply_id) or {}).get("openid", "")
        return {**template, "card_openid": openid}

    def _fresh_number(self) -> str:
        return f"{int.from_bytes(self._book.entropy(17)) % 10**40:040}"


def _amounts_fault(asked: Mapping[str, Any]) -> Refusal | None:
    found = life.faults_of(asked["fapiao_information"])
    if found is None:
        return None
    path, value, issue = found
    return parameter(path, value, issue)


def _terms(asked: Mapping[str, Any]) -> str:
    """A digest of the request without what is encrypted, which is new each time it is sent."""
    buyer = {name: value for name, value in asked["buyer_information"].items() if name not in ("phone", "email")}
    return forms.terms({**asked, "buyer_information": buyer})
