"""What a fapiao says sums up, whatever was kept, and settings that could not be right stop the start."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.config import Config, ConfigInvalid, Fapiao, load_config
from engine.payments.fapiao.content import content_of
from engine.payments.fapiao.records import fapiao_id_of
from tests.payments.fapiao.conftest import RULES

AMOUNTS = st.integers(1, 10**9)


@given(amount_fen=AMOUNTS, quantity=st.integers(0, 32))
def test_the_lines_sum_up_to_exactly_what_was_kept(amount_fen: int, quantity: int) -> None:
    content = content_of(RULES, "f1", amount_fen=amount_fen, quantity=quantity)
    assert content["total_amount"] == amount_fen == sum(line["total_amount"] for line in content["items"])


@given(amount_fen=AMOUNTS, quantity=st.integers(0, 32), scale=st.sampled_from([1, 100_000_000]))
def test_at_least_one_ticket_is_on_it_in_wechats_unit(amount_fen: int, quantity: int, scale: int) -> None:
    rules = RULES.model_copy(update={"quantity_scale": scale})
    (line,) = content_of(rules, "f1", amount_fen=amount_fen, quantity=quantity)["items"]
    assert line["quantity"] == max(quantity, 1) * scale


def test_the_sellers_remark_is_on_it_when_there_is_one() -> None:
    rules = RULES.model_copy(update={"remark": "演出门票"})
    assert content_of(rules, "f1", amount_fen=1, quantity=1)["remark"] == "演出门票"
    assert "remark" not in content_of(RULES, "f1", amount_fen=1, quantity=1)


@given(order_no=st.text("0123456789abcdef", min_size=32, max_size=32), round_no=st.integers(1, 50))
def test_a_number_fits_wechats_32_characters_and_differs_from_round_to_round(order_no: str, round_no: int) -> None:
    number = fapiao_id_of(order_no, round_no)
    assert len(number) == 32
    assert number != fapiao_id_of(order_no, round_no + 1)


@pytest.mark.parametrize("missing", ["tax_code", "goods_name", "tax_rate_bp"])
def test_switched_on_without_what_is_the_sellers_own_it_names_the_key(missing: str) -> None:
    given_keys = {"tax_code": "3070301000000000000", "goods_name": "门票", "tax_rate_bp": "600"}
    environ = {f"FLOODGATE_FAPIAO_{key.upper()}": text for key, text in given_keys.items() if key != missing}
    with pytest.raises(ConfigInvalid) as refused:
        load_config(None, {**environ, "FLOODGATE_FAPIAO_ENABLED": "true"})
    keys = [problem.key for problem in refused.value.problems if problem.key.startswith("fapiao.")]
    assert keys == [f"fapiao.{missing}"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("tax_code", "307030100000000000"),
        ("tax_rate_bp", 10_001),
        ("quantity_scale", 10),
        ("goods_name", "门票🎫"),
        ("remark", "two\nlines"),
        ("scene", "with_wechatpay"),
    ],
)
def test_a_setting_that_wechat_would_refuse_is_refused_here(key: str, value: object) -> None:
    with pytest.raises(ValidationError):
        Fapiao.model_validate({key: value})


def test_it_is_off_until_it_is_switched_on() -> None:
    assert not Config.model_fields["fapiao"].default.enabled
