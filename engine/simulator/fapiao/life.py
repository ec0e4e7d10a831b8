"""The life of an electronic invoice (fapiao) at WeChat, as pure functions over one application's document.

    ISSUE_ACCEPTED -> ISSUED | ISSUE_FAILED
    ISSUED | REVERSE_FAILED -> REVERSE_ACCEPTED -> REVERSED | REVERSE_FAILED
    its card: INSERT_ACCEPTED -> INSERTED -> DISCARD_ACCEPTED -> DISCARDED

An application holds up to five fapiao and is a plain JSON document, because it is a paper of the ledger. Every
answer is "accepted"; `advance` does one step of what was accepted and says which callbacks follow. A failed
issue is told to nobody: it must be found by asking. No name, phone or mail of a buyer is decided on here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.simulator.pay.refusals import (
    FAPIAO_CHANGED,
    FAPIAO_MISMATCH,
    FAPIAO_NOT_ISSUED,
    FAPIAO_RETRIED_OUT,
    FAPIAO_TOO_MUCH,
    FAPIAO_UNKNOWN,
    Refusal,
)
from engine.simulator.pay.shapes import rfc3339

FAPIAO_MAX = 5
RETRIES_MAX = 4  # How often failed fapiao of one application may be replaced by new ones.
Document = dict[str, Any]

_DONE = {"ISSUED": "fapiao_status", "REVERSED": "fapiao_status", "INSERTED": "card_status", "DISCARDED": "card_status"}
EVENTS = {
    "ISSUED": ("FAPIAO.ISSUED", "发票开具成功"),
    "REVERSED": ("FAPIAO.REVERSED", "发票冲红成功"),
    "INSERTED": ("FAPIAO.CARD_INSERTED", "发票插入用户卡包成功"),
    "DISCARDED": ("FAPIAO.CARD_DISCARDED", "发票卡券作废成功"),
}


@dataclass(frozen=True, slots=True)
class Step:
    """What one fapiao has just become: `state` is a key of EVENTS."""

    state: str
    fapiao_id: str

    def told(self) -> Mapping[str, str]:
        """How a callback names it."""
        return {"fapiao_id": self.fapiao_id, _DONE[self.state]: self.state}


def apply(
    known: Document | None,
    asked: Mapping[str, Any],
    *,
    mchid: str,
    most_fen: int,
    terms: str,
    card: Mapping[str, str] | None,
    now_ms: int,
) -> Document | Refusal:
    """Accept an application, the same again, or new fapiao in place of failed ones.

    `most_fen` is what may be invoiced at all, `terms` a digest of the request, `card` where cards go (None:
    nowhere). An application that changes nothing is returned as the very same object.
    """
    wanted = asked["fapiao_information"]
    if known is not None:
        if terms in known["terms"]:
            return known
        if any(fapiao["status"] != "ISSUE_FAILED" for fapiao in known["fapiao"]):
            return FAPIAO_CHANGED
        if {fapiao["fapiao_id"] for fapiao in wanted} & {fapiao["fapiao_id"] for fapiao in known["fapiao"]}:
            return FAPIAO_CHANGED
        if len(known["terms"]) > RETRIES_MAX:
            return FAPIAO_RETRIED_OUT
    if sum(fapiao["total_amount"] for fapiao in wanted) > most_fen:
        return FAPIAO_TOO_MUCH
    before: Document = known or {"mchid": mchid, "apply_id": asked["fapiao_apply_id"], "terms": [], "fapiao": []}
    return before | {
        "scene": asked["scene"],
        "buyer": {name: value for name, value in asked["buyer_information"].items() if name not in ("phone", "email")},
        "card": card,
        "terms": [*before["terms"], terms],
        "fapiao": [*before["fapiao"], *(_accepted(fapiao) for fapiao in wanted)],
        "accepted_ms": now_ms,
    }


def reverse(known: Document, asked: Mapping[str, Any]) -> Document | Refusal:
    """Accept a reversal of some of the fapiao; asking for it again while it runs or when done changes nothing."""
    wanted = {fapiao["fapiao_id"]: fapiao for fapiao in asked["fapiao_information"]}
    found = {fapiao["fapiao_id"]: fapiao for fapiao in known["fapiao"]}
    for fapiao_id, named in wanted.items():
        fapiao = found.get(fapiao_id)
        if fapiao is None:
            return FAPIAO_UNKNOWN
        blue = fapiao.get("blue")
        if blue is None:
            return FAPIAO_NOT_ISSUED
        if (named["fapiao_code"], named["fapiao_number"]) != (blue["fapiao_code"], blue["fapiao_number"]):
            return FAPIAO_MISMATCH
    if all(found[fapiao_id]["status"] in ("REVERSE_ACCEPTED", "REVERSED") for fapiao_id in wanted):
        return known
    return known | {
        "reverse_reason": asked["reverse_reason"],
        "fapiao": [
            fapiao | {"status": "REVERSE_ACCEPTED"}
            if fapiao["fapiao_id"] in wanted and fapiao["status"] in ("ISSUED", "REVERSE_FAILED")
            else fapiao
            for fapiao in known["fapiao"]
        ],
    }


def advance(
    known: Document, *, fails: Callable[[str, str], bool], fresh_number: Callable[[], str], now_ms: int
) -> tuple[Document, list[Step]]:
    """One step of everything that was accepted. `fails` is asked with the accepted state and the fapiao_id."""
    steps: list[Step] = []
    moved: list[Document] = []
    for fapiao in known["fapiao"]:
        fapiao_id, status, card = fapiao["fapiao_id"], fapiao["status"], fapiao.get("card_status")
        if status == "ISSUE_ACCEPTED" and fails(status, fapiao_id):
            moved.append(fapiao | {"status": "ISSUE_FAILED"})
        elif status == "ISSUE_ACCEPTED":
            inserted = {"card_status": "INSERT_ACCEPTED", "card_code": fresh_number()} if known["card"] else {}
            moved.append(fapiao | {"status": "ISSUED", "blue": _paper(fresh_number(), now_ms)} | inserted)
            steps.append(Step("ISSUED", fapiao_id))
        elif status == "REVERSE_ACCEPTED" and fails(status, fapiao_id):
            moved.append(fapiao | {"status": "REVERSE_FAILED"})
        elif status == "REVERSE_ACCEPTED":
            discarded = {"card_status": "DISCARD_ACCEPTED"} if card else {}
            moved.append(fapiao | {"status": "REVERSED", "red": _paper(fresh_number(), now_ms)} | discarded)
            steps.append(Step("REVERSED", fapiao_id))
        elif card in ("INSERT_ACCEPTED", "DISCARD_ACCEPTED"):
            state = "INSERTED" if card == "INSERT_ACCEPTED" else "DISCARDED"
            moved.append(fapiao | {"card_status": state})
            steps.append(Step(state, fapiao_id))
        else:
            moved.append(fapiao)
    return known | {"fapiao": moved}, steps


def is_open(known: Mapping[str, Any]) -> bool:
    """Whether anything accepted still has to happen."""
    return any(
        state is not None and state.endswith("_ACCEPTED")
        for fapiao in known["fapiao"]
        for state in (fapiao["status"], fapiao.get("card_status"))
    )


def faults_of(fapiao: Sequence[Mapping[str, Any]]) -> tuple[str, object, str] | None:
    """What is wrong with the amounts and names of some fapiao: path, value and issue."""
    if not 1 <= len(fapiao) <= FAPIAO_MAX:
        return "/fapiao_information", len(fapiao), f"must be 1 to {FAPIAO_MAX}"
    if len({entry["fapiao_id"] for entry in fapiao}) != len(fapiao):
        return "/fapiao_information", "fapiao_id", "names a fapiao twice"
    for index, entry in enumerate(fapiao):
        path = f"/fapiao_information/{index}"
        if not entry["items"]:
            return f"{path}/items", [], "must not be empty"
        lines_fen = sum(-item["total_amount"] if item["discount"] else item["total_amount"] for item in entry["items"])
        if lines_fen != entry["total_amount"]:
            return f"{path}/total_amount", entry["total_amount"], "differs from the sum of its items"
    return None


def _accepted(asked: Mapping[str, Any]) -> Document:
    return {
        "fapiao_id": asked["fapiao_id"],
        "status": "ISSUE_ACCEPTED",
        "total_fen": asked["total_amount"],
        "items": asked["items"],
        "remark": asked.get("remark", ""),
    }


def _paper(number: str, now_ms: int) -> Document:
    """The numbers of an issued fapiao, cut from 40 digits."""
    return {
        "fapiao_code": f"0440{number[:8]}",
        "fapiao_number": number[8:16],
        "check_code": number[16:36],
        "password": number[::-1],
        "fapiao_time": rfc3339(now_ms),
    }
