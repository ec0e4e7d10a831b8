"""The section [miniprogram]: which messages buyers get, and what else WeChat does for this shop.

Everything is off until it is named here: without templates nobody is told anything, without `shipping` WeChat is not
told that tickets were delivered. A template is a promise about fields that WeChat checks, so its fields and
placeholders are checked here, before the first buyer waits for a message.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_settings import NoDecode

from engine.config.kinds import decoded


class MessageKind(StrEnum):
    """What a buyer can be told; each needs a template of its own."""

    PAID = "paid"
    REMINDER = "reminder"
    CHANGED = "changed"
    REFUNDED = "refunded"


class FieldType(StrEnum):
    """What a field of a template can hold; the field's name is one of these and a number, as in `thing1`."""

    THING = "thing"
    NUMBER = "number"
    LETTER = "letter"
    SYMBOL = "symbol"
    CHARACTER_STRING = "character_string"
    TIME = "time"
    DATE = "date"
    AMOUNT = "amount"
    PHONE_NUMBER = "phone_number"
    CAR_NUMBER = "car_number"
    NAME = "name"
    PHRASE = "phrase"


class Placeholder(StrEnum):
    """What can stand in braces in a template's field."""

    EVENT = "event"
    SESSION = "session"
    VENUE = "venue"
    STARTS_AT = "starts_at"
    TICKETS = "tickets"  # the tiers and how many of each
    QUANTITY = "quantity"
    AMOUNT = "amount"
    ORDER_NO = "order_no"
    REFUND_AMOUNT = "refund_amount"


FIELD_NAME = re.compile(rf"^({'|'.join(sorted(FieldType, key=len, reverse=True))})[0-9]{{1,2}}$")
PLACEHOLDERS = frozenset(each.value for each in Placeholder)
PLACE = re.compile(r"\{([^{}]*)\}")
FIELDS_MAX = 8  # WeChat's templates have two to five
TEXT_MAX = 120


def placeholders(text: str) -> list[str]:
    """What stands in braces."""
    return PLACE.findall(text)


def _fields(fields: Mapping[str, str]) -> Mapping[str, str]:
    for name, text in fields.items():
        if not FIELD_NAME.match(name):
            raise ValueError(f"{name!r} is no field of a template; a field is a type and a number: thing1, time2")
        _text(text)
    return fields


def _text(text: str) -> str:
    if not 0 < len(text) <= TEXT_MAX or not text.isprintable():
        raise ValueError(f"must be 1 to {TEXT_MAX} printable characters")
    for name in placeholders(text):
        if name not in PLACEHOLDERS:
            known = ", ".join(f"{{{each}}}" for each in Placeholder)
            raise ValueError(f"{{{name}}} is no placeholder; known are {known}")
    if set(PLACE.sub("", text)) & set("{}"):
        raise ValueError("has a brace that is not closed or not opened")
    return text


# A page of the mini program: without a leading slash, and without a query where WeChat adds its own.
Page = Annotated[str, Field(max_length=128, pattern=r"^[0-9A-Za-z_-][0-9A-Za-z_/.-]*$")]
PageWithQuery = Annotated[
    str, Field(max_length=256, pattern=r"^[0-9A-Za-z_-][0-9A-Za-z_/.-]*(\?[\x21-\x7e]*)?$"), AfterValidator(_text)
]


class MessageTemplate(BaseModel):
    """One template of mp.weixin.qq.com: its id, the page a tap opens, and what goes into each field."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    template_id: Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{10,64}$")]
    page: PageWithQuery | None = None
    fields: Annotated[Mapping[str, str], Field(min_length=1, max_length=FIELDS_MAX), AfterValidator(_fields)]


def _templates(templates: Mapping[MessageKind, MessageTemplate]) -> Mapping[MessageKind, MessageTemplate]:
    ids = [template.template_id for template in templates.values()]
    if len(set(ids)) != len(ids):
        raise ValueError("two kinds share a template_id; a buyer accepts each template by itself")
    for kind, template in templates.items():
        used = {name for text in template.fields.values() for name in placeholders(text)}
        if Placeholder.REFUND_AMOUNT in used and kind is not MessageKind.REFUNDED:
            raise ValueError(f"{kind}: {{refund_amount}} is known to `refunded` alone")
    return templates


class Miniprogram(BaseModel):
    """[miniprogram]."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True)

    templates: Annotated[
        Mapping[MessageKind, MessageTemplate], NoDecode, BeforeValidator(decoded), AfterValidator(_templates)
    ] = {}
    state: Literal["developer", "trial", "formal"] = "formal"
    lang: Literal["zh_CN", "en_US", "zh_HK", "zh_TW"] = "zh_CN"
    remind_before_h: Annotated[int, Field(ge=1, le=30 * 24)] = 24
    # Tell WeChat that tickets are delivered, or the money stays frozen.
    shipping: bool = False
    item_desc: Annotated[str, AfterValidator(_text)] = "{event} {tickets}"
    shipping_alarm_h: Annotated[int, Field(ge=1, le=30 * 24)] = 12
    # What WeChat answers when nothing is left to tell: delivered before, corrected before, nothing new.
    shipping_done_errcodes: Annotated[tuple[int, ...], NoDecode, BeforeValidator(decoded)] = (
        10060002,
        10060003,
        10060023,
    )
    # Ask WeChat for phone numbers; each one costs money.
    phone: bool = False
    sale_page: Page = "pages/sale/sale"
    url_link_days: Annotated[int, Field(ge=1, le=30)] = 30
