"""Messages from templates and facts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import MessageTemplate, Placeholder
from engine.miniprogram.client import Message
from engine.miniprogram.fields import FieldRefused
from engine.miniprogram.templates import Facts, item_desc, message, moment, values, yuan

FACTS = Facts(
    order_no="0" * 32,
    event="潮汐 Tidal",
    session="周六 Saturday",
    venue="",
    starts_ms=1_812_799_800_000,
    time_zone="Asia/Shanghai",
    tickets=(("Floor", 2), ("Stand", 1)),
    amount_fen=224_005,
)


def sent(page: str | None = None, **fields: str) -> Message | FieldRefused:
    return message(MessageTemplate(template_id="tpl-0000000001", page=page, fields=fields), FACTS, "oBuyer")


def test_a_message_carries_the_facts_in_the_shape_of_each_field() -> None:
    told = sent(
        thing1="{event}", time2="{starts_at}", amount3="{amount}", number4="{quantity}", character_string5="{order_no}"
    )
    assert isinstance(told, Message)
    assert told.fields == {
        "thing1": "潮汐 Tidal",
        "time2": "2027年6月12日 19:30",
        "amount3": "¥2240.05",
        "number4": "3",
        "character_string5": "0" * 32,
    }


def test_a_literal_text_stands_as_it_is() -> None:
    told = sent(phrase1="已支付", thing2="{tickets}!")
    assert isinstance(told, Message)
    assert told.fields == {"phrase1": "已支付", "thing2": "Floor ×2, Stand ×1!"}


def test_a_free_text_without_content_shows_that_there_is_none() -> None:
    told = sent(thing1="{venue}")
    assert isinstance(told, Message)
    assert told.fields == {"thing1": "-"}


def test_a_fact_that_does_not_fit_its_field_is_refused_by_name() -> None:
    assert sent(thing1="{event}", phrase2="{event}") == FieldRefused("phrase2")


def test_the_page_gets_facts_as_url_text() -> None:
    told = sent(page="pages/order/order?no={order_no}&session={session}", thing1="x")
    assert isinstance(told, Message)
    assert told.page == f"pages/order/order?no={'0' * 32}&session=%E5%91%A8%E5%85%AD%20Saturday"


def test_a_braced_text_in_a_title_is_no_placeholder() -> None:
    facts = Facts(**{name: getattr(FACTS, name) for name in Facts.__slots__} | {"event": "{order_no}"})
    told = message(MessageTemplate(template_id="tpl-0000000001", fields={"thing1": "{event}"}), facts, "oBuyer")
    assert isinstance(told, Message)
    assert told.fields == {"thing1": "{order_no}"}


def test_every_placeholder_of_the_settings_has_a_value() -> None:
    assert set(values(FACTS)) == set(Placeholder)


@pytest.mark.parametrize(("fen", "said"), [(0, "¥0.00"), (5, "¥0.05"), (88_000, "¥880.00"), (100, "¥1.00")])
def test_amounts_are_yuan_with_two_decimals(fen: int, said: str) -> None:
    assert yuan(fen) == said


def test_a_moment_is_told_on_the_clock_of_the_place() -> None:
    assert moment(1_812_799_800_000, "Europe/Berlin") == "2027年6月12日 13:30"


@given(st.text())
def test_what_was_bought_always_fits_the_shipping_desk(event: str) -> None:
    facts = Facts(**{name: getattr(FACTS, name) for name in Facts.__slots__} | {"event": event})
    assert 0 < len(item_desc("{event}" * 3, facts)) <= 120
