"""What an order may say: every other body is refused by a clear code, and nothing is held."""

import json

import pytest

from tests.support.buyer import Buyer, Crowd
from tests.support.engine import OnSale


def body_of(sku: str, quantity: str) -> bytes:
    return f'{{"items":[{{"sku":{json.dumps(sku)},"quantity":{quantity}}}]}}'.encode()


@pytest.mark.parametrize(
    ("quantity", "code"),
    [
        ("0", "QUANTITY_INVALID"),
        ("-0", "QUANTITY_INVALID"),
        ("-1", "QUANTITY_INVALID"),
        ("-9223372036854775808", "QUANTITY_INVALID"),
        ("5", "ORDER_LIMIT"),
        ("2147483647", "ORDER_LIMIT"),
        ("2147483648", "ORDER_LIMIT"),
        ("9223372036854775807", "ORDER_LIMIT"),
        ("9223372036854775808", "ORDER_LIMIT"),
        ("18446744073709551616", "QUANTITY_INVALID"),
        ("1.0", "QUANTITY_INVALID"),
        ("1e0", "QUANTITY_INVALID"),
        ('"1"', "QUANTITY_INVALID"),
        ("true", "QUANTITY_INVALID"),
        ("null", "QUANTITY_INVALID"),
        ("[1]", "QUANTITY_INVALID"),
        ("{}", "QUANTITY_INVALID"),
    ],
)
async def test_quantity_that_is_no_number_of_units_is_422(buyer: Buyer, sale: OnSale, quantity: str, code: str) -> None:
    answer = await buyer.order_raw(sale.sale_id, body_of(sale.skus[0], quantity))
    assert (answer.status, answer.code) == (422, code)
    assert (await buyer.ask("GET", "/v1/orders")).json == {"orders": []}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"17",
        b'"items"',
        b"{}",
        b'{"items":{}}',
        b'{"items":null}',
        b'{"items":["SKU"]}',
        b'{"items":[{"sku":"SKU"}]}',
        b'{"items":[{"quantity":1}]}',
        b'{"items":[{"sku":7,"quantity":1}]}',
        b'{"items":[{"sku":null,"quantity":1}]}',
        b'{"items":[{"sku":"SKU","quantity":1,"price_fen":1}]}',
        b'{"items":[{"sku":"SKU","quantity":1}],"buyer":"me"}',
        b'{"items":[{"sku":"SKU","quantity":NaN}]}',
        b'{"items":[{"sku":"SKU","quantity":Infinity}]}',
        b'{"items":[{"sku":"SKU","quantity":01}]}',
        b'{"items":[{"sku":"SKU","quantity":1' + b"0" * 400 + b"}]}",
        b'{"items":[{"sku":"SKU","quantity":0x1}]}',
        b'{"items":[{"sku":"SKU","quantity":1},]}',
        b"{'items':[]}",
        b'{"items":[{"sku":"SKU","quantity":1}]} {}',
        b'{"items":[{"sku":"SKU","quantity":1}]}\x00',
        b'{"items":[{"sku":"SKU\x00","quantity":1}]}',
        b'{"items":[{"sku":"\\ud800","quantity":1}]}',
        b'{"items":[{"sku":"SKU\xff","quantity":1}]}',
        b'{"items":[{"sku":"SKU\xc0\xaf","quantity":1}]}',
        b'\xef\xbb\xbf{"items":[{"sku":"SKU","quantity":1}]}',
        '{"items":[{"sku":"SKU","quantity":1}]}'.encode("utf-16"),
        b'{"items":[{"sku":"SKU","quantity":1}],"items":[{"sku":"SKU","quantity":1}]}',
        b'{"items":[{"sku":"SKU","sku":"SKU","quantity":1}]}',
        b'{"items":[{"sku":"SKU","quantity":2,"quantity":1}]}',
        b'{"items":[{"sku":"SKU","s\\u006bu":"SKU","quantity":1}]}',
        b'{"items":[{"sku":"SKU","\\u0071uantity":2,"quantity":1}]}',
        b'{"items":[],"item\\u0073":[{"sku":"SKU","quantity":1}]}',
        b"[" * 10_000,
        b'{"items":' + b"[" * 8_000 + b"]" * 8_000 + b"}",
        b'{"a":' * 2_500 + b"1" + b"}" * 2_500,
    ],
    ids=lambda raw: repr(raw[:60]),
)
async def test_body_that_is_not_the_json_of_an_order_is_400(buyer: Buyer, sale: OnSale, raw: bytes) -> None:
    answer = await buyer.order_raw(sale.sale_id, raw.replace(b"SKU", sale.skus[0].encode()))
    assert (answer.status, answer.code) == (400, "BODY_INVALID")
    assert (await buyer.ask("GET", "/v1/orders")).json == {"orders": []}


@pytest.mark.parametrize(
    "sku",
    [
        "",
        "no-such-sku",
        "票档",
        "a\u0000b",
        "a\r\nSet-Cookie: x=1",
        "../../etc/passwd",
        "{sale}",
        "🎫" * 1000,
        "'; drop table orders; --",
        "\u202e",
    ],
    ids=lambda sku: repr(sku[:20]),
)
async def test_sku_that_the_sale_does_not_offer_is_422(buyer: Buyer, sale: OnSale, sku: str) -> None:
    answer = await buyer.order(sale.sale_id, {sku: 1})
    assert (answer.status, answer.code) == (422, "UNKNOWN_SKU")


