"""WeChat's limits of message fields: nothing leaves that it would refuse, and nothing is cut that must be whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import FieldType
from engine.miniprogram.fields import ACCEPTS, ELLIPSIS, FieldRefused, check, fit, units

TAKEN = {
    "thing": ["周杰伦嘉年华世界巡回演唱会上海站第二场啊", "Floor 2", "🎫🎫🎫🎫🎫🎫🎫🎫🎫🎫", "-"],
    "number": ["0", "12.5", "-3", "9" * 32],
    "letter": ["A", "z" * 32],
    "symbol": ["!", "#$%&*"],
    "character_string": ["0123456789abcdef0123456789abcdef", "A-1/2"],
    "time": ["15:01", "2019年10月1日 15:01", "9:05", "15:01~16:01", "2019年10月1日 15:01~2019年10月2日 01:00"],
    "date": ["2019年10月1日", "2019年10月1日 15:01", "2019年10月1日~2019年10月3日"],
    "amount": ["¥880.00", "￥100", "100元", "¥12345678.90", "0.01"],
    "phone_number": ["+86-0766-66888866", "13800000000"],
    "car_number": ["粤A8Z888挂", "A12345"],
    "name": ["张三", "Zhang San", "欧阳锋", "a" * 20],
    "phrase": ["已支付", "退款成功了"],
}
REFUSED = {
    "thing": ["", " x", "长" * 21, "🎫" * 11, "a\nb"],
    "number": ["", "1,000", "9" * 33, "二", "1.", "+1"],
    "letter": ["", "a1", "z" * 33, "é"],
    "symbol": ["", "a", "!!!!!!", "！"],
    "character_string": ["", "a b", "票", "a" * 33],
    "time": ["", "25:00", "15:60", "2019-10-01 15:01", "15:01~", "2019年10月1日"],
    "date": ["", "15:01", "2019/10/1", "2019年10月1日~"],
    "amount": ["", "¥", "元", "¥¥1", "12345678901", "¥123456789.01", "1.005", "-1"],
    "phone_number": ["", "1" * 18, "13800 000000", "+"],
    "car_number": ["", "粤A8Z888挂挂挂", "粤a8z888"],
    "name": ["", "张" * 11, "a" * 21, "Zhang三", "张三3"],
    "phrase": ["", "已经退款成功", "paid", "已支付1"],
}


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind in TAKEN for value in TAKEN[kind]])
def test_what_the_documents_allow_is_sent_as_it_is(kind: str, value: str) -> None:
    assert fit(f"{kind}1", value) == value


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind in REFUSED for value in REFUSED[kind]])
def test_what_the_documents_forbid_is_refused_with_the_fields_name(kind: str, value: str) -> None:
    assert check(f"{kind}7", value) == FieldRefused(f"{kind}7")


def test_every_type_has_limits_and_samples() -> None:
    assert set(ACCEPTS) == set(FieldType) == set(TAKEN) == set(REFUSED)


fields = st.builds("{}{}".format, st.sampled_from(FieldType), st.integers(0, 99))


@given(fields, st.text())
def test_whatever_is_fitted_is_accepted_and_what_is_not_is_named(name: str, value: str) -> None:
    fitted = fit(name, value)
    assert fitted == FieldRefused(name) if isinstance(fitted, FieldRefused) else check(name, fitted) is None


@given(fields, st.text())
def test_fitting_twice_changes_nothing_more(name: str, value: str) -> None:
    fitted = fit(name, value)
    assert isinstance(fitted, FieldRefused) or fit(name, fitted) == fitted


@given(st.text(st.characters(categories=["L", "N", "P", "So"]), min_size=1))
def test_a_thing_is_shortened_visibly_and_never_refused(value: str) -> None:
    fitted = fit("thing1", value)
    assert isinstance(fitted, str)
    assert fitted == value or (fitted[-1] == ELLIPSIS and value.startswith(fitted[:-1]) and units(fitted) >= 19)


@given(st.sampled_from([each for each in FieldType if each is not FieldType.THING]), st.text(min_size=1))
def test_nothing_but_a_thing_is_shortened(kind: FieldType, value: str) -> None:
    fitted = fit(f"{kind}1", value)
    seen = [char for char in value if char.isprintable() and char != " "]
    assert isinstance(fitted, FieldRefused) or list(fitted.replace(" ", "")) == seen
