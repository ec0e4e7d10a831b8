"""Keys against the simulator: certificates alone, a rotation, a change to a public key, and several merchants."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace

import aiohttp
import pytest

from engine.config import Merchant, Wechat
from engine.payments.port import (
    CardOwner,
    NotificationRefused,
    PaidNotice,
    Prepaid,
    PrepayRequest,
    RedirectRequest,
    RefundRequest,
    RefundState,
    TradeState,
)
from engine.payments.wechat.answers import Answer
from engine.payments.wechat.certificates import Refreshed
from engine.payments.wechat.client import WeChatPay, from_config
from tests.payments.wechat.simulator.conftest import CERTIFIED, Shop, Simulator, set_faults, tap_pay

MakePay = Callable[[Wechat], WeChatPay]


@pytest.fixture
async def make(session: aiohttp.ClientSession, shop: Shop, simulator: Simulator) -> AsyncIterator[MakePay]:
    """The client built from settings; the shop's notices go to the one built last."""
    await set_faults(session, simulator)
    stack = AsyncExitStack()

    def build(config: Wechat) -> WeChatPay:
        shop.pay = from_config(config, session)
        stack.callback(shop.pay.close_signer)
        return shop.pay

    yield build
    await stack.aclose()


def by_certificates(config: Wechat) -> Wechat:
    return config.model_copy(update={"public_key_id": None, "public_key_file": None})


def of_merchant(simulator: Simulator, index: int) -> Merchant:
    names = simulator.merchants[index]
    return Merchant(**{name: value for name, value in names.items() if name in Merchant.model_fields})


async def test_with_certificates_alone_an_order_is_paid_noticed_and_queried(
    make: MakePay,
    config: Wechat,
    order: PrepayRequest,
    session: aiohttp.ClientSession,
    simulator: Simulator,
    shop: Shop,
) -> None:
    pay = make(by_certificates(config))
    await set_faults(session, simulator, **CERTIFIED)
    assert await tap_pay(session, simulator, pay, await pay.create(order)) == "ok"
    assert isinstance(await shop.next(), PaidNotice)
    assert (await pay.query(order.order_no, order.mchid)).state is TradeState.PAID


async def test_a_rotation_of_certificates_loses_no_notice(
    make: MakePay,
    config: Wechat,
    order: PrepayRequest,
    session: aiohttp.ClientSession,
    simulator: Simulator,
    shop: Shop,
) -> None:
    pay = make(by_certificates(config))
    account = pay.account(order.mchid)
    await set_faults(session, simulator, **CERTIFIED | {"certificates_listed": "a"})
    assert await account.refresh_keys() is Refreshed.LEARNED
    # The new one signs before anybody here has heard of it: refused, looked up, and read when it comes again.
    await set_faults(session, simulator, **CERTIFIED | {"certificates_listed": "both", "callback_certificate_b": 1.0})
    assert account.certificates is not None
    account.certificates._tried_at_s = float("-inf")  # the last download was long ago
    assert await tap_pay(session, simulator, pay, await pay.create(order)) == "ok"
    refused = await shop.next()
    assert isinstance(refused, NotificationRefused)
    assert refused.reason == "SERIAL_UNKNOWN"
    notice = await shop.next()
    while isinstance(notice, NotificationRefused):  # the download may take longer than the scaled first repeats
        notice = await shop.next()
    assert isinstance(notice, PaidNotice)


@pytest.mark.parametrize("public_key_share", [0.0, 1.0], ids=["by certificate", "by public key"])
async def test_during_the_change_to_a_public_key_either_signature_is_believed(
    make: MakePay,
    config: Wechat,
    order: PrepayRequest,
    session: aiohttp.ClientSession,
    simulator: Simulator,
    shop: Shop,
    public_key_share: float,
) -> None:
    pay = make(config.model_copy(update={"platform_certificates": True}))
    await set_faults(session, simulator, callback_public_key=public_key_share)
    await pay.refresh_keys()
    assert await tap_pay(session, simulator, pay, await pay.create(order)) == "ok"
    assert isinstance(await shop.next(), PaidNotice)


async def test_a_merchant_with_a_public_key_alone_has_no_certificates_and_needs_none(
    make: MakePay, config: Wechat, order: PrepayRequest, session: aiohttp.ClientSession, simulator: Simulator
) -> None:
    pay = make(config.model_copy(update={"platform_certificates": True}))
    await set_faults(session, simulator, certificates_listed="none")
    assert await pay.account(order.mchid).refresh_keys() is Refreshed.NONE_THERE
    assert isinstance(await pay.create(order), Prepaid)


