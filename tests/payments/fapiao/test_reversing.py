"""Money that goes back takes its fapiao back, and what was kept gets a new one."""

from __future__ import annotations

import pytest

from engine.payments.fapiao.desk import NoFapiao
from engine.payments.fapiao.records import fapiao_id_of
from tests.payments.fapiao.conftest import RULES, Shop, transaction_of


async def reversed_and_settled(shop: Shop) -> None:
    """The red letter is asked for, written, and everything that follows from it is sent."""
    await shop.turn(2)
    shop.office.decide("REVERSED")
    await shop.turn(4)


async def test_a_full_refund_reverses_and_issues_nothing_again(shop: Shop) -> None:
    order_no = await shop.issued_order()
    await shop.refund(order_no, 10_000, order_state="refunded")
    await reversed_and_settled(shop)
    assert await shop.states(order_no) == ["reversed"]


async def test_the_red_letter_names_the_reason_from_the_settings(shop: Shop) -> None:
    order_no = await shop.issued_order()
    await shop.refund(order_no, 10_000, order_state="refunded")
    await shop.turn(2)
    assert await shop.states(order_no) == ["reverse_accepted"]
    assert shop.office.reasons == ["SALES_RETURN"]


async def test_a_refund_in_part_reverses_and_issues_again_for_the_rest(shop: Shop) -> None:
    order_no = await shop.issued_order()
    await shop.refund(order_no, 2_500)
    await reversed_and_settled(shop)
    assert await shop.states(order_no) == ["issue_accepted", "reversed"]
    held = shop.office.applications[transaction_of(order_no)]
    assert [one.content["total_amount"] for one in held.values()] == [10_000, 7_500]


async def test_what_is_issued_again_is_made_out_to_the_same_title(shop: Shop) -> None:
    order_no = await shop.issued_order()
    await shop.refund(order_no, 2_500)
    await reversed_and_settled(shop)
    first, second = shop.office.applications[transaction_of(order_no)].values()
    assert second.buyer["taxpayer_id"] == first.buyer["taxpayer_id"]


async def test_where_wechat_wants_another_application_the_rest_is_issued_under_a_number_of_ours(shop: Shop) -> None:
    shop.rules = RULES.model_copy(update={"reissue": "new"})
    order_no = await shop.issued_order()
    await shop.refund(order_no, 2_500)
    await reversed_and_settled(shop)
    ours = fapiao_id_of(order_no, 2)
    assert shop.office.only(ours).content["total_amount"] == 7_500
    assert shop.office.scenes[ours] == "WITHOUT_WECHATPAY"


async def test_where_wechat_wants_another_title_the_buyer_is_asked_for_the_rest(shop: Shop) -> None:
    shop.rules = RULES.model_copy(update={"reissue": "ask"})
    order_no = await shop.issued_order()
    await shop.refund(order_no, 2_500)
    await reversed_and_settled(shop)
    assert await shop.states(order_no) == ["asked", "reversed"]
    await shop.desk.ask(order_no, shop.buyer)
    asked = shop.office.links[0]
    assert (asked["fapiao_apply_id"], asked["total_amount"]) == (fapiao_id_of(order_no, 2), "7500")
    shop.office.fill_in(asked["fapiao_apply_id"])
    await shop.turn(3)
    assert await shop.states(order_no) == ["issue_accepted", "reversed"]


async def test_an_application_that_takes_nothing_after_a_red_letter_is_retried_with_the_buyer(shop: Shop) -> None:
    order_no = await shop.issued_order()
    await shop.refund(order_no, 2_500)
    shop.office.refuse["/fapiao-applications"] = (400, "INVALID_REQUEST")
    await reversed_and_settled(shop)
    failed = await shop.newest(order_no)
    assert failed.state == "issue_failed"
    goes_on = await shop.desk.retry(failed.fapiao_id)
    assert not isinstance(goes_on, NoFapiao)
    assert (goes_on.state, goes_on.apply_id) == ("asked", fapiao_id_of(order_no, 3))


async def test_a_second_refund_in_part_reverses_what_the_first_left(shop: Shop) -> None:
    order_no = await shop.issued_order()
    for _ in range(2):
        await shop.refund(order_no, 2_500)
        await reversed_and_settled(shop)
        shop.office.decide("ISSUED")
        await shop.turn()
    assert await shop.states(order_no) == ["issued", "reversed", "reversed"]
    assert (await shop.newest(order_no)).amount_fen == 5_000


async def test_while_money_is_on_its_way_back_the_fapiao_stands(shop: Shop) -> None:
    order_no = await shop.issued_order()
    await shop.refund(order_no, 2_500, order_state="refunding", state="processing")
    await shop.turn(2)
    assert await shop.states(order_no) == ["issued"]


async def test_a_refund_that_came_to_nothing_leaves_the_fapiao_alone(shop: Shop) -> None:
    order_no = await shop.issued_order()
    await shop.refund(order_no, 2_500, order_state="refund_failed", state="closed")
    await shop.turn(2)
    assert await shop.states(order_no) == ["issued"]


