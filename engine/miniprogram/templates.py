"""From what happened to an order to the fields of a message. Pure: facts come in, a message or a refusal goes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote
from zoneinfo import ZoneInfo

from engine.config import FieldType, MessageTemplate, Placeholder
from engine.config.miniprogram import PLACE
from engine.miniprogram.client import ITEM_DESC_MAX, Message
from engine.miniprogram.fields import ELLIPSIS, FieldRefused, fit, type_of

NOTHING = "-"  # what a free text says where the catalog says nothing: a session without a venue


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a message can tell of an order. `tickets` are tiers and how many of each; amounts are fen."""

    order_no: str
    event: str
    session: str
    venue: str
    starts_ms: int
    time_zone: str
    tickets: tuple[tuple[str, int], ...]
    amount_fen: int
    refund_fen: int = 0


def yuan(fen: int) -> str:
    """An amount as buyers read it: ¥880.00."""
    return f"¥{fen // 100}.{fen % 100:02}"


def moment(instant_ms: int, time_zone: str) -> str:
    """A moment as WeChat's `time` and `date` take it, on the clock of the place: 2027年6月12日 19:30."""
    when = datetime.fromtimestamp(instant_ms / 1000, UTC).astimezone(ZoneInfo(time_zone))
    return f"{when.year}年{when.month}月{when.day}日 {when:%H:%M}"


def values(facts: Facts) -> Mapping[str, str]:
    """What stands for each placeholder."""
    return {
        Placeholder.EVENT: facts.event,
        Placeholder.SESSION: facts.session,
        Placeholder.VENUE: facts.venue,
        Placeholder.STARTS_AT: moment(facts.starts_ms, facts.time_zone),
        Placeholder.TICKETS: ", ".join(f"{tier} ×{quantity}" for tier, quantity in facts.tickets),
        Placeholder.QUANTITY: str(sum(quantity for _, quantity in facts.tickets)),
        Placeholder.AMOUNT: yuan(facts.amount_fen),
        Placeholder.ORDER_NO: facts.order_no,
        Placeholder.REFUND_AMOUNT: yuan(facts.refund_fen),
    }


def filled(text: str, with_values: Mapping[str, str]) -> str:
    """The text with its placeholders replaced; what they stand for is not looked at again."""
    return PLACE.sub(lambda found: with_values[found.group(1)], text)


def message(template: MessageTemplate, facts: Facts, openid: str) -> Message | FieldRefused:
    """The message to this buyer, or the first field that cannot hold what it should."""
    known = values(facts)
    fields = {}
    for name, text in template.fields.items():
        said = filled(text, known).strip()
        if not said and type_of(name) is FieldType.THING:
            said = NOTHING
        fitted = fit(name, said)
        if isinstance(fitted, FieldRefused):
            return fitted
        fields[name] = fitted
    in_url = {name: quote(value, safe="") for name, value in known.items()}
    page = None if template.page is None else filled(template.page, in_url)
    return Message(openid=openid, template_id=template.template_id, page=page, fields=fields)


def item_desc(text: str, facts: Facts) -> str:
    """What was bought, for WeChat's shipping desk: at most 120 characters, shortened visibly."""
    said = " ".join(filled(text, values(facts)).split()) or NOTHING
    return said if len(said) <= ITEM_DESC_MAX else said[: ITEM_DESC_MAX - len(ELLIPSIS)].rstrip() + ELLIPSIS
