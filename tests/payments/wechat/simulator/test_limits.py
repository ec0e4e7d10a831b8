"""Limits and the codes that documents spell in two ways, against the simulator."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import AsyncExitStack
from dataclasses import replace

import aiohttp
import pytest
from prometheus_client import REGISTRY

from engine.config import Wechat
from engine.infra.redis import open_redis
from engine.payments.port import CloseResult, Prepaid, PrepayRequest, ProviderRefusal, RefusalKind, TradeState
from engine.payments.wechat.client import WeChatPay, from_config
from tests.payments.wechat.simulator.conftest import Simulator, set_faults, tap_pay

LIMIT_PER_S = 40


async def test_two_processes_together_stay_below_the_merchants_limit(
    config: Wechat, order: PrepayRequest, session: aiohttp.ClientSession, simulator: Simulator, clean_redis_url: str
) -> None:
    before = limited()
    await set_faults(session, simulator, limits_per_s={"order": LIMIT_PER_S})
    config = config.model_copy(update={"order_per_s": float(LIMIT_PER_S), "timeout_s": 30.0})
    async with AsyncExitStack() as stack:
        shops = []
        for _ in range(2):
            store = await open_redis(clean_redis_url, connections_max=2, timeout_s=2.0, connect_timeout_s=2.0)
            stack.push_async_callback(store.close)
            shops.append(from_config(config, session, store))
            stack.callback(shops[-1].close_signer)
        orders = [replace(order, order_no=f"FG{secrets.token_hex(15)}") for _ in range(LIMIT_PER_S + 20)]
        outcomes = await asyncio.gather(*(shops[n % 2].create(each) for n, each in enumerate(orders)))
    assert all(isinstance(outcome, Prepaid) for outcome in outcomes)
    assert limited() == before


def limited() -> float:
    """How many orders this process was ever refused with 429."""
    labels = {"endpoint": "order", "outcome": "429"}
    return REGISTRY.get_sample_value("floodgate_wechatpay_seconds_count", labels) or 0.0


@pytest.mark.parametrize("code", ["FREQUENCY_LIMITED", "RATELIMIT_EXCEEDED"])
async def test_a_limited_order_is_rate_limited_whatever_its_code(
    pay: WeChatPay, order: PrepayRequest, session: aiohttp.ClientSession, simulator: Simulator, code: str
) -> None:
    await set_faults(session, simulator, answer_routes=["order"], answer_limited=1.0, limited_code=code)
    refusal = await pay.create(order)
    assert isinstance(refusal, ProviderRefusal)
    assert refusal.kind is RefusalKind.RATE_LIMITED
    assert limited() >= 1


@pytest.mark.parametrize("is_signed", [True, False], ids=["signed", "unsigned"])
@pytest.mark.parametrize("code", ["ORDERPAID", "ORDER_PAID"])
async def test_a_paid_order_is_found_paid_whatever_the_code_of_its_refusals(
    pay: WeChatPay,
    order: PrepayRequest,
    session: aiohttp.ClientSession,
    simulator: Simulator,
    code: str,
    is_signed: bool,
) -> None:
    await set_faults(session, simulator, paid_code=code, business_refusals_signed=is_signed)
    assert await tap_pay(session, simulator, pay, await pay.create(order)) == "ok"
    assert await pay.close(order.order_no, order.mchid) is CloseResult.PAID
    refusal = await pay.create(order)
    assert isinstance(refusal, ProviderRefusal)
    assert (refusal.kind, refusal.maybe_created) == (RefusalKind.ALREADY_PAID, True)


async def test_a_paid_order_refused_as_a_trade_error_is_left_to_a_query(
    pay: WeChatPay, order: PrepayRequest, session: aiohttp.ClientSession, simulator: Simulator
) -> None:
    await set_faults(session, simulator, paid_code="TRADE_ERROR")
    assert await tap_pay(session, simulator, pay, await pay.create(order)) == "ok"
    assert await pay.close(order.order_no, order.mchid) is CloseResult.UNKNOWN
    refusal = await pay.create(order)
    assert isinstance(refusal, ProviderRefusal)
    assert refusal.maybe_created
    assert (await pay.query(order.order_no, order.mchid)).state is TradeState.PAID


@pytest.mark.parametrize("code", ["INVALID_REQUEST", "PARAM_ERROR", "OUT_TRADE_NO_USED"])
async def test_a_changed_order_is_refused_and_the_first_stays_payable(
    pay: WeChatPay, order: PrepayRequest, session: aiohttp.ClientSession, simulator: Simulator, code: str
) -> None:
    await set_faults(session, simulator, changed_code=code)
    await pay.create(order)
    refusal = await pay.create(replace(order, total_fen=1))
    assert isinstance(refusal, ProviderRefusal)
    assert refusal.kind in (RefusalKind.INVALID, RefusalKind.NUMBER_TAKEN)
    assert (await pay.query(order.order_no, order.mchid)).state is TradeState.NOT_PAID
