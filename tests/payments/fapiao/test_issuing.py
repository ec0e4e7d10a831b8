"""From a title to an issued fapiao, whatever is lost, repeated or late on the way."""

from __future__ import annotations

import asyncio
import base64
import itertools

import orjson
import pytest

from engine.infra.outage import Outage
from engine.payments.fapiao.desk import NoFapiao
from engine.payments.fapiao.invoicer import ASKED_TRIES_MAX
from engine.payments.fapiao.records import fapiao_id_of
from engine.payments.wechat.fapiao_answers import TitleLink
from tests.payments.fapiao.conftest import OPENID, RULES, Shop, transaction_of
from tests.payments.fapiao.tax_office import EMAIL, OAEP, PHONE, TITLE
from tests.payments.wechat import platform


async def test_the_link_is_for_the_transaction_the_buyer_and_the_sum_that_was_paid(shop: Shop) -> None:
    order_no = await shop.paid_order(amount_fen=68_000)
    assert isinstance(await shop.desk.ask(order_no, shop.buyer), TitleLink)
    (asked,) = shop.office.links
    assert asked["fapiao_apply_id"] == transaction_of(order_no)
    assert asked["openid"] == OPENID
    assert asked["total_amount"] == "68000"


async def test_after_a_refund_in_part_the_link_shows_what_was_kept(shop: Shop) -> None:
    order_no = await shop.paid_order(amount_fen=10_000)
    await shop.refund(order_no, 2_500)
    await shop.desk.ask(order_no, shop.buyer)
    assert shop.office.links[0]["total_amount"] == "7500"


async def test_asking_again_gives_a_fresh_link_for_the_same_fapiao(shop: Shop) -> None:
    order_no = await shop.paid_order()
    for _ in range(2):
        assert isinstance(await shop.desk.ask(order_no, shop.buyer), TitleLink)
    assert len(shop.office.links) == 2
    assert await shop.states(order_no) == ["asked"]


async def test_with_numbers_of_ours_the_link_and_the_application_carry_the_fapiaos_own(shop: Shop) -> None:
    shop.rules = RULES.model_copy(update={"scene": "WITHOUT_WECHATPAY"})
    order_no = await shop.paid_order()
    await shop.desk.ask(order_no, shop.buyer)
    apply_id = fapiao_id_of(order_no, 1)
    assert shop.office.links[0]["fapiao_apply_id"] == apply_id
    shop.office.fill_in(apply_id)
    await shop.notice("USER_APPLIED", apply_id)
    await shop.turn(3)
    assert shop.office.only(apply_id).status == "ISSUE_ACCEPTED"
    assert shop.office.scenes[apply_id] == "WITHOUT_WECHATPAY"


@pytest.mark.parametrize("state", ["held", "paying", "refunding", "refunded", "released"])
async def test_an_order_that_is_not_simply_paid_gets_no_link(shop: Shop, state: str) -> None:
    order_no = await shop.paid_order(state=state)
    assert await shop.desk.ask(order_no, shop.buyer) is NoFapiao.NO_FAPIAO


async def test_an_order_without_money_gets_no_link(shop: Shop) -> None:
    order_no = await shop.paid_order()
    await shop.refund(order_no, 10_000, order_state="paid")
    assert await shop.desk.ask(order_no, shop.buyer) is NoFapiao.NO_FAPIAO


async def test_somebody_elses_order_gets_no_link(shop: Shop) -> None:
    order_no = await shop.paid_order()
    assert await shop.desk.ask(order_no, b"somebody else !!") is NoFapiao.NO_FAPIAO


async def test_switched_off_there_is_no_link(shop: Shop) -> None:
    shop.rules = RULES.model_copy(update={"enabled": False})
    order_no = await shop.paid_order()
    assert await shop.desk.ask(order_no, shop.buyer) is NoFapiao.NO_FAPIAO


async def test_while_wechat_does_not_answer_the_buyer_is_told_to_come_again(shop: Shop) -> None:
    shop.office.refuse["/title-url"] = (500, "SYSTEM_ERROR")
    order_no = await shop.paid_order()
    with pytest.raises(Outage):
        await shop.desk.ask(order_no, shop.buyer)