@pytest.mark.parametrize("listed", ["none", "busy"])
async def test_without_any_key_no_order_is_created(
    make: MakePay,
    config: Wechat,
    order: PrepayRequest,
    session: aiohttp.ClientSession,
    simulator: Simulator,
    listed: str,
) -> None:
    pay = make(by_certificates(config).model_copy(update={"timeout_s": 1.0}))
    await set_faults(session, simulator, certificates_listed=listed)
    assert not isinstance(await pay.create(order), Prepaid)
    other = make(config)
    assert (await other.query(order.order_no, order.mchid)).state is TradeState.UNKNOWN_ORDER


async def test_orders_of_three_merchants_are_paid_and_noticed_each_by_its_own(
    make: MakePay,
    config: Wechat,
    order: PrepayRequest,
    session: aiohttp.ClientSession,
    simulator: Simulator,
    shop: Shop,
) -> None:
    pay = make(config.model_copy(update={"merchants": (of_merchant(simulator, 1), of_merchant(simulator, 2))}))
    paid = {}
    for mchid in sorted(pay.mchids):
        each = replace(order, mchid=mchid, order_no=f"FG{secrets.token_hex(15)}")
        assert await tap_pay(session, simulator, pay, await pay.create(each), mchid=mchid) == "ok"
        notice = await shop.next()
        assert isinstance(notice, PaidNotice)
        paid[notice.paid.mchid] = notice.paid.order_no == each.order_no
        assert (await pay.query(each.order_no, mchid)).paid == notice.paid
    assert paid == dict.fromkeys(pay.mchids, True)


async def test_merchants_that_share_certificates_read_only_their_own_notices(
    make: MakePay,
    config: Wechat,
    order: PrepayRequest,
    session: aiohttp.ClientSession,
    simulator: Simulator,
    shop: Shop,
) -> None:
    second = of_merchant(simulator, 1).model_copy(update={"public_key_id": None, "public_key_file": None})
    pay = make(by_certificates(config).model_copy(update={"merchants": (second,)}))
    await set_faults(session, simulator, **CERTIFIED)
    await pay.refresh_keys()
    each = replace(order, mchid=second.mchid)
    assert await tap_pay(session, simulator, pay, await pay.create(each), mchid=second.mchid) == "ok"
    notice = await shop.next()
    assert isinstance(notice, PaidNotice)
    assert notice.paid.mchid == second.mchid


@pytest.mark.parametrize("certificates", [False, True], ids=["public key", "certificates"])
async def test_an_abnormal_refund_is_sent_to_a_card(
    make: MakePay,
    config: Wechat,
    order: PrepayRequest,
    session: aiohttp.ClientSession,
    simulator: Simulator,
    shop: Shop,
    certificates: bool,
) -> None:
    pay = make(by_certificates(config) if certificates else config)
    await set_faults(session, simulator, **(CERTIFIED if certificates else {}) | {"refund_abnormal": 1.0})
    await pay.refresh_keys()
    await tap_pay(session, simulator, pay, await pay.create(order))
    await shop.next()
    wanted = RefundRequest(
        out_refund_no=f"R{order.order_no}",
        order_no=order.order_no,
        mchid=order.mchid,
        refund_fen=68000,
        total_fen=68000,
        reason="票已售完",
    )
    await pay.refund(wanted)
    await shop.next()
    abnormal = await pay.query_refund(wanted.out_refund_no, order.mchid)
    assert abnormal.state is RefundState.ABNORMAL
    assert abnormal.refund_id is not None
    redirect = RedirectRequest(
        out_refund_no=wanted.out_refund_no,
        refund_id=abnormal.refund_id,
        mchid=order.mchid,
        owner=CardOwner.BUYER,
        bank_type="CMB_DEBIT",
        bank_account="6222020200001234567",
        real_name="张三",
    )
    report = await pay.redirect_refund(redirect)
    assert report.state in (RefundState.PROCESSING, RefundState.SUCCESS)


@pytest.mark.parametrize("certificates", [False, True], ids=["public key", "certificates"])
async def test_an_echo_proves_the_keys_both_ways(
    make: MakePay, config: Wechat, simulator: Simulator, session: aiohttp.ClientSession, certificates: bool
) -> None:
    pay = make(by_certificates(config) if certificates else config)
    await set_faults(session, simulator, **(CERTIFIED if certificates else {}))
    found = await pay.account(config.mchid).echo("hello")
    assert isinstance(found, Answer)
    assert found.status == 200
