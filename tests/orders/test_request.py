"""What a buyer may ask for: the order body, read strictly."""

from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.catalog.records import Sku
from engine.orders.request import OrderBodies, is_idempotency_key, read_items
from engine.stock.claim import Item
from engine.web.problems import Code

SKUS = {
    sku_id: Sku(sku_id=sku_id, session_id="night", title=sku_id, price_fen=100, capacity=10, per_order_max=4)
    for sku_id in ("floor", "stand", "sku")
}


def test_a_good_body_is_read() -> None:
    raw = b'{"items":[{"sku":"floor","quantity":2},{"quantity":1,"sku":"stand"}]}'
    assert read_items(raw, SKUS) == (Item("floor", 2), Item("stand", 1))


def test_a_sku_with_the_name_of_a_key_is_read() -> None:
    assert read_items(b'{"items":[{"sku":"sku","quantity":1}]}', SKUS) == (Item("sku", 1),)


@pytest.mark.parametrize("quantity", ["0", "-1", "1.0", '"1"', "true", "null", "1e3", "[]", "{}", str(2**64)])
def test_a_quantity_that_is_no_positive_whole_number_is_refused(quantity: str) -> None:
    raw = f'{{"items":[{{"sku":"floor","quantity":{quantity}}}]}}'.encode()
    assert read_items(raw, SKUS) is Code.QUANTITY_INVALID


@pytest.mark.parametrize("quantity", [5, 2**31, 2**63 - 1])
def test_a_quantity_beyond_the_limit_of_one_order_is_refused(quantity: int) -> None:
    raw = orjson.dumps({"items": [{"sku": "floor", "quantity": quantity}]})
    assert read_items(raw, SKUS) is Code.ORDER_LIMIT


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'{"items":1}',
        b'{"items":[1]}',
        b'{"items":[{"sku":"floor"}]}',
        b'{"items":[{"sku":1,"quantity":1}]}',
        b'{"items":[{"sku":"floor","quantity":1,"price":1}]}',
        b'{"items":[],"extra":1}',
        b'{"items":[{"sku":"floor","quantity":NaN}]}',
        b'{"items":[{"sku":"floor","sku":"stand","quantity":1}]}',
        b'{"items":[{"sku":"floor","quantity":1,"quantity":2}]}',
        b'{"items":[{"sku":"floor","\\u0073ku":"stand","quantity":1}]}',
        b'{"items":[{"sku":"floor","quantity":1}],"items":[{"sku":"floor","quantity":1}]}',
        b"\xef\xbb\xbf" + b'{"items":[{"sku":"floor","quantity":1}]}',
        b'{"items":[{"sku":"\xff","quantity":1}]}',
        b'{"items":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    ],
)
def test_a_body_that_is_not_what_this_address_expects_is_refused(raw: bytes) -> None:
    assert read_items(raw, SKUS) is Code.BODY_INVALID


def test_no_items_or_too_many_or_one_sku_twice_are_refused() -> None:
    one = {"sku": "floor", "quantity": 1}
    assert read_items(orjson.dumps({"items": []}), SKUS) is Code.ITEMS_INVALID
    assert read_items(orjson.dumps({"items": [one] * 9}), SKUS) is Code.ITEMS_INVALID
    assert read_items(orjson.dumps({"items": [one, one]}), SKUS) is Code.ITEMS_INVALID


def test_an_unknown_sku_is_refused() -> None:
    assert read_items(b'{"items":[{"sku":"balcony","quantity":1}]}', SKUS) is Code.UNKNOWN_SKU


@given(raw=st.binary(max_size=300))
def test_no_bytes_break_the_reader(raw: bytes) -> None:
    assert isinstance(read_items(raw, SKUS), (tuple, Code))


@pytest.mark.parametrize(
    ("text", "good"),
    [("k" * 8, True), ("k" * 64, True), ("k" * 7, False), ("k" * 65, False), ("has space", False), ("été-1234", False)],
)
def test_an_idempotency_key_is_8_to_64_visible_characters(text: str, good: bool) -> None:
    assert is_idempotency_key(text) is good


@given(
    bodies=st.lists(st.sampled_from([b'{"items":[{"sku":"floor","quantity":%d}]}' % n for n in range(7)]), max_size=20)
)
def test_a_body_is_read_the_same_however_often_it_came_before(bodies: list[bytes]) -> None:
    remembered = OrderBodies()
    assert [remembered.read(raw, SKUS) for raw in bodies] == [read_items(raw, SKUS) for raw in bodies]


def test_a_body_that_was_good_is_refused_once_the_catalog_allows_less() -> None:
    raw, remembered = b'{"items":[{"sku":"floor","quantity":2}]}', OrderBodies()
    remembered.read(raw, SKUS)
    assert remembered.read(raw, {"floor": replace(SKUS["floor"], per_order_max=1)}) is Code.ORDER_LIMIT
