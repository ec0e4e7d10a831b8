"""Buyers order, pay, cancel, repeat and walk away while everything around them is killed, emptied, cut and frozen.

FLOODGATE_TEST_CHAOS_S makes it longer and FLOODGATE_TEST_CHAOS_SEED another one; the usual run is short.
"""

import asyncio
import os
import random
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial

import aiohttp
import pytest

from tests.faults.aof import AppendOnlyFile
from tests.faults.promises import Journal, assert_kept
from tests.faults.rig import Rig, show
from tests.support.buyer import Answer, Buyer, Crowd
from tests.support.engine import OnSale

CHAOS_S = float(os.environ.get("FLOODGATE_TEST_CHAOS_S", "10"))
SEED = int(os.environ.get("FLOODGATE_TEST_CHAOS_SEED", "1"))
BUYERS = 30
PATIENCE_S = 3.0
MOODS = ("pay", "pay", "pay", "cancel", "leave", "repeat", "pay and cancel", "cancel paying")
TROUBLE = (aiohttp.ClientError, TimeoutError)


class Shopper:
    """One buyer with many moods. Whatever is not answered is asked again, or forgotten, as people do."""

    def __init__(self, buyer: Buyer, sale: OnSale, journal: Journal, luck: random.Random) -> None:
        self.buyer = buyer
        self.sale = sale
        self.journal = journal
        self.luck = luck
        self.told: Counter[str] = Counter()

    async def shop(self) -> None:
        while True:
            await asyncio.sleep(self.luck.uniform(0.05, 0.6))
            key = f"request-{self.luck.getrandbits(40)}"
            items = {self.luck.choice(self.sale.skus): self.luck.choice((1, 1, 2, 3))}
            order_no = await self.order(items, key)
            if order_no is None:
                continue
            match self.luck.choice(MOODS):
                case "pay":
                    await self.pay(order_no)
                case "cancel":
                    await self.try_to(partial(self.cancel, order_no))
                case "repeat":
                    again = await self.order(items, key)
                    assert again in (None, order_no)
                case "pay and cancel":
                    await asyncio.gather(
                        self.pay(order_no),
                        self.try_to(partial(self.cancel, order_no)),
                    )
                case "cancel paying":
                    await self.try_to(partial(self.buyer.start_payment, order_no))
                    await self.try_to(partial(self.cancel, order_no))

    async def order(self, items: dict[str, int], key: str) -> str | None:
        for _ in range(self.luck.choice((1, 2, 8))):
            answer = await self.try_to(lambda: self.journal.order(self.buyer, self.sale, items, key=key))
            if answer is not None and answer.status == 201:
                return str(answer.json["order_no"])
            if answer is not None and answer.status != 503:
                return None
            await asyncio.sleep(0.2)
        return None

    async def cancel(self, order_no: str) -> Answer:
        return await self.buyer.ask("DELETE", f"/v1/orders/{order_no}")

    async def pay(self, order_no: str) -> None:
        started = await self.try_to(lambda: self.buyer.start_payment(order_no))
        if started is not None and started.status == 200:
            await asyncio.sleep(self.luck.choice((0.0, 0.1, 1.0)))
            await self.try_to(lambda: self.buyer.tap_pay(started.json))

    async def try_to(self, act: Callable[[], Awaitable[Answer]]) -> Answer | None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                answer = await act()
        except TROUBLE as trouble:
            self.told[type(trouble).__name__] += 1
            return None
        self.told[f"{answer.status} {answer.code}".strip()] += 1
        assert answer.status < 500 or answer.status == 503, answer
        return answer


class Wrecker:
    """One misfortune after the other, each ended before the next begins."""

    def __init__(self, rig: Rig, luck: random.Random) -> None:
        self.rig = rig
        self.luck = luck
        self.done: Counter[str] = Counter()

    async def wreck(self) -> None:
        misfortunes = [name for name in dir(self) if name.startswith("it_")]
        while True:
            await asyncio.sleep(self.luck.uniform(0.2, 0.9))
            name = self.luck.choice(misfortunes)
            self.done[name] += 1
            await getattr(self, name)()

    async def it_kills_a_worker(self) -> None:
        worker = self.luck.choice(self.rig.engine.workers)
        worker.kill()
        await asyncio.sleep(0.2)
        worker.launch()

    async def it_kills_the_jobs(self) -> None:
        self.rig.engine.jobs.kill()
        self.rig.engine.jobs.launch()

    async def it_kills_redis(self) -> None:
        self.rig.redis.kill()
        await asyncio.to_thread(self.rig.redis.start)

    async def it_empties_redis(self) -> None:
        self.rig.redis.kill()
        shutil.rmtree(self.rig.redis.folder / "appendonlydir")
        await asyncio.to_thread(self.rig.redis.start)

    async def it_takes_a_second_from_redis(self) -> None:
        self.rig.redis.kill()
        AppendOnlyFile(self.rig.redis).cut_back(1.5)
        await asyncio.to_thread(self.rig.redis.start)

    async def it_flushes_redis(self) -> None:
        with self.rig.redis.client() as client:
            client.flushall()

    async def it_flushes_scripts(self) -> None:
        with self.rig.redis.client() as client:
            client.script_flush()

    async def it_kills_postgres(self) -> None:
        await asyncio.to_thread(self.rig.postgres.kill)
        await asyncio.to_thread(self.rig.postgres.start)

    async def it_resets_connections(self) -> None:
        for wires in self.rig.engine.wires.values():
            for wire in wires.all():
                if self.luck.random() < 0.5:
                    await asyncio.to_thread(wire.reset)

    async def it_swallows_what_one_process_says(self) -> None:
        wire = self.luck.choice(self.luck.choice(list(self.rig.engine.wires.values())).all())
        await asyncio.to_thread(wire.block)
        await asyncio.sleep(self.luck.uniform(0.2, 2.0))
        await asyncio.to_thread(wire.heal)

    async def it_freezes_a_process(self) -> None:
        program = self.luck.choice(list(self.rig.engine.programs.values()))
        self.rig.freeze(program)
        await asyncio.sleep(self.luck.uniform(0.2, 1.5))
        self.rig.thaw(program)


@pytest.mark.timeout(CHAOS_S + 110)
async def test_everything_at_once(rig: Rig, crowd: Crowd, journal: Journal) -> None:
    luck = random.Random(SEED)
    size = max(1, int(CHAOS_S / 5))
    capacities = {"floor": 20 * size, "stand": 12 * size, "box": 3 * size}
    sale = await rig.sell(capacities, per_buyer_max=4 * size, hold_s=3)
    buyers = await asyncio.gather(*(crowd.ready_buyer(sale.sale_id) for _ in range(BUYERS)))
    shoppers = [Shopper(buyer, sale, journal, random.Random(luck.random())) for buyer in buyers]
    wrecker = Wrecker(rig, random.Random(luck.random()))
    await rig.set_luck(callback_duplicate=0.3, callback_loss=0.1)
    tasks = [asyncio.create_task(one.shop()) for one in shoppers] + [asyncio.create_task(wrecker.wreck())]
    try:
        done, _ = await asyncio.wait(tasks, timeout=CHAOS_S, return_when=asyncio.FIRST_EXCEPTION)
        for ended in done:
            ended.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await rig.mend()
    told = sum((one.told for one in shoppers), Counter())
    states = Counter(order["state"] for order in await rig.orders_of(sale))
    show(f"seed {SEED}: {dict(wrecker.done)}\nanswers {dict(told)}\norders {dict(states)}")
    assert journal.orders
    await assert_kept(rig, sale, journal)
