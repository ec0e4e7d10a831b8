"""Messages: one for one acceptance, told at most once, whatever dies or stays silent."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from engine.config import MessageKind, MessageTemplate
from engine.miniprogram.client import MiniProgramApi
from engine.miniprogram.duties import Duties
from engine.miniprogram.messenger import Messenger, Reminder
from tests.miniprogram.conftest import Reply, Script
from tests.miniprogram.shop import Shop

SEND = "/cgi-bin/message/subscribe/send"
TAKEN = Reply(json={"errcode": 0, "errmsg": "ok", "msgid": 1})
TEMPLATES = {
    MessageKind.PAID: MessageTemplate(
        template_id="tpl-paid-0001",
        page="pages/order/order?no={order_no}",
        fields={"thing1": "{event} {session}", "number2": "{quantity}", "amount3": "{amount}"},
    ),
    MessageKind.REMINDER: MessageTemplate(
        template_id="tpl-reminder-0001", fields={"thing1": "{session}", "time2": "{starts_at}", "number3": "{quantity}"}
    ),
    MessageKind.CHANGED: MessageTemplate(
        template_id="tpl-changed-0001", fields={"thing1": "{session}", "thing2": "{venue}", "time3": "{starts_at}"}
    ),
    MessageKind.REFUNDED: MessageTemplate(
        template_id="tpl-refunded-0001", fields={"amount1": "{refund_amount}", "thing2": "{tickets}"}
    ),
}


@pytest.fixture
def messenger(api: MiniProgramApi, shop: Shop) -> Messenger:
    return Messenger(Duties(shop.pool), api, shop.privacy, TEMPLATES)


def refusal(errcode: int, errmsg: str = "no") -> Reply:
    return Reply(json={"errcode": errcode, "errmsg": errmsg})


async def paid_and_accepted(shop: Shop) -> str:
    order_no = await shop.order()
    await shop.owe("tell_paid", order_no)
    await shop.accept("paid")
    return order_no


def told(script: Script) -> list[Any]:
    return [request.json for request in script.asked(SEND)]


async def test_a_buyer_who_accepted_is_told_of_the_payment(messenger: Messenger, shop: Shop, script: Script) -> None:
    script.always(SEND, TAKEN)
    order_no = await paid_and_accepted(shop)
    await messenger.run_once()
    assert told(script) == [
        {
            "touser": "oBuyer",
            "template_id": "tpl-paid-0001",
            "page": f"pages/order/order?no={order_no}",
            "data": {
                "thing1": {"value": "Spring Saturday"},
                "number2": {"value": "3"},
                "amount3": {"value": "¥250.00"},
            },
            "miniprogram_state": "formal",
            "lang": "zh_CN",
        }
    ]
    assert await shop.duties("tell_paid") == [("done", "told")]


async def test_a_message_uses_up_one_acceptance(messenger: Messenger, shop: Shop, script: Script) -> None:
    script.always(SEND, TAKEN)
    for _ in range(3):
        await shop.owe("tell_paid", await shop.order())
    await shop.accept("paid", count=2)
    await messenger.run_once()
    assert len(told(script)) == 2
    assert await shop.accepted("paid") == 0
    assert await shop.duties("tell_paid") == [("done", "told"), ("done", "told"), ("due", "not_subscribed")]


async def test_two_messengers_at_once_tell_nobody_twice(messenger: Messenger, shop: Shop, script: Script) -> None:
    script.always(SEND, TAKEN)
    for number in range(20):
        await shop.owe("tell_paid", await shop.order(f"oBuyer{number % 5}"))
    for number in range(5):
        await shop.accept("paid", f"oBuyer{number}", count=3)
    await asyncio.gather(*(messenger.run_once() for _ in range(4)))
    spent = [3 - await shop.accepted("paid", f"oBuyer{number}") for number in range(5)]
    assert sorted(spent) == sorted([told_to(script, number) for number in range(5)]) == [3] * 5


def told_to(script: Script, number: int) -> int:
    return sum(message["touser"] == f"oBuyer{number}" for message in told(script))


async def test_who_has_not_accepted_is_told_nothing_and_the_message_waits(
    messenger: Messenger, shop: Shop, script: Script
) -> None:
    await shop.owe("tell_paid", await shop.order())
    await shop.accept("refunded")
    await messenger.run_once()
    assert (told(script), await shop.duties("tell_paid")) == ([], [("due", "not_subscribed")])


async def test_a_message_nobody_accepts_is_given_up_in_the_end(messenger: Messenger, shop: Shop) -> None:
    await shop.owe("tell_paid", await shop.order())
    await shop.sql("update duties set created_at = now() - interval '4 days'")
    await messenger.run_once()
    assert await shop.duties("tell_paid") == [("given_up", "never_subscribed")]


async def test_a_silent_answer_is_not_repeated(messenger: Messenger, shop: Shop, script: Script) -> None:
    script.always(SEND, Reply(drop=True))
    await paid_and_accepted(shop)
    await messenger.run_once()
    await shop.let_time_pass()
    await messenger.run_once()
    assert len(told(script)) == 1
    assert await shop.duties("tell_paid") == [("given_up", "unknown")]


async def test_a_messenger_that_died_while_sending_is_not_imitated(
    messenger: Messenger, shop: Shop, script: Script
) -> None:
    await paid_and_accepted(shop)
    (leased,) = await Duties(shop.pool).take_messages(["tell_paid"], [60.0], count_max=9, patience_s=60.0)
    await shop.let_time_pass()
    await messenger.run_once()
    assert leased.kind == "tell_paid"
    assert (told(script), await shop.duties("tell_paid")) == ([], [("given_up", "unknown")])


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [(refusal(-1), "unreached"), (refusal(45009), "quota_spent"), (refusal(40037), "template_invalid")],
    ids=["busy", "quota", "template"],
)
async def test_what_wechat_did_not_take_is_sent_later_with_the_same_acceptance(
    messenger: Messenger, shop: Shop, script: Script, reply: Reply, outcome: str
) -> None:
    script.always(SEND, reply, TAKEN)
    await paid_and_accepted(shop)
    await messenger.run_once()
    assert (await shop.duties("tell_paid"), await shop.accepted("paid")) == ([("due", outcome)], 1)
    await shop.let_time_pass()
    await messenger.run_once()
    assert (await shop.duties("tell_paid"), await shop.accepted("paid")) == ([("done", "told")], 0)


async def test_a_buyer_unknown_to_wechats_list_loses_all_acceptances(
    messenger: Messenger, shop: Shop, script: Script
) -> None:
    script.always(SEND, refusal(43101, "user refuse to accept the msg"))
    await shop.owe("tell_paid", await shop.order())
    await shop.accept("paid", count=5)
    await messenger.run_once()
    assert (await shop.duties("tell_paid"), await shop.accepted("paid")) == ([("due", "not_subscribed")], 0)


async def test_a_field_that_wechat_refuses_is_given_up_and_the_acceptance_kept(
    messenger: Messenger, shop: Shop, script: Script
) -> None:
    script.always(SEND, refusal(47003, "argument invalid! data.thing1.value invalid rid: 1"))
    await paid_and_accepted(shop)
    await messenger.run_once()
    assert (await shop.duties("tell_paid"), await shop.accepted("paid")) == ([("given_up", "field_invalid")], 1)


async def test_a_field_that_cannot_hold_the_fact_is_never_sent(api: MiniProgramApi, shop: Shop, script: Script) -> None:
    template = MessageTemplate(template_id="tpl-paid-0001", fields={"phrase1": "{event}"})
    await paid_and_accepted(shop)
    await Messenger(Duties(shop.pool), api, shop.privacy, {MessageKind.PAID: template}).run_once()
    assert (told(script), await shop.duties("tell_paid")) == ([], [("given_up", "field_invalid")])


async def test_an_order_that_was_refunded_meanwhile_is_not_told_as_paid(
    messenger: Messenger, shop: Shop, script: Script
) -> None:
    await paid_and_accepted(shop)
    await shop.sql("update orders set state = 'refunded'")
    await messenger.run_once()
    assert (told(script), await shop.accepted("paid")) == ([], 1)


async def test_an_erased_buyer_is_told_nothing(messenger: Messenger, shop: Shop, script: Script) -> None:
    await paid_and_accepted(shop)
    await shop.sql("update buyers set openid_sealed = null")
    await messenger.run_once()
    assert (told(script), await shop.duties("tell_paid")) == ([], [("given_up", "buyer_erased")])


async def test_a_refund_is_told_with_its_own_amount(messenger: Messenger, shop: Shop, script: Script) -> None:
    script.always(SEND, TAKEN)
    order_no = await shop.order(state="refunded")
    await shop.sql(
        "insert into refunds (out_refund_no, order_no, sale_id, transaction_id, mchid, amount_fen, total_fen, reason)"
        " values ('R1', $1, 'spring', 't', 'm', 12345, 25000, 'r')",
        order_no,
    )
    await shop.owe("tell_refunded", order_no, "R1")
    await shop.accept("refunded")
    await messenger.run_once()
    (message,) = told(script)
    assert message["data"] == {"amount1": {"value": "¥123.45"}, "thing2": {"value": "Floor ×2, Stand ×1"}}


async def test_a_reminder_is_owed_once_for_every_session_that_begins_soon(
    messenger: Messenger, shop: Shop, script: Script
) -> None:
    script.always(SEND, TAKEN)
    await shop.sql("update sessions set starts_at = now() + interval '5 hours' where session_id = 'fri'")
    await shop.order(fri_floor=3, sat_floor=1)
    await shop.order("oOther", sat_floor=1)
    await shop.order("oUnpaid", state="held", fri_floor=1)
    await shop.accept("reminder")
    reminder = Reminder(Duties(shop.pool), before_h=24)
    await reminder.run_once()
    await reminder.run_once()
    await messenger.run_once()
    (message,) = told(script)
    assert (message["touser"], message["data"]["thing1"], message["data"]["number3"]) == (
        "oBuyer",
        {"value": "Friday"},
        {"value": "3"},
    )
    assert len(await shop.duties("tell_reminder")) == 1


async def test_no_reminder_comes_after_the_beginning(messenger: Messenger, shop: Shop, script: Script) -> None:
    order_no = await shop.order(fri_floor=1)
    await shop.owe("tell_reminder", order_no, f"{order_no}:fri")
    await shop.accept("reminder")
    await shop.sql("update sessions set starts_at = now()")
    await messenger.run_once()
    assert (told(script), await shop.duties("tell_reminder")) == ([], [("given_up", "too_late")])


async def test_tickets_that_were_returned_are_not_reminded_of(messenger: Messenger, shop: Shop, script: Script) -> None:
    order_no = await shop.order(fri_floor=1, sat_floor=1)
    await shop.owe("tell_reminder", order_no, f"{order_no}:fri")
    await shop.accept("reminder")
    await shop.sql("update order_items set returned = 1 where sku_id = 'fri-floor'")
    await messenger.run_once()
    assert (told(script), await shop.accepted("reminder")) == ([], 1)


async def test_kinds_without_a_template_stay_untouched(api: MiniProgramApi, shop: Shop) -> None:
    await paid_and_accepted(shop)
    messenger = Messenger(Duties(shop.pool), api, shop.privacy, {MessageKind.REFUNDED: TEMPLATES[MessageKind.REFUNDED]})
    await messenger.run_once()
    assert await shop.duties("tell_paid") == [("due", None)]