async def test_a_merchant_without_permission_has_no_link(shop: Shop) -> None:
    shop.office.refuse["/title-url"] = (403, "NO_AUTH")
    order_no = await shop.paid_order()
    assert await shop.desk.ask(order_no, shop.buyer) is NoFapiao.NO_FAPIAO


async def test_a_title_becomes_an_issued_fapiao_in_the_buyers_wallet(shop: Shop) -> None:
    order_no = await shop.paid_order()
    await shop.desk.ask(order_no, shop.buyer)
    apply_id = await shop.apply(order_no)
    await shop.turn(3)
    assert await shop.states(order_no) == ["issue_accepted"]
    shop.office.decide("ISSUED")
    await shop.notice("ISSUED", apply_id)
    await shop.turn()
    shop.office.put_into_wallets()
    await shop.notice("CARD_INSERTED", apply_id)
    await shop.turn()
    fapiao = await shop.newest(order_no)
    assert (fapiao.state, fapiao.card_status) == ("issued", "INSERTED")
    assert fapiao.fapiao_number == shop.office.only(apply_id).number


async def test_the_application_says_the_money_the_tickets_and_the_sellers_tax(shop: Shop) -> None:
    order_no = await shop.paid_order(amount_fen=10_000, quantity=2)
    apply_id = await shop.apply(order_no)
    await shop.turn(3)
    content = shop.office.only(apply_id).content
    assert content["total_amount"] == 10_000
    (line,) = content["items"]
    assert line["quantity"] == 2 * RULES.quantity_scale
    assert (line["tax_code"], line["tax_rate"]) == (RULES.tax_code, 600)


async def test_the_application_is_made_out_to_the_title_with_phone_and_email_for_wechats_eyes(shop: Shop) -> None:
    order_no = await shop.paid_order()
    apply_id = await shop.apply(order_no)
    await shop.turn(3)
    buyer = shop.office.only(apply_id).buyer
    assert {name: buyer[name] for name in TITLE} == TITLE
    opened = [
        platform.PLATFORM_KEY.decrypt(base64.b64decode(buyer[name]), OAEP).decode() for name in ("phone", "email")
    ]
    assert opened == [PHONE, EMAIL]


async def test_an_application_on_the_receipt_needs_no_link_of_ours(shop: Shop) -> None:
    order_no = await shop.paid_order()
    await shop.apply(order_no)
    assert await shop.states(order_no) == ["applied"]


async def test_an_application_for_a_payment_we_do_not_know_yet_must_come_again(shop: Shop) -> None:
    with pytest.raises(Outage):
        await shop.notice("USER_APPLIED", "4200000444201910177461284488")


async def test_a_notice_of_another_merchant_touches_nothing(shop: Shop) -> None:
    order_no = await shop.paid_order()
    await shop.sql("update payments set mchid = '1900000999' where order_no = $1", order_no)
    with pytest.raises(Outage):
        await shop.notice("USER_APPLIED", transaction_of(order_no))
    assert await shop.states(order_no) == []


async def test_a_title_that_nobody_told_about_is_found_by_asking(shop: Shop) -> None:
    order_no = await shop.paid_order()
    await shop.desk.ask(order_no, shop.buyer)
    shop.office.fill_in(transaction_of(order_no))
    await shop.turn(3)
    assert await shop.states(order_no) == ["issue_accepted"]


async def test_a_form_that_is_never_filled_in_is_not_asked_about_for_ever(shop: Shop) -> None:
    order_no = await shop.paid_order()
    await shop.desk.ask(order_no, shop.buyer)
    await shop.turn(ASKED_TRIES_MAX + 3)
    assert shop.office.count("GET", "/user-title") == ASKED_TRIES_MAX


async def test_the_outcome_is_found_without_any_callback(shop: Shop) -> None:
    order_no = await shop.paid_order()
    await shop.apply(order_no)
    await shop.turn(3)
    shop.office.decide("ISSUED")
    await shop.turn()
    assert await shop.states(order_no) == ["issued"]