async def test_a_full_refund_before_anything_was_sent_makes_it_void(shop: Shop) -> None:
    order_no = await shop.paid_order()
    await shop.apply(order_no)
    await shop.refund(order_no, 10_000, order_state="refunded")
    await shop.turn(3)
    assert await shop.states(order_no) == ["void"]
    assert shop.office.applications == {}


async def test_a_refund_in_part_before_anything_was_sent_issues_for_the_rest_alone(shop: Shop) -> None:
    order_no = await shop.paid_order()
    apply_id = await shop.apply(order_no)
    await shop.refund(order_no, 4_000)
    await shop.turn(3)
    assert shop.office.only(apply_id).content["total_amount"] == 6_000


async def test_nothing_is_sent_while_money_is_on_its_way_back(shop: Shop) -> None:
    order_no = await shop.paid_order()
    await shop.apply(order_no)
    await shop.refund(order_no, 4_000, order_state="refunding", state="processing")
    await shop.turn(3)
    assert await shop.states(order_no) == ["titled"]


async def test_a_refund_while_the_office_decides_reverses_what_it_then_issues(shop: Shop) -> None:
    order_no = await shop.paid_order()
    await shop.apply(order_no)
    await shop.turn(3)
    await shop.refund(order_no, 4_000)
    shop.office.decide("ISSUED")
    await shop.turn()
    await reversed_and_settled(shop)
    assert await shop.states(order_no) == ["issue_accepted", "reversed"]


async def test_a_lost_answer_to_a_red_letter_is_asked_about_and_it_is_not_sent_again(shop: Shop) -> None:
    order_no = await shop.issued_order()
    await shop.refund(order_no, 10_000, order_state="refunded")
    shop.office.lose_answers = ["/reverse"]
    await shop.turn(3)
    shop.office.decide("REVERSED")
    await shop.turn()
    assert await shop.states(order_no) == ["reversed"]
    assert shop.office.count("POST", "/reverse") == 1


async def test_a_red_letter_that_never_arrived_is_sent_again(shop: Shop) -> None:
    order_no = await shop.issued_order()
    await shop.refund(order_no, 10_000, order_state="refunded")
    shop.office.refuse["/reverse"] = (500, "SYSTEM_ERROR")
    await shop.turn(2)
    shop.office.refuse.clear()
    await shop.turn()
    assert await shop.states(order_no) == ["reverse_accepted"]


async def test_a_refused_red_letter_fails_with_wechats_code(shop: Shop) -> None:
    order_no = await shop.issued_order()
    await shop.refund(order_no, 10_000, order_state="refunded")
    shop.office.refuse["/reverse"] = (400, "INVALID_REQUEST")
    await shop.turn(2)
    fapiao = await shop.newest(order_no)
    assert (fapiao.state, fapiao.reason) == ("reverse_failed", "INVALIDREQUEST")


async def test_a_failed_red_letter_goes_on_under_its_own_number(shop: Shop) -> None:
    order_no = await shop.issued_order()
    await shop.refund(order_no, 10_000, order_state="refunded")
    await shop.turn(2)
    shop.office.decide("REVERSE_FAILED")
    await shop.turn()
    failed = await shop.newest(order_no)
    assert failed.state == "reverse_failed"
    assert not isinstance(await shop.desk.retry(failed.fapiao_id), NoFapiao)
    await reversed_and_settled(shop)
    assert await shop.states(order_no) == ["reversed"]


async def test_what_somebody_reversed_by_hand_is_mirrored_and_not_issued_again(shop: Shop) -> None:
    order_no = await shop.issued_order()
    apply_id = transaction_of(order_no)
    shop.office.only(apply_id).status = "REVERSED"
    await shop.notice("REVERSED", apply_id)
    await shop.turn(2)
    assert await shop.states(order_no) == ["reversed"]


@pytest.mark.parametrize("notices", [["REVERSED", "ISSUED"], ["CARD_DISCARDED", "REVERSED", "REVERSED"]], ids="-".join)
async def test_late_and_repeated_notices_do_not_bring_a_reversed_fapiao_back(shop: Shop, notices: list[str]) -> None:
    order_no = await shop.issued_order()
    await shop.refund(order_no, 10_000, order_state="refunded")
    await reversed_and_settled(shop)
    for event in notices:
        await shop.notice(event, transaction_of(order_no))
        await shop.turn()
    assert await shop.states(order_no) == ["reversed"]


async def test_a_card_that_left_the_wallet_is_mirrored(shop: Shop) -> None:
    order_no = await shop.issued_order()
    await shop.refund(order_no, 10_000, order_state="refunded")
    await reversed_and_settled(shop)
    shop.office.only(transaction_of(order_no)).card_status = "DISCARDED"
    await shop.notice("CARD_DISCARDED", transaction_of(order_no))
    await shop.turn()
    assert (await shop.newest(order_no)).card_status == "DISCARDED"


async def test_a_fapiao_of_another_order_is_left_alone(shop: Shop) -> None:
    refunded, untouched = await shop.issued_order(), await shop.issued_order()
    await shop.refund(refunded, 10_000, order_state="refunded")
    await reversed_and_settled(shop)
    assert await shop.states(untouched) == ["issued"]
