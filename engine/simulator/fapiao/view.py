"""What a query about an application answers: each fapiao with its lines, its tax, its numbers and its card. Pure."""

from collections.abc import Mapping
from typing import Any

from engine.simulator.fapiao.life import Document
from engine.simulator.pay.refusals import FAPIAO_UNKNOWN, Refusal


def view(known: Mapping[str, Any], fapiao_id: str | None, *, seller: Mapping[str, str]) -> Document | Refusal:
    """What a query answers, for all fapiao of the application or one."""
    chosen = [fapiao for fapiao in known["fapiao"] if fapiao_id in (None, fapiao["fapiao_id"])]
    if not chosen:
        return FAPIAO_UNKNOWN
    shown: list[Document] = []
    for fapiao in chosen:
        items = [_item(item) for item in fapiao["items"]]
        entry: Document = {
            "fapiao_id": fapiao["fapiao_id"],
            "status": fapiao["status"],
            "total_amount": fapiao["total_fen"],
            "tax_amount": sum(item["tax_amount"] for item in items),
            "amount": sum(item["amount"] for item in items),
            "seller_information": seller,
            "buyer_information": known["buyer"],
            "items": items,
        }
        for name, colour in (("blue_fapiao", "blue"), ("red_fapiao", "red")):
            if colour in fapiao:
                entry[name] = fapiao[colour]
        if "card_status" in fapiao:
            entry["card_information"] = {
                **known["card"],
                "card_code": fapiao["card_code"],
                "card_status": fapiao["card_status"],
            }
        if fapiao["remark"]:
            entry["remark"] = fapiao["remark"]
        shown.append(entry)
    return {"total_count": len(shown), "fapiao_information": shown}


def _item(asked: Mapping[str, Any]) -> Document:
    """A line with its tax taken out of its total, rounded half up; a discount is negative throughout."""
    sign = -1 if asked["discount"] else 1
    rate = asked.get("tax_rate", 0)
    tax_fen = (2 * asked["total_amount"] * rate + 10_000 + rate) // (2 * (10_000 + rate))
    return dict(asked) | {
        "tax_rate": rate,
        "total_amount": sign * asked["total_amount"],
        "tax_amount": sign * tax_fen,
        "amount": sign * (asked["total_amount"] - tax_fen),
    }
