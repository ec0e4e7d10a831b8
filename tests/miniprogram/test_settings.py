"""The section [miniprogram]: off by itself, and refused with a reason where WeChat would refuse it later."""

import json
from typing import Any

import pytest

from engine.config import Config, ConfigInvalid, MessageKind, Miniprogram, load_config
from tests.config.test_config import NEEDED

PAID = {"template_id": "tpl-paid-0001", "page": "pages/order/order?no={order_no}", "fields": {"thing1": "{event}"}}


def loaded(**settings: Any) -> Config:
    given = {f"FLOODGATE_MINIPROGRAM_{name.upper()}": json.dumps(value) for name, value in settings.items()}
    return load_config(None, {**NEEDED, **given})


def reason(**settings: Any) -> str:
    with pytest.raises(ConfigInvalid) as refused:
        loaded(**settings)
    (problem,) = refused.value.problems
    assert problem.key.startswith("miniprogram.")
    return problem.reason


def test_everything_is_off_until_it_is_named() -> None:
    config = load_config(None, NEEDED).miniprogram
    assert (dict(config.templates), config.shipping, config.phone) == ({}, False, False)


def test_a_template_is_read_from_the_environment() -> None:
    found = loaded(templates={"paid": PAID}).miniprogram.templates[MessageKind.PAID]
    assert (found.template_id, found.page, found.fields) == tuple(PAID.values())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"fields": {"thing": "x"}}, "'thing' is no field of a template"),
        ({"fields": {"date 1": "x"}}, "'date 1' is no field of a template"),
        ({"fields": {"thing1": "{evnet}"}}, "{evnet} is no placeholder"),
        ({"fields": {"thing1": "{event"}}, "brace"),
        ({"fields": {"thing1": ""}}, "printable"),
        ({"fields": {}}, "at least 1"),
        ({"page": "/pages/order"}, "should match pattern"),
        ({"page": "pages/order?no={nr}"}, "{nr} is no placeholder"),
        ({"template_id": ""}, "should match pattern"),
        ({"fields": {"amount1": "{refund_amount}"}}, "known to `refunded` alone"),
    ],
)
def test_a_template_that_could_not_be_sent_is_refused_with_the_reason(change: dict[str, Any], said: str) -> None:
    assert said in reason(templates={"paid": {**PAID, **change}})


def test_a_kind_that_nobody_sends_is_refused() -> None:
    assert "paid" in reason(templates={"payed": PAID})


def test_two_kinds_cannot_share_a_template() -> None:
    assert "share a template_id" in reason(templates={"paid": PAID, "reminder": PAID})


@pytest.mark.parametrize("page", ["/pages/sale", "pages/sale?x=1", "pages/sale sale", ""])
def test_a_sale_page_has_no_leading_slash_and_no_query(page: str) -> None:
    with pytest.raises(ValueError, match="sale_page"):
        Miniprogram(sale_page=page)
