"""Durable orders against what others build: three designs with as many workers, on the same stores, in turns.

Each design is durable and never oversells, and leaves out what would only make it slower. What is compared is the rate
of the closed loop, how long an order takes there, and the CPU that it costs all processes together.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from bench import requests
from bench.figures.common import WEB_WORKERS, Bench, interleave
from bench.figures.ordering import durable_rate
from bench.reference import hot_row, obvious, skip_locked
from bench.report import Figure, figure
from bench.requests import sku_of
from bench.sales import OPEN
from bench.servers import Servers
from bench.stack import Stack

ENGINE = "Floodgate"
OBVIOUS, HOT_ROW, SKIP_LOCKED = "one Redis call and one INSERT each", "one hot row", "a row for each unit, skip locked"
TARGETS = {OBVIOUS: 5.0, HOT_ROW: 5.0, SKIP_LOCKED: 5.0}
UNITS = 2_000_000_000
# A row for each: more than any run takes, and not more than a few seconds of writing.
UNIT_ROWS = 400_000


def peers(bench: Bench) -> list[Figure]:
    """Orders a second of the engine and of each design."""
    stack = bench.stack
    stack.serve(WEB_WORKERS)
    with _designs(stack) as servers:

        def rate_of(name: str, server: Servers) -> float:
            return bench.load(
                name,
                port=server.port,
                send=[requests.reference_order(OPEN)],
                expect=201,
                pids=server.pids | {"redis": stack.valkey.pid, "postgres": stack.postgres.pid},
                connections=bench.pace.order_connections,
            ).per_s

        ours, *theirs = interleave(
            bench.pace.rounds,
            lambda: durable_rate(bench, ENGINE),
            *(lambda name=name, server=server: rate_of(name, server) for name, server in servers.items()),
        )
    bench.peers += [ENGINE, *servers]
    return [
        figure(
            f"durable orders against {name}",
            values=ours,
            yardsticks=rates,
            unit="/s",
            against="orders/s",
            target=TARGETS[name],
        )
        for name, rates in zip(servers, theirs, strict=True)
    ]


@contextlib.contextmanager
def _designs(stack: Stack) -> Iterator[Mapping[str, Servers]]:
    """Every design with its units, by its name."""
    for design in (obvious, hot_row, skip_locked):
        stack.change_ledger(design.SCHEMA)
    sku = sku_of(OPEN)
    stack.change_ledger(f"insert into hot_stock values ('{sku}', {UNITS}) on conflict do nothing")
    stack.list_ledger(skip_locked.FILL, sku, UNIT_ROWS)
    stack.change_ledger("vacuum analyze unit_stock")
    with stack.valkey.client() as client:
        client.set(f"obvious:free:{sku}", UNITS)
    postgres = ["--postgres-url", stack.postgres.url]
    redis = ["--redis-url", stack.valkey.url]
    with contextlib.ExitStack() as servers:

        def started(module: str, *arguments: str) -> Servers:
            return servers.enter_context(
                Servers(f"bench.reference.{module}", arguments, logs=stack.logs, count=WEB_WORKERS)
            )

        yield {
            OBVIOUS: started("obvious", *postgres, *redis),
            HOT_ROW: started("hot_row", *postgres),
            SKIP_LOCKED: started("skip_locked", *postgres),
        }
