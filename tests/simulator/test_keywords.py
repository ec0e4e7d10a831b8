"""What the keywords of a subscribe message may say."""

import pytest

from engine.simulator.weixin.keywords import FORMATS, fits, is_keyword

RIGHT = [
    ("thing1", "音乐节 两日票"),
    ("thing2", "票" * 20),
    ("number1", "12"),
    ("number1", "-3.50"),
    ("letter1", "ABcd"),
    ("symbol1", "#-!"),
    ("character_string1", "NO.20260301-1"),
    ("time1", "15:01"),
    ("time1", "2019年10月1日 15:01"),
    ("time1", "2019年10月1日 15:01~2019年10月2日 18:00"),
    ("date1", "2019年10月1日"),
    ("date1", "2019-10-01 15:01"),
    ("amount1", "¥99.50"),
    ("amount1", "1234567890"),
    ("amount1", "99元"),
    ("phone_number1", "+86-0766-66888866"),
    ("car_number1", "粤A8Z888挂"),
    ("name1", "王小明"),
    ("name1", "J. Smith"),
    ("phrase1", "已退款"),
    ("enum1", "已出票"),
]
WRONG = [
    ("thing1", ""),
    ("thing1", "票" * 21),
    ("number1", "12张"),
    ("number1", "1" * 33),
    ("letter1", "A1"),
    ("letter1", "A" * 33),
    ("symbol1", "#" * 6),
    ("symbol1", "a"),
    ("character_string1", "票"),
    ("character_string1", "1" * 33),
    ("time1", "25:00"),
    ("time1", "2019年10月1日"),
    ("date1", "10月1日"),
    ("amount1", "99块"),
    ("amount1", "¥¥9"),
    ("amount1", "12345678901"),
    ("amount1", "9.999"),
    ("phone_number1", "1" * 18),
    ("car_number1", "粤A8Z888挂XX"),
    ("name1", "王" * 11),
    ("name1", "王Smith"),
    ("phrase1", "已经退款啦" + "了"),
    ("phrase1", "ok"),
    ("enum1", "x" * 21),
]


@pytest.mark.parametrize(("name", "value"), RIGHT)
def test_a_right_value_fits(name: str, value: str) -> None:
    assert fits(name, value)


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_value_does_not_fit(name: str, value: str) -> None:
    assert not fits(name, value)


def test_every_format_is_tried_both_ways() -> None:
    for tried in (RIGHT, WRONG):
        assert {name.rstrip("0123456789") for name, _ in tried} == set(FORMATS)


@pytest.mark.parametrize("name", ["thing", "1thing", "thing1x", "other1", "Thing1", ""])
def test_a_keyword_is_a_kind_and_a_number(name: str) -> None:
    assert not is_keyword(name)