async def test_no_items_at_all_are_422(buyer: Buyer, sale: OnSale) -> None:
    answer = await buyer.order(sale.sale_id, {})
    assert (answer.status, answer.code) == (422, "ITEMS_INVALID")


async def test_nine_items_are_422(buyer: Buyer, sale: OnSale) -> None:
    answer = await buyer.order(sale.sale_id, {f"sku-{number}": 1 for number in range(9)})
    assert (answer.status, answer.code) == (422, "ITEMS_INVALID")


async def test_same_sku_twice_is_422(buyer: Buyer, sale: OnSale) -> None:
    item = {"sku": sale.skus[0], "quantity": 1}
    answer = await buyer.order_raw(sale.sale_id, json.dumps({"items": [item, item]}).encode())
    assert (answer.status, answer.code) == (422, "ITEMS_INVALID")


async def test_escaped_but_honest_json_is_an_order(buyer: Buyer, sale: OnSale) -> None:
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in sale.skus[0])
    raw = b'{"item\\u0073":[{"quantity":1,"s\\u006bu":"' + escaped.encode() + b'"}]}'
    answer = await buyer.order_raw(sale.sale_id, raw)
    assert answer.status == 201
    assert answer.json["items"][0]["sku"] == sale.skus[0]


@pytest.mark.parametrize(
    "key",
    ["", "seven77", "k" * 65, "with space", "tab\tinside", "ключ-ключ", "票票票票票票票票", "k" * 3000],
    ids=lambda key: repr(key[:20]),
)
async def test_idempotency_key_out_of_its_form_is_400(buyer: Buyer, sale: OnSale, key: str) -> None:
    headers = {"Floodgate-Pass": buyer.passes[sale.sale_id], "Idempotency-Key": key}
    answer = await buyer.ask(
        "POST", f"/v1/sales/{sale.sale_id}/orders", raw=body_of(sale.skus[0], "1"), headers=headers
    )
    assert (answer.status, answer.code) == (400, "KEY_INVALID")


async def test_missing_idempotency_key_is_400(buyer: Buyer, sale: OnSale) -> None:
    headers = {"Floodgate-Pass": buyer.passes[sale.sale_id]}
    answer = await buyer.ask(
        "POST", f"/v1/sales/{sale.sale_id}/orders", raw=body_of(sale.skus[0], "1"), headers=headers
    )
    assert (answer.status, answer.code) == (400, "KEY_INVALID")


@pytest.mark.parametrize("key", ["!" * 8, "~" * 64, "3f7b2d1e-0001", '"quoted"'])
async def test_idempotency_key_of_visible_ascii_is_taken(buyer: Buyer, sale: OnSale, key: str) -> None:
    answer = await buyer.order(sale.sale_id, {sale.skus[0]: 1}, key=key)
    assert answer.status == 201


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"code":null}',
        b'{"code":7}',
        b'{"code":""}',
        b'{"code":NaN}',
        b'{"code":"a","code":"b"}',
        b'\xef\xbb\xbf{"code":"a"}',
        b'{"code":"\xff"}',
        b"[" * 10_000,
    ],
    ids=lambda raw: repr(raw[:40]),
)
async def test_body_that_is_no_login_is_400(crowd: Crowd, raw: bytes) -> None:
    answer = await crowd.ask("POST", "/v1/login", raw=raw)
    assert (answer.status, answer.code) == (400, "BODY_INVALID")


@pytest.mark.parametrize("code", ["unknown", "票", "a\u0000b", "a\r\nb", "x" * 129, "&secret=1", "%00", " "])
async def test_login_code_that_wechat_does_not_know_is_401(crowd: Crowd, code: str) -> None:
    answer = await crowd.ask("POST", "/v1/login", body={"code": code})
    assert (answer.status, answer.code) == (401, "LOGIN_REFUSED")


async def test_login_code_serves_once(crowd: Crowd) -> None:
    code = await crowd.buyer().login_code()
    assert (await crowd.ask("POST", "/v1/login", body={"code": code})).status == 200
    assert (await crowd.ask("POST", "/v1/login", body={"code": code})).code == "LOGIN_REFUSED"


@pytest.mark.parametrize("raw", [b"[]", b"7", b"null", b"{", b'{"place":"a","place":"b"}'], ids=repr)
async def test_body_that_is_no_joining_is_400(buyer: Buyer, sale: OnSale, raw: bytes) -> None:
    answer = await buyer.ask("POST", f"/v1/sales/{sale.sale_id}/places", raw=raw)
    assert (answer.status, answer.code) == (400, "BODY_INVALID")


@pytest.mark.parametrize("raw", [b"", b"{}", b'{"place":null}', b'{"later":"clients"}'], ids=repr)
async def test_joining_needs_no_body(buyer: Buyer, sale: OnSale, raw: bytes) -> None:
    answer = await buyer.ask("POST", f"/v1/sales/{sale.sale_id}/places", raw=raw)
    assert answer.status == 201
