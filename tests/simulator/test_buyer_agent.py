"""Buyers who pay at the last second, race the merchant's close, or behave as a knob's shares say."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from engine.simulator.pay import buyer
from engine.simulator.pay.buyer import Behaviour
from engine.simulator.processes.server import Simulator
from tests.simulator.conftest import PROMPT, Caller, Receiver


class Clock:
    """The real clock, moved on by a test."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def racing(home: Path, clock: Clock) -> AsyncIterator[Simulator]:
    simulator = Simulator(home, luck=PROMPT, now_ms=clock)
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
def merchant(racing: Simulator, session: aiohttp.ClientSession, receiver: Receiver) -> Caller:
    return Caller(session, racing.credentials, racing.port, receiver.url)


async def tap(caller: Caller, payment: dict[str, object], behaviour: str | None = None) -> Any:
    chosen = {} if behaviour is None else {"behaviour": behaviour}
    return (await caller.house("POST", "/_buyer/pay", payment | chosen)).json


async def set_faults(caller: Caller, **knobs: object) -> None:
    assert (await caller.house("PUT", "/_admin/faults", knobs)).status == 200


@pytest.mark.parametrize(
    ("behaviour", "offset_ms", "result"),
    [
        ("pay_1s_before_expiry", -1000, "ok"),
        ("pay_at_expiry", 0, "ok"),
        ("pay_1s_after_expiry", 1000, "fail 该订单已失效"),
    ],
)
async def test_a_buyer_pays_around_the_very_end(
    merchant: Caller, clock: Clock, behaviour: str, offset_ms: int, result: str
) -> None:
    payment = merchant.payment((await merchant.order(time_expire="2020-01-01T00:00:00+08:00")).json["prepay_id"])
    clock.ahead_ms = 60_000 + offset_ms - 200  # The least time to pay is a minute: wait its last 200 ms.
    assert (await tap(merchant, payment, behaviour))["result"] == result


async def test_a_buyer_who_comes_too_late_for_the_last_second_is_refused(merchant: Caller, clock: Clock) -> None:
    payment = merchant.payment((await merchant.order(time_expire="2020-01-01T00:00:00+08:00")).json["prepay_id"])
    clock.ahead_ms = 61_000
    assert (await tap(merchant, payment, "pay_at_expiry"))["result"] == "fail 该订单已失效"


async def test_a_race_with_a_close_is_won_by_either_and_both_sides_agree(merchant: Caller, racing: Simulator) -> None:
    endings = set()
    for number in range(12):
        payment = merchant.payment((await merchant.order(f"T000{number:02}")).json["prepay_id"])
        heard = asyncio.create_task(tap(merchant, payment, "race_close"))
        async with asyncio.timeout(10):
            while not racing.office.till._racers:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        closed = await merchant.close(f"T000{number:02}")
        endings.add((closed.status, (await heard)["result"]))
    assert endings == {(204, "fail 该订单已失效"), (400, "ok")}


async def test_a_racer_whom_nobody_races_leaves_at_the_end(merchant: Caller, clock: Clock) -> None:
    payment = merchant.payment((await merchant.order(time_expire="2020-01-01T00:00:00+08:00")).json["prepay_id"])
    clock.ahead_ms = 59_900
    assert (await tap(merchant, payment, "race_close"))["result"] == "fail no result"


async def test_a_wrong_password_is_not_final(merchant: Caller) -> None:
    payment = merchant.payment((await merchant.order()).json["prepay_id"])
    assert (await tap(merchant, payment, "wrong_password"))["result"] == "ok"
    assert (await merchant.query()).json["trade_state"] == "SUCCESS"


async def test_ok_may_be_heard_before_the_callback(merchant: Caller, receiver: Receiver) -> None:
    await set_faults(merchant, callback_late_ms=[60_000, 60_000])
    payment = merchant.payment((await merchant.order()).json["prepay_id"])
    assert (await tap(merchant, payment, "ok_before_callback"))["result"] == "ok"
    tally = (await merchant.house("GET", "/_admin/callbacks")).json
    assert (tally["late"], tally["attempts"], receiver.got) == (1, 0, [])


async def test_buyers_without_a_behaviour_behave_as_the_shares_say(merchant: Caller) -> None:
    await set_faults(merchant, buyer_behaviours={"cancel": 1.0})
    payment = merchant.payment((await merchant.order()).json["prepay_id"])
    assert (await tap(merchant, payment))["result"] == "cancel"
    assert (await tap(merchant, payment, "pay"))["result"] == "ok"


async def test_a_buyer_thinks_before_paying(merchant: Caller) -> None:
    await set_faults(merchant, buyer_delay_ms=[1, 2])
    payment = merchant.payment((await merchant.order()).json["prepay_id"])
    assert (await tap(merchant, payment))["result"] == "ok"


@pytest.mark.parametrize(
    ("draw", "chosen"),
    [(0.0, "cancel"), (0.19, "cancel"), (0.2, "abandon"), (0.49, "abandon"), (0.5, "pay"), (0.99, "pay")],
)
def test_shares_divide_the_draw_in_their_order(draw: float, chosen: str) -> None:
    assert buyer.choose({"cancel": 0.2, "abandon": 0.3}, draw=draw) is Behaviour(chosen)


def test_every_behaviour_has_a_result() -> None:
    assert set(buyer.RESULTS) == set(Behaviour)
