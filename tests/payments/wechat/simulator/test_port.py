"""The port, verb by verb, against the simulator."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace

import aiohttp
import pytest

from engine.config import Wechat
from engine.miniprogram.login import Login, LoginRefusal, LoginRefused
from engine.payments.port import (
    CloseResult,
    NotificationRefused,
    PaidNotice,
    Prepaid,
    PrepayRequest,
    ProviderRefusal,
    RefundNotice,
    RefundRequest,
    RefundState,
    RefusalKind,
    TradeState,
)
from engine.payments.wechat.client import WeChatPay
from tests.payments.wechat.simulator.conftest import OPENID, STRANGER, Shop, Simulator, set_faults, tap_pay


async def test_create_twice_is_one_payable_order(pay: WeChatPay, order: PrepayRequest) -> None:
    first = await pay.create(order)
    assert isinstance(first, Prepaid)
    assert isinstance(await pay.create(order), Prepaid)
    assert (await pay.query(order.order_no, order.mchid)).state is TradeState.NOT_PAID


async def test_create_again_with_another_amount_is_refused(pay: WeChatPay, order: PrepayRequest) -> None:
    await pay.create(order)
    refusal = await pay.create(replace(order, total_fen=1))
    assert isinstance(refusal, ProviderRefusal)
    assert refusal.kind in (RefusalKind.INVALID, RefusalKind.NUMBER_TAKEN)


async def test_an_order_nobody_created_is_unknown(pay: WeChatPay, order: PrepayRequest) -> None:
    report = await pay.query(order.order_no, order.mchid)
    assert (report.state, report.signed) == (TradeState.UNKNOWN_ORDER, True)


async def test_a_paid_order_is_noticed_queried_and_cannot_be_closed(
    pay: WeChatPay, order: PrepayRequest, session: aiohttp.ClientSession, simulator: Simulator, shop: Shop
) -> None:
    assert await tap_pay(session, simulator, pay, await pay.create(order)) == "ok"
    notice = await shop.next()
    report = await pay.query(order.order_no, order.mchid)
    assert isinstance(notice, PaidNotice)
    assert (notice.paid.order_no, notice.paid.total_fen) == (order.order_no, 68000)
    assert (notice.paid.openid, notice.paid.mchid) == (OPENID, simulator.names["mchid"])
    assert report.paid == notice.paid
    assert await pay.close(order.order_no, order.mchid) is CloseResult.PAID
    refusal = await pay.create(order)
    assert isinstance(refusal, ProviderRefusal)
    assert refusal.kind is RefusalKind.ALREADY_PAID


async def test_a_closed_order_closes_again_and_cannot_be_paid(
    pay: WeChatPay, order: PrepayRequest, session: aiohttp.ClientSession, simulator: Simulator
) -> None:
    prepaid = await pay.create(order)
    assert [await pay.close(order.order_no, order.mchid) for _ in range(2)] == [CloseResult.CLOSED] * 2
    assert (await pay.query(order.order_no, order.mchid)).state is TradeState.CLOSED
    assert (await tap_pay(session, simulator, pay, prepaid)).startswith("fail")
    refusal = await pay.create(order)
    assert isinstance(refusal, ProviderRefusal)
    assert refusal.kind is RefusalKind.ALREADY_CLOSED


async def test_a_changed_package_is_not_payable(
    pay: WeChatPay, order: PrepayRequest, session: aiohttp.ClientSession, simulator: Simulator
) -> None:
    result = await tap_pay(session, simulator, pay, await pay.create(order), package="prepay_id=wx0")
    assert result.startswith("fail")


async def test_a_refund_is_accepted_noticed_and_found(
    pay: WeChatPay, order: PrepayRequest, session: aiohttp.ClientSession, simulator: Simulator, shop: Shop
) -> None:
    await tap_pay(session, simulator, pay, await pay.create(order))
    assert isinstance(await shop.next(), PaidNotice)
    request = RefundRequest(
        out_refund_no=f"R{order.order_no}-late",
        order_no=order.order_no,
        mchid=order.mchid,
        refund_fen=68000,
        total_fen=68000,
        reason="票已售完",
    )
    report = await pay.refund(request)
    assert report.state in (RefundState.PROCESSING, RefundState.SUCCESS)
    notice = await shop.next()
    assert isinstance(notice, RefundNotice)
    assert (notice.out_refund_no, notice.state) == (request.out_refund_no, RefundState.SUCCESS)
    assert (await pay.query_refund(request.out_refund_no, order.mchid)).state is RefundState.SUCCESS
    assert (await pay.refund(replace(request, sent_before=True))).state is RefundState.SUCCESS
    assert (await pay.query(order.order_no, order.mchid)).state is TradeState.PAID


async def test_a_refund_of_an_unpaid_order_is_refused(pay: WeChatPay, order: PrepayRequest) -> None:
    await pay.create(order)
    request = RefundRequest(
        out_refund_no="R1", order_no=order.order_no, mchid=order.mchid, refund_fen=1, total_fen=68000, reason="x"
    )
    assert (await pay.refund(request)).state is RefundState.REFUSED
    assert (await pay.query_refund("R1", order.mchid)).state is RefundState.UNKNOWN_REFUND


async def test_a_probed_notice_is_refused_and_comes_again(
    pay: WeChatPay, order: PrepayRequest, session: aiohttp.ClientSession, simulator: Simulator, shop: Shop
) -> None:
    await set_faults(session, simulator, callback_signtest=1.0)
    await tap_pay(session, simulator, pay, await pay.create(order))
    refused = await shop.next()
    assert isinstance(refused, NotificationRefused)
    assert refused.status == 401
    assert isinstance(await shop.next(), PaidNotice)


@pytest.mark.parametrize("fault", ["answer_lost", "answer_error_after"])
async def test_a_create_whose_answers_are_all_lost_is_unknown_and_one_trade(
    pay: WeChatPay, order: PrepayRequest, session: aiohttp.ClientSession, simulator: Simulator, fault: str
) -> None:
    await set_faults(session, simulator, answer_routes=["order"], **{fault: 1.0})
    refusal = await pay.create(order)
    assert isinstance(refusal, ProviderRefusal)
    assert (refusal.kind, refusal.maybe_created) == (RefusalKind.UNKNOWN, True)
    assert (await pay.query(order.order_no, order.mchid)).state is TradeState.NOT_PAID
    await set_faults(session, simulator)
    assert isinstance(await pay.create(order), Prepaid)


async def test_many_orders_at_once_survive_probes_losses_and_limits(
    pay: WeChatPay, order: PrepayRequest, session: aiohttp.ClientSession, simulator: Simulator
) -> None:
    await set_faults(session, simulator, answer_signtest=0.2, answer_lost=0.1, answer_limited=0.1)
    orders = [replace(order, order_no=f"FG{secrets.token_hex(15)}") for _ in range(60)]
    outcomes = await asyncio.gather(*map(pay.create, orders))
    await set_faults(session, simulator)
    states = [(await pay.query(order.order_no, order.mchid)).state for order in orders]
    kinds = {outcome.kind for outcome in outcomes if isinstance(outcome, ProviderRefusal)}
    assert kinds <= {RefusalKind.UNKNOWN, RefusalKind.RATE_LIMITED}
    assert all(
        state is TradeState.NOT_PAID
        for state, outcome in zip(states, outcomes, strict=True)
        if isinstance(outcome, Prepaid)
    )
    assert sum(isinstance(outcome, Prepaid) for outcome in outcomes) >= 50


async def test_a_login_code_is_an_openid_once(
    config: Wechat, session: aiohttp.ClientSession, simulator: Simulator
) -> None:
    async with session.post(f"{simulator.url}/_buyer/login", json={"openid": STRANGER}) as response:
        code = (await response.json())["code"]
    login = Login.from_config(config, session)
    assert await login.openid_of(code) == STRANGER
    assert await login.openid_of(code) == LoginRefused(LoginRefusal.CODE_INVALID)