@pytest.mark.parametrize(
    "events", list(itertools.permutations(["USER_APPLIED", "ISSUED", "CARD_INSERTED"])), ids="-".join
)
async def test_callbacks_may_come_twice_and_in_any_order(shop: Shop, events: tuple[str, ...]) -> None:
    order_no = await shop.paid_order()
    apply_id = await shop.apply(order_no)
    await shop.turn(3)
    shop.office.decide("ISSUED")
    shop.office.put_into_wallets()
    for event in (*events, *events):
        await shop.notice(event, apply_id)
        await shop.turn()
    fapiao = await shop.newest(order_no)
    assert (fapiao.state, fapiao.card_status) == ("issued", "INSERTED")
    assert shop.office.count("POST", "/fapiao-applications") == 1


async def test_a_lost_answer_is_asked_about_and_the_application_is_not_sent_again(shop: Shop) -> None:
    order_no = await shop.paid_order()
    await shop.apply(order_no)
    await shop.turn(2)
    shop.office.lose_answers = ["/fapiao-applications"]
    await shop.turn(2)
    assert await shop.states(order_no) == ["issue_accepted"]
    assert shop.office.count("POST", "/fapiao-applications") == 1


async def test_a_callback_after_a_lost_answer_does_not_send_the_application_again(shop: Shop) -> None:
    order_no = await shop.paid_order()
    apply_id = await shop.apply(order_no)
    await shop.turn(2)
    shop.office.lose_answers = ["/fapiao-applications"]
    await shop.turn()
    shop.office.decide("ISSUED")
    await shop.notice("ISSUED", apply_id)
    await shop.turn()
    assert await shop.states(order_no) == ["issued"]
    assert shop.office.count("POST", "/fapiao-applications") == 1


async def test_an_application_that_never_arrived_is_sent_again_under_its_number(shop: Shop) -> None:
    order_no = await shop.paid_order()
    apply_id = await shop.apply(order_no)
    await shop.turn(2)
    shop.office.refuse["/fapiao-applications"] = (500, "SYSTEM_ERROR")
    await shop.turn(2)
    shop.office.refuse.clear()
    await shop.turn()
    assert list(shop.office.applications[apply_id]) == [fapiao_id_of(order_no, 1)]
    assert await shop.states(order_no) == ["issue_accepted"]


async def test_a_process_that_dies_after_the_intent_leaves_it_to_the_next_one(shop: Shop) -> None:
    order_no = await shop.paid_order()
    apply_id = await shop.apply(order_no)
    await shop.turn(2)
    assert await shop.states(order_no) == ["issuing"]
    # It took its turn, sent the application, and heard nothing any more.
    (fapiao,) = await shop.book.take_due([0.0], count_max=1)
    title = await shop.api.title(apply_id, scene="WITH_WECHATPAY")
    await shop.api.issue(apply_id, scene="WITH_WECHATPAY", title=title, contents=[_content(fapiao.content)])
    await shop.turn()
    assert await shop.states(order_no) == ["issue_accepted"]
    assert shop.office.count("POST", "/fapiao-applications") == 1


async def test_two_processes_send_one_application(shop: Shop) -> None:
    order_no = await shop.paid_order()
    await shop.apply(order_no)
    await shop.turn(2)
    await asyncio.gather(*(shop.invoicer.run_once() for _ in range(4)))
    assert shop.office.count("POST", "/fapiao-applications") == 1
    assert await shop.states(order_no) == ["issue_accepted"]


async def test_a_refused_application_fails_with_wechats_code(shop: Shop) -> None:
    order_no = await shop.paid_order()
    await shop.apply(order_no)
    await shop.turn(2)
    shop.office.refuse["/fapiao-applications"] = (403, "NO_AUTH")
    await shop.turn()
    fapiao = await shop.newest(order_no)
    assert (fapiao.state, fapiao.reason) == ("issue_failed", "NOAUTH")


async def test_a_signature_that_is_not_taken_is_no_refusal(shop: Shop) -> None:
    order_no = await shop.paid_order()
    await shop.apply(order_no)
    await shop.turn(2)
    shop.office.refuse["/fapiao-applications"] = (401, "SIGN_ERROR")
    await shop.turn()
    assert await shop.states(order_no) == ["issuing"]


