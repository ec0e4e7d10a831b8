"""Who a fapiao is made out to is known to WeChat and to nobody who reads our tables or logs."""

from __future__ import annotations

import secrets

import pytest

from engine.payments.fapiao.desk import NoFapiao
from engine.payments.fapiao.forgetter import Forgetter
from engine.payments.fapiao.titles import Titles
from engine.payments.wechat.fapiao_answers import Title, TitleLink
from engine.web.buyers import Privacy
from tests.payments.fapiao.conftest import OPENID, Shop, transaction_of
from tests.payments.fapiao.tax_office import EMAIL, PHONE, TITLE

PERSONAL = (TITLE["name"], TITLE["taxpayer_id"], PHONE, EMAIL, OPENID)
SPRING = Title(kind="INDIVIDUAL", fields={"name": "张三", "phone": PHONE})


@pytest.fixture
def titles() -> Titles:
    return Titles(Privacy(b"d" * 32, b"o" * 32), lambda: secrets.token_bytes(12))


async def test_the_table_holds_nothing_personal(shop: Shop) -> None:
    order_no = await shop.issued_order()
    table = await shop.sql("select string_agg(f::text, ' ') from fapiaos f")
    assert order_no in table
    assert not [word for word in PERSONAL if word in table]
    raw = await shop.sql("select string_agg(title_sealed, '') from fapiaos")
    assert not [word for word in PERSONAL if word.encode() in raw]


async def test_the_log_says_nothing_personal(shop: Shop, capfd: pytest.CaptureFixture[str]) -> None:
    order_no = await shop.paid_order()
    await shop.desk.ask(order_no, shop.buyer)
    await shop.apply(order_no)
    shop.office.refuse["/fapiao-applications"] = (400, "PARAM_ERROR")
    await shop.turn(3)
    written = "".join(capfd.readouterr())
    assert "fapiao_needs_a_person" in written
    assert not [word for word in PERSONAL if word in written]


def test_a_title_shows_nothing_personal_of_itself() -> None:
    assert "张三" not in repr(SPRING)


def test_a_sealed_title_is_opened_by_its_own_order(titles: Titles) -> None:
    assert titles.open(titles.seal(SPRING, "order-1"), "order-1") == SPRING


def test_a_sealed_title_is_not_opened_under_another_order(titles: Titles) -> None:
    assert titles.open(titles.seal(SPRING, "order-1"), "order-2") is None


async def test_a_title_of_a_lost_key_fails_its_fapiao_and_no_other(shop: Shop) -> None:
    lost, kept = await shop.paid_order(), await shop.paid_order()
    for order_no in (lost, kept):
        await shop.apply(order_no)
    await shop.turn(2)
    await shop.sql("update fapiaos set title_sealed = '\\x00112233445566778899aabbccddeeff' where order_no = $1", lost)
    await shop.turn()
    fapiao = await shop.newest(lost)
    assert (fapiao.state, fapiao.reason) == ("issue_failed", "TITLE_UNREADABLE")
    assert await shop.states(kept) == ["issue_accepted"]


async def test_a_title_is_put_away_once_its_fapiao_rested_long_enough(shop: Shop) -> None:
    await shop.issued_order()
    await shop.sql("update fapiaos set changed_at = now() - interval '31 days'")
    await Forgetter(shop.book, days=30).run_once()
    assert await shop.sql("select count(*) from fapiaos where title_sealed is not null") == 0


async def test_a_title_that_may_still_be_needed_soon_is_kept(shop: Shop) -> None:
    await shop.issued_order()
    await shop.sql("update fapiaos set changed_at = now() - interval '29 days'")
    await Forgetter(shop.book, days=30).run_once()
    assert await shop.sql("select count(*) from fapiaos where title_sealed is not null") == 1


async def test_a_title_that_was_put_away_is_asked_for_again_when_the_rest_is_issued(shop: Shop) -> None:
    order_no = await shop.issued_order()
    await shop.sql("update fapiaos set title_sealed = null")
    await shop.refund(order_no, 2_500)
    await shop.turn(2)
    shop.office.decide("REVERSED")
    await shop.turn(4)
    assert await shop.states(order_no) == ["issue_accepted", "reversed"]


async def test_an_erased_title_is_gone_and_is_not_asked_for_again(shop: Shop) -> None:
    order_no = await shop.issued_order()
    assert await shop.book.erase_titles(shop.buyer) == 1
    await shop.refund(order_no, 2_500)
    await shop.turn(2)
    shop.office.decide("REVERSED")
    asked_before = shop.office.count("GET", "/user-title")
    await shop.turn(4)
    assert shop.office.count("GET", "/user-title") == asked_before
    fapiao = await shop.newest(order_no)
    assert (fapiao.state, fapiao.reason) == ("issue_failed", "TITLE_ERASED")
    assert await shop.desk.retry(fapiao.fapiao_id) is NoFapiao.FAPIAO_NOT_FAILED


async def test_after_an_erasure_the_buyer_can_say_a_title_anew(shop: Shop) -> None:
    order_no = await shop.paid_order()
    await shop.apply(order_no)
    await shop.turn(2)
    await shop.book.erase_titles(shop.buyer)
    await shop.turn()
    assert isinstance(await shop.desk.ask(order_no, shop.buyer), TitleLink)
    assert await shop.states(order_no) == ["asked", "replaced"]


async def test_a_title_erased_before_it_was_sent_is_not_sent(shop: Shop) -> None:
    order_no = await shop.paid_order()
    await shop.apply(order_no)
    await shop.turn(2)
    await shop.book.erase_titles(shop.buyer)
    await shop.turn()
    assert await shop.states(order_no) == ["issue_failed"]
    assert transaction_of(order_no) not in shop.office.applications
