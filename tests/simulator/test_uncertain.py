"""Where public sources disagree about WeChat, each side can be played."""

import time
from typing import Any

import pytest

from engine.simulator.pay.orders import DAY_MS
from engine.simulator.processes.server import Simulator
from tests.simulator.conftest import Caller, Receiver


async def set_faults(caller: Caller, **knobs: object) -> None:
    assert (await caller.house("PUT", "/_admin/faults", knobs)).status == 200


async def pays(caller: Caller, prepay_id: str) -> Any:
    return (await caller.house("POST", "/_buyer/pay", caller.payment(prepay_id))).json["result"]


async def entered_twice(caller: Caller, choice: str) -> tuple[str, str]:
    await set_faults(caller, reentry_prepay=choice)
    return (await caller.order()).json["prepay_id"], (await caller.order()).json["prepay_id"]


async def test_a_reentry_may_return_the_same_prepay_id(caller: Caller) -> None:
    first, second = await entered_twice(caller, "same")
    assert first == second


async def test_a_fresh_prepay_id_may_kill_the_old_one(caller: Caller) -> None:
    first, second = await entered_twice(caller, "fresh")
    assert (await pays(caller, first)).startswith("fail")
    assert await pays(caller, second) == "ok"


async def test_a_fresh_prepay_id_may_leave_the_old_one_alive(caller: Caller) -> None:
    first, second = await entered_twice(caller, "fresh_beside")
    assert first != second
    assert await pays(caller, first) == "ok"
    assert await pays(caller, second) == "fail 该订单已支付"


async def test_an_order_keeps_a_bounded_number_of_prepay_ids(caller: Caller, running: Simulator) -> None:
    await set_faults(caller, reentry_prepay="fresh_beside")
    for _ in range(9):
        await caller.order()
    assert len(running.office.ledger._by_prepay) == 6


@pytest.mark.parametrize("days", [7, 90])
async def test_the_latest_time_expire_is_clipped_to_the_days_chosen(
    caller: Caller, running: Simulator, days: int
) -> None:
    await set_faults(caller, expiry_most_days=days)
    await caller.order(time_expire="2999-01-01T00:00:00+08:00")
    kept = next(iter(running.office.ledger.orders()))
    assert kept.expires_ms == kept.created_ms + days * DAY_MS
    assert kept.expires_ms > time.time() * 1000


@pytest.mark.parametrize(("least_ms", "status"), [(0, 204), (300_000, 500)])
async def test_a_young_order_may_refuse_to_close(caller: Caller, least_ms: int, status: int) -> None:
    await set_faults(caller, close_least_age_ms=least_ms)
    await caller.order()
    assert (await caller.close()).status == status


@pytest.mark.parametrize(("is_same", "count"), [(True, 1), (False, 3)])
async def test_attempts_of_one_callback_may_carry_different_ids(
    caller: Caller, receiver: Receiver, is_same: bool, count: int
) -> None:
    await set_faults(caller, callback_same_id=is_same)
    receiver.answers = [500, 500]
    await caller.order_and_pay()
    assert len({body.split(b'"id":"')[1][:36] for _, body in await receiver.wait(3)}) == count
