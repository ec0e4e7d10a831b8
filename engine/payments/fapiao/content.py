"""What a fapiao says: one line for all tickets of an order, for exactly the money that was kept.

Pure. One line, because a refund may be any sum: splitting it over tickets of several prices would put numbers on a tax
document that nobody paid. The tax inside the sum is the tax office's to compute.
"""

from collections.abc import Mapping
from typing import Any

from engine.config.fapiao import Fapiao

FAPIAOS_PER_APPLICATION_MAX = 5  # WeChat's limit, failures included


def content_of(rules: Fapiao, fapiao_id: str, *, amount_fen: int, quantity: int) -> Mapping[str, Any]:
    """The entry of `fapiao_information`. Needs an amount of at least one fen and rules that are switched on."""
    assert amount_fen >= 1
    assert rules.tax_rate_bp is not None
    line = {
        "tax_code": rules.tax_code,
        "goods_name": rules.goods_name,
        "quantity": max(quantity, 1) * rules.quantity_scale,
        "total_amount": amount_fen,
        "tax_rate": rules.tax_rate_bp,
        "discount": False,
    }
    if rules.unit:
        line["unit"] = rules.unit
    if rules.tax_prefer_mark:
        line["tax_prefer_mark"] = rules.tax_prefer_mark
    content = {"fapiao_id": fapiao_id, "total_amount": amount_fen, "need_list": False, "items": [line]}
    if rules.remark:
        content["remark"] = rules.remark
    return content
