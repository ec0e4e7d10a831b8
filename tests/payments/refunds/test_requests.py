"""What a request for a refund may say, and that nothing else gets through."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.payments.port import CardOwner
from engine.payments.refunds.requests import (
    BankCard,
    OrganizerWish,
    key_of,
    read_bank_card,
    read_buyers_items,
    read_organizers_wish,
)
from engine.stock.claim import Item
from engine.web.problems import Code

ONE = {"sku": "floor", "quantity": 1}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2**40) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["items", "whole", "amount_fen", "reason", "units_back", "owner", "bank_type", "account", "name", "x"]
)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({}, ()),
        ({"items": [ONE]}, (Item("floor", 1),)),
        ({"items": []}, Code.ITEMS_INVALID),
        ({"items": [ONE, ONE]}, Code.ITEMS_INVALID),
        ({"items": [{"sku": "floor", "quantity": 0}]}, Code.QUANTITY_INVALID),
        ({"items": [{"sku": "floor", "quantity": True}]}, Code.QUANTITY_INVALID),
        ({"items": [{"sku": "floor"}]}, Code.BODY_INVALID),
        ({"items": ONE}, Code.BODY_INVALID),
        ({"amount_fen": 1}, Code.BODY_INVALID),
        ([], Code.BODY_INVALID),
    ],
)
def test_a_buyer_names_tickets_and_nothing_else(body: object, found: object) -> None:
    assert read_buyers_items(orjson.dumps(body)) == found


def test_no_body_at_all_means_every_ticket() -> None:
    assert read_buyers_items(b"") == ()


@pytest.mark.parametrize(
    "body",
    [
        {"reason": "Ill"},
        {"whole": True},
        {"whole": True, "reason": " "},
        {"whole": True, "reason": "x" * 81},
        {"whole": True, "reason": "two\nlines"},
        {"whole": True, "amount_fen": 1, "reason": "Ill"},
        {"whole": True, "items": [ONE], "reason": "Ill"},
        {"amount_fen": -1, "reason": "Ill"},
        {"amount_fen": 1.5, "reason": "Ill"},
        {"amount_fen": True, "reason": "Ill"},
        {"amount_fen": 2**31, "reason": "Ill"},
        {"amount_fen": 1, "reason": "Ill", "units_back": 1},
    ],
)
def test_an_organizers_wish_that_says_nothing_two_things_or_nonsense_is_refused(body: object) -> None:
    assert read_organizers_wish(orjson.dumps(body)) is Code.BODY_INVALID


def test_an_organizer_names_tickets_and_what_is_given_for_them() -> None:
    body = {"items": [ONE], "amount_fen": 500, "reason": " Ill ", "units_back": False}
    assert read_organizers_wish(orjson.dumps(body)) == OrganizerWish("Ill", False, (Item("floor", 1),), 500, False)


def test_a_buyers_card_needs_bank_number_and_holder() -> None:
    whole = {"owner": "BUYER", "bank_type": "CMB_DEBIT", "account": "6225", "name": "张三"}
    assert isinstance(read_bank_card(orjson.dumps(whole)), BankCard)
    for missing in ("bank_type", "account", "name"):
        assert read_bank_card(orjson.dumps({**whole, missing: ""})) is Code.BODY_INVALID


def test_a_bank_card_never_shows_its_number_or_holder() -> None:
    card = BankCard(CardOwner.BUYER, "CMB_DEBIT", "6225880100000000", "张三")
    assert "6225" not in f"{card!r} {card}"
    assert "张三" not in f"{card!r} {card}"


def test_a_key_is_its_askers_own_and_knows_its_content_in_any_order() -> None:
    items = [Item("b", 1), Item("a", 2)]
    key = key_of(b"ann", "key-0001", "1", items)
    assert key == key_of(b"ann", "key-0001", "1", items[::-1])
    assert key.request_id != key_of(b"ben", "key-0001", "1", items).request_id
    assert key.digest != key_of(b"ann", "key-0001", "1", items, 500).digest
    kept, back = (key_of(b"ann", "key-0001", "1", items, units_back=units_back).digest for units_back in (False, True))
    assert len({key.digest, kept, back}) == 3


@given(st.binary(max_size=64) | st.dictionaries(FIELDS, JSON, max_size=5).map(orjson.dumps))
def test_whatever_arrives_is_read_or_refused(raw: bytes) -> None:
    for read in (read_buyers_items, read_organizers_wish, read_bank_card):
        assert isinstance(read(raw), tuple | OrganizerWish | BankCard | Code)  # type: ignore[operator]