async def test_a_failed_fapiao_goes_on_under_a_new_number(shop: Shop) -> None:
    order_no = await shop.paid_order()
    apply_id = await shop.apply(order_no)
    await shop.turn(3)
    shop.office.decide("ISSUE_FAILED")
    await shop.turn()
    failed = await shop.newest(order_no)
    assert failed.state == "issue_failed"
    goes_on = await shop.desk.retry(failed.fapiao_id)
    assert not isinstance(goes_on, NoFapiao)
    await shop.turn(2)
    assert await shop.states(order_no) == ["issue_accepted", "replaced"]
    assert list(shop.office.applications[apply_id]) == [failed.fapiao_id, goes_on.fapiao_id]


async def test_beyond_what_an_application_holds_the_buyer_is_asked_again_under_another(shop: Shop) -> None:
    order_no = await shop.paid_order()
    apply_id = await shop.apply(order_no)
    await shop.turn(3)
    for _ in range(5):
        shop.office.decide("ISSUE_FAILED")
        await shop.turn()
        assert not isinstance(await shop.desk.retry((await shop.newest(order_no)).fapiao_id), NoFapiao)
        await shop.turn(2)
    assert len(shop.office.applications[apply_id]) == 5
    assert (await shop.states(order_no))[0] == "asked"
    assert isinstance(await shop.desk.ask(order_no, shop.buyer), TitleLink)
    assert shop.office.links[0]["fapiao_apply_id"] == fapiao_id_of(order_no, 6)


async def test_what_did_not_fail_cannot_be_retried(shop: Shop) -> None:
    order_no = await shop.issued_order()
    assert await shop.desk.retry((await shop.newest(order_no)).fapiao_id) is NoFapiao.FAPIAO_NOT_FAILED


async def test_a_second_fapiao_cannot_be_asked_for(shop: Shop) -> None:
    order_no = await shop.issued_order()
    assert await shop.desk.ask(order_no, shop.buyer) is NoFapiao.FAPIAO_EXISTS


async def test_after_a_failure_the_buyer_can_say_another_title_under_another_number(shop: Shop) -> None:
    order_no = await shop.paid_order()
    await shop.apply(order_no)
    await shop.turn(3)
    shop.office.decide("ISSUE_FAILED")
    await shop.turn()
    assert isinstance(await shop.desk.ask(order_no, shop.buyer), TitleLink)
    apply_id = fapiao_id_of(order_no, 2)
    assert shop.office.links[-1]["fapiao_apply_id"] == apply_id
    shop.office.fill_in(apply_id, taxpayer_id="91440300TEST000002")
    await shop.turn(3)
    assert shop.office.only(apply_id).buyer["taxpayer_id"] == "91440300TEST000002"
    assert await shop.states(order_no) == ["issue_accepted", "replaced"]


@pytest.mark.parametrize(
    ("apply_time", "states"),
    [
        ("2099-01-01T12:00:00+08:00", ["issue_accepted", "replaced"]),
        ("2020-07-01T12:00:00+08:00", ["issue_failed"]),
        ("yesterday", ["issue_failed"]),
    ],
)
async def test_a_title_filled_in_after_a_failure_is_another_try_and_a_repeated_notice_is_none(
    shop: Shop, apply_time: str, states: list[str]
) -> None:
    order_no = await shop.paid_order()
    apply_id = await shop.apply(order_no)
    await shop.turn(3)
    shop.office.decide("ISSUE_FAILED")
    await shop.turn()
    shop.office.fill_in(apply_id, taxpayer_id="91440300TEST000002")
    await shop.notice("USER_APPLIED", apply_id, apply_time=apply_time)
    await shop.turn(3)
    assert await shop.states(order_no) == states
    last = list(shop.office.applications[apply_id].values())[-1]
    anew = len(states) > 1
    assert last.buyer["taxpayer_id"] == ("91440300TEST000002" if anew else TITLE["taxpayer_id"])


def _content(text: str | None) -> dict[str, object]:
    assert text is not None
    found = orjson.loads(text)
    assert isinstance(found, dict)
    return found
