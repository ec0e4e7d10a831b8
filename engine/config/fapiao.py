"""The section [fapiao]: what the tax office is told about the tickets, and how WeChat numbers it.

Off by default. Once it is on, tax code, name and rate must be there: they are the seller's own, and no default could be
right. What the documents of WeChat leave open is a setting (`scene`, `reissue`, `quantity_scale`).
"""

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _sendable(text: str) -> str:
    if any(character > "\uffff" or not character.isprintable() for character in text):
        raise ValueError("has a character that WeChat Pay does not take: no emoji, no line breaks")
    return text


def _one_of(*allowed: int) -> Callable[[int], int]:
    def check(number: int) -> int:
        if number not in allowed:
            raise ValueError(f"must be one of {', '.join(map(str, allowed))}")
        return number

    return check


class Fapiao(BaseModel):
    """Whether and how e-fapiao are issued."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True)

    enabled: bool = False
    # The seller's code for tickets in the tax office's table: `floodgate fapiao show` lists those WeChat knows.
    tax_code: Annotated[str, Field(pattern=r"^([0-9]{19})?$")] = ""
    goods_name: Annotated[str, Field(max_length=100), AfterValidator(_sendable)] = ""
    unit: Annotated[str, Field(max_length=20), AfterValidator(_sendable)] = ""
    # In basis points: 600 is 6 %.
    tax_rate_bp: Annotated[int, Field(ge=0, le=10000)] | None = None
    tax_prefer_mark: Annotated[str, Field(pattern=r"^[A-Z_]{0,32}$")] = "NO_FAVORABLE"
    remark: Annotated[str, Field(max_length=200), AfterValidator(_sendable)] = ""
    # Whether WeChat offers the fapiao on the receipt of every payment.
    show_cell: bool = True
    # The number under which a buyer's link collects a title: the payment's, or one of ours.
    scene: Literal["WITH_WECHATPAY", "WITHOUT_WECHATPAY"] = "WITH_WECHATPAY"
    # After a refund in part, the rest is issued under the same application, under a new one of ours with the title we
    # have, or after the buyer filled in the title again.
    reissue: Literal["same", "new", "ask"] = "same"
    reverse_reason: Literal["ISSUE_ERROR", "SALES_RETURN", "SERVICE_SUSPENTION", "SALES_DISCOUNT"] = "SALES_RETURN"
    # How WeChat writes one ticket: a hundred-millionth is its unit, as its examples have it.
    quantity_scale: Annotated[int, AfterValidator(_one_of(1, 100_000_000))] = 100_000_000
    # How long a title is kept after its fapiao came to rest; it is asked for again if it is needed after that.
    title_days: Annotated[int, Field(ge=1, le=3650)] = 30
    # How long after a step WeChat is asked what came of it, told or not; most fapiao are issued within seconds.
    look_after_s: Annotated[float, Field(gt=0, le=600, allow_inf_nan=False)] = 3.0
    check_every_s: Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)] = 2.0
