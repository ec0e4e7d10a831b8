"""Durable orders of the whole stack, and what Redis spends on a reservation."""

from __future__ import annotations

from statistics import median

import uvloop

from bench import buyers
from bench.figures.common import (
    WEB_WORKERS,
    Bench,
    RoundSpoilt,
    interleave,
    order_count,
)
from bench.micro.claims import SKU, fresh_claims, let_through
from bench.report import Figure, figure
from bench.sales import OPEN
from engine.config.settings import Stock as StockSettings
from engine.infra.keys import SaleKeys
from engine.infra.redis import open_redis
from engine.stock.codes import ReserveCode
from engine.stock.stock import Stock, Terms

# A sale of any length, for Redis alone.
ENDLESS = Terms(
    opens_ms=0,
    closes_ms=1 << 45,
    hold_ms=600_000,
    buyer_max=6,
    paused=False,
    capacities=((SKU, 5_000_000),),
)


def orders(bench: Bench) -> list[Figure]:
    """Durable orders of the whole stack, against the echo."""
    bench.stack.serve(WEB_WORKERS)
    echoes, values = interleave(bench.pace.rounds, bench.echo_rate, lambda: durable_rate(bench))
    if bench.rounds["orders"][0][1].seconds:
        bench.unit_costs["web_order_us"] = bench.cost_us("orders", of="web-")
        bench.unit_costs["redis_order_us"] = bench.cost_us("orders", of="redis")
        bench.unit_costs["postgres_order_us"] = bench.cost_us("orders", of="postgres")
    return [
        figure(
            "durable orders, whole stack",
            values=values,
            yardsticks=echoes,
            unit="/s",
            against="echo/s on one core",
            target=0.40,
        )
    ]


def durable_rate(bench: Bench, name: str = "orders", *, measure_s: float | None = None) -> float:
    """Orders per second of one round, each told 201 after its COMMIT, each in the ledger."""
    stack, pace = bench.stack, bench.pace
    send = buyers.orders(stack, OPEN, int(pace.orders_per_s_max * (pace.warm_s + (measure_s or pace.measure_s))))
    rows, ran = order_count(stack, OPEN), stack.scripts()
    measured = bench.load(
        name,
        port=stack.port,
        send=send,
        expect=201,
        pids=stack.pids,
        repeat=False,
        connections=pace.order_connections,
        measure_s=measure_s,
    )
    told = measured.statuses_all[201]
    scripts, script_us = (now - before for now, before in zip(stack.scripts(), ran, strict=True))
    bench.notes[name] = f"{script_us / told:.1f} us in Redis scripts per order, {told / scripts:.0f} orders per script"
    written = order_count(stack, OPEN) - rows
    if written != told:
        raise RoundSpoilt(f"{told} buyers were told 201, but the ledger has {written} new orders")
    return measured.per_s


def redis_time(bench: Bench) -> list[Figure]:
    """What Redis itself spends on one reservation of a full batch, by its own account of its scripts.

    Measured while the rest of the stack is idle: that account is wall time, and beside busy processes it
    would count the time in which Redis waits for a core. The note on the orders' round tells that one.
    """
    stack = bench.stack
    batch = StockSettings().batch_count_max
    keys, epoch = SaleKeys.of("bench-batches"), 1

    async def reserve_all() -> float:
        store = await open_redis(stack.valkey.url, connections_max=1, timeout_s=5, connect_timeout_s=5)
        stock = Stock(store)
        await stock.clear(keys, epoch)
        await stock.open(keys, epoch, ENDLESS)
        batches = [fresh_claims(batch) for _ in range(bench.pace.batches)]
        for claims in batches:
            await let_through(store, keys, claims)
        _, used_us = stack.scripts()
        for claims in batches:
            decisions = await stock.reserve(keys, epoch, claims)
            if {decision.code for decision in decisions} != {ReserveCode.HELD}:
                raise RoundSpoilt(f"reserve: {decisions[0].code.name}")
        _, now_us = stack.scripts()
        await store.client.delete(*keys.all())
        await store.close()
        return (now_us - used_us) / (bench.pace.batches * batch)

    values = [uvloop.run(reserve_all()) for _ in range(bench.pace.rounds)]
    bench.unit_costs["redis_reserve_us"] = median(values)
    return [
        figure(
            f"Redis time per reservation, batches of {batch}",
            values=values,
            yardsticks=[1.0] * len(values),
            unit="us",
            against="us",
            target=8.0,
            at_most=True,
        )
    ]
