"""Shipping information: what is refused, how parts add up, the one correction, and when the money is let go."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.simulator.weixin.shipping import add, form_fault
from tests.simulator.test_bills import NOON_MS, PAID

PARCEL = {"item_desc": "音乐节 两日票 x1"}
SENT = {"tracking_no": "123", "express_company": "ZTO", "item_desc": "纸质票"}


def upload(**changed: Any) -> dict[str, Any]:
    """A right upload of a virtual good; a field changed to None is left out."""
    document = {
        "order_key": {"order_number_type": 1, "mchid": "1900000001", "out_trade_no": "T00001"},
        "logistics_type": 3,
        "delivery_mode": 1,
        "shipping_list": [PARCEL],
        "upload_time": "2026-03-01T12:00:00.123+08:00",
        "payer": {"openid": "o" * 28},
    } | changed
    return {name: value for name, value in document.items() if value is not None}


def shipped(known: dict[str, Any] | None, asked: dict[str, Any]) -> dict[str, Any]:
    paper = add(known, asked, PAID, now_ms=NOON_MS)
    assert isinstance(paper, dict), paper
    return paper


def part(*, last: bool, number: int) -> dict[str, Any]:
    return upload(
        logistics_type=1,
        delivery_mode=2,
        is_all_delivered=last,
        shipping_list=[SENT | {"tracking_no": str(number)}],
        upload_time=f"2026-03-01T12:00:{number:02}.123+08:00",
    )


def later(**changed: Any) -> dict[str, Any]:
    return upload(upload_time="2026-03-01T12:00:01+08:00", **changed)


def test_a_right_upload_has_no_fault() -> None:
    assert form_fault(upload()) is None


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (upload(order_key=None), 47001),
        (upload(payer={"openid": "short"}), 47001),
        (upload(order_key={"order_number_type": 3}), 10060014),
        (upload(logistics_type=5), 10060005),
        (upload(logistics_type=0), 47001),
        (upload(delivery_mode=3), 10060014),
        (upload(delivery_mode=2), 10060006),
        (upload(delivery_mode=2, logistics_type=1, shipping_list=[SENT]), 10060007),
        (upload(upload_time="2026-03-01T12:00:00.123+0800"), 268485216),
        (upload(upload_time="2026-02-30T12:00:00.123+08:00"), 268485216),
        (upload(shipping_list=[]), 10060024),
        (upload(shipping_list=[PARCEL, PARCEL]), 10060024),
        (upload(shipping_list=[SENT] * 16, logistics_type=1, delivery_mode=2, is_all_delivered=True), 10060024),
        (upload(shipping_list=[{"item_desc": ""}]), 10060008),
        (upload(shipping_list=[{"item_desc": "票" * 121}]), 10060009),
        (upload(logistics_type=1), 10060014),
        (upload(logistics_type=1, shipping_list=[SENT | {"express_company": "SF"}]), 10060019),
        (upload(shipping_list=[PARCEL | {"colour": "red"}]), 47001),
        (upload(shipping_list=PARCEL), 47001),
    ],
)
def test_each_wrong_upload_has_its_code(asked: dict[str, Any], code: int) -> None:
    fault = form_fault(asked)
    assert fault is not None
    assert fault[0] == code


def test_a_whole_shipment_lets_the_money_go() -> None:
    assert shipped(None, upload())["settled_ms"] == NOON_MS


def test_parts_let_the_money_go_with_the_last() -> None:
    first = shipped(None, part(last=False, number=1))
    second = shipped(first, part(last=True, number=2))
    assert (first["settled_ms"], second["settled_ms"]) == (None, NOON_MS)
    assert [parcel["tracking_no"] for parcel in second["shipping_list"]] == ["1", "2"]


def test_parts_are_fifteen_at_most() -> None:
    paper = shipped(None, part(last=False, number=0))
    for number in range(1, 15):
        paper = shipped(paper, part(last=False, number=number))
    assert add(paper, part(last=True, number=16), PAID, now_ms=NOON_MS) == (10060024, "物流信息列表的长度有误")


def test_what_was_uploaded_may_be_corrected_once() -> None:
    first = shipped(None, upload())
    corrected = shipped(first, later(shipping_list=[{"item_desc": "对号入座"}]))
    assert (corrected["corrected"], corrected["settled_ms"]) == (True, first["settled_ms"])
    again = add(corrected, upload(upload_time="2026-03-01T12:00:02+08:00"), PAID, now_ms=NOON_MS)
    assert again == (10060003, "支付单已使用重新发货机会")


def test_another_manner_of_shipping_is_the_one_correction() -> None:
    first = shipped(None, part(last=False, number=0))
    changed = shipped(first, later())
    assert (changed["corrected"], changed["settled_ms"], changed["shipping_list"]) == (True, NOON_MS, [PARCEL])


@pytest.mark.parametrize("asked", [later(), upload(shipping_list=[{"item_desc": "对号入座"}])])
def test_the_same_again_or_an_earlier_upload_is_no_correction(asked: dict[str, Any]) -> None:
    assert add(shipped(None, upload()), asked, PAID, now_ms=NOON_MS) == (10060023, "发货信息未更新")


uploads = st.lists(
    st.tuples(st.integers(0, 59), st.sampled_from([1, 3]), st.booleans(), st.booleans(), st.integers(0, 3)), max_size=12
)


@given(uploads)
def test_money_that_was_let_go_stays_so_and_one_correction_is_all(
    tried: list[tuple[int, int, bool, bool, int]],
) -> None:
    paper: dict[str, Any] | None = None
    corrections = 0
    for second, logistics, split, last, number in tried:
        asked = upload(
            logistics_type=1 if split else logistics,
            delivery_mode=2 if split else 1,
            is_all_delivered=last if split else None,
            shipping_list=[SENT | {"tracking_no": str(number)}],
            upload_time=f"2026-03-01T12:00:{second:02}+08:00",
        )
        assert form_fault(asked) is None
        told = add(paper, asked, PAID, now_ms=NOON_MS + second)
        if isinstance(told, dict):
            if paper is not None:
                assert told["uploaded_ms"] > paper["uploaded_ms"]
                assert paper["settled_ms"] is None or told["settled_ms"] == paper["settled_ms"]
                assert told["corrected"] or not paper["corrected"]
                corrections += told["corrected"] and not paper["corrected"]
            paper = told
    assert corrections <= 1
