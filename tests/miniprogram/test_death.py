"""The jobs die at any point of their work, again and again: nobody is told twice, WeChat hears of every delivery."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from engine.config import MessageKind, MessageTemplate
from engine.miniprogram.client import MiniProgramApi
from engine.miniprogram.duties import Duties
from engine.miniprogram.messenger import Messenger
from engine.miniprogram.shipper import Shipper
from tests.miniprogram.conftest import Reply, Request, Script
from tests.miniprogram.shop import Shop

SEND = "/cgi-bin/message/subscribe/send"
UPLOAD = "/wxa/sec/order/upload_shipping_info"
OK = Reply(json={"errcode": 0, "errmsg": "ok"})
BUSY = Reply(json={"errcode": -1, "errmsg": "system error"})
TEMPLATE = MessageTemplate(template_id="tpl-paid-0001", fields={"character_string1": "{order_no}"})
ORDERS = 12
DEATHS = 25
TURNS_MAX = 100_000  # of the loop: nothing came of waiting, so it dies here


async def killed(work: Callable[[], Awaitable[bool]], script: Script, luck: random.Random) -> None:
    """Begin a turn of the job and end it for good a little after WeChat got some of its requests, or none."""
    task = asyncio.ensure_future(work())
    requests = len(script.requests) + luck.randrange(4)
    for _ in range(TURNS_MAX):
        if len(script.requests) >= requests or task.done():
            break
        await asyncio.sleep(0)
    for _ in range(luck.choice([0, 5, 50, 500])):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_messenger_that_keeps_dying_tells_nobody_twice(
    api: MiniProgramApi, shop: Shop, script: Script, seed: int
) -> None:
    luck = random.Random(seed)
    script.always(SEND, *(luck.choice([OK, OK, BUSY, Reply(drop=True)]) for _ in range(200)), OK)
    for number in range(ORDERS):
        await shop.owe("tell_paid", await shop.order(f"oBuyer{number % 4}"))
    for number in range(4):
        await shop.accept("paid", f"oBuyer{number}", count=ORDERS)
    messenger = Messenger(Duties(shop.pool), api, shop.privacy, {MessageKind.PAID: TEMPLATE})
    for _ in range(DEATHS):
        await killed(messenger.run_once, script, luck)
        await shop.let_time_pass()
    while any(state == "due" for state, _ in await shop.duties("tell_paid")):
        await messenger.run_once()
        await shop.let_time_pass()
    seen = Counter(request.json["data"]["character_string1"]["value"] for request in taken(script))
    ends = Counter(state for state, _ in await shop.duties("tell_paid"))
    told = sum(outcome == "told" for _, outcome in await shop.duties("tell_paid"))
    assert max(seen.values(), default=0) <= 1
    assert set(ends) <= {"done", "given_up"}
    assert told <= len(seen)


def taken(script: Script) -> list[Request]:
    """The messages that may have reached the buyer: all but those that WeChat was too busy for."""
    return [request for request in script.asked(SEND) if request.reply is not BUSY]


async def test_a_shipper_that_keeps_dying_reports_everything_in_the_end(
    api: MiniProgramApi, shop: Shop, script: Script
) -> None:
    luck = random.Random(4)
    script.always(UPLOAD, *(luck.choice([OK, BUSY, Reply(drop=True)]) for _ in range(100)), OK)
    shipper = Shipper(
        Duties(shop.pool),
        api,
        shop.privacy,
        item_desc="{tickets}",
        done_errcodes=[],
        alarm_h=12,
        now=lambda: datetime(2026, 11, 22, tzinfo=UTC),
    )
    for _ in range(ORDERS):
        await shop.owe("shipping", await shop.order())
    for _ in range(DEATHS):
        await killed(shipper.run_once, script, luck)
        await shop.let_time_pass()
    while any(state == "due" for state, _ in await shop.duties("shipping")):
        await shipper.run_once()
        await shop.let_time_pass()
    assert await shop.duties("shipping") == [("done", "done")] * ORDERS
