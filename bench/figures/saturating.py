"""Saturation: what comes through while ever more is offered, up to ten times what the server can do.

Polls, refusals and joins by one worker on a core of its own; orders and paid checkouts by the whole stack.
"""

from __future__ import annotations

import dataclasses

from bench import buyers, requests
from bench.crowds import queue_up
from bench.figures.common import WEB_WORKERS, Bench, order_count, paid_count, server_core
from bench.figures.flooding import CONNECTIONS_EACH, Kind, saturate
from bench.figures.lining import FEW_PEOPLE
from bench.figures.reading import sell_out
from bench.report import Figure
from bench.sales import FEW, LIVE, OPEN, SOLD_OUT

# Fewer than the payments that two workers start at a time.
SHOPPERS = 128
# Three requests, and WeChat between them; WeChat itself waits so long for one answer.
CHECKOUT_DEADLINE_S = 5.0

POLLS = Kind(
    name="polls",
    prepare=lambda bench, count: [requests.line_poll(FEW)],
    marker=b'"phase"',
    repeat=True,
)
REFUSALS = Kind(
    name="refusals",
    prepare=lambda bench, count: buyers.refused(bench.stack, SOLD_OUT, bench.pace.refused_buyers),
    wanted=409,
    marker=b'"SOLD_OUT"',
    repeat=True,
)
JOINS = Kind(
    name="joins",
    prepare=lambda bench, count: buyers.joins(bench.stack, LIVE, count),
    wanted=201,
    per_s_max=40_000,
)
ORDERS = Kind(
    name="orders",
    prepare=lambda bench, count: buyers.orders(bench.stack, OPEN, count),
    wanted=201,
    per_s_max=25_000,
    alone=False,
    connections=WEB_WORKERS * CONNECTIONS_EACH,
    written=lambda bench: order_count(bench.stack, OPEN),
)
# Nobody stands before the server: four times as many connections as it works on at a time, so that it has to refuse.
CROWDED_ORDERS = dataclasses.replace(
    ORDERS, name="orders, crowded", connections=10 * CONNECTIONS_EACH, shares=(1, 2, 5, 10)
)
CHECKOUTS = Kind(
    name="paid checkouts",
    prepare=lambda bench, count: buyers.errands(bench.stack, OPEN, count),
    alone=False,
    paid=True,
    connections=SHOPPERS,
    deadline_s=CHECKOUT_DEADLINE_S,
    # A few hundred a second, each half a second long: short stretches would count their own edges.
    shares=(0.5, 1.0, 2.0, 5.0, 10.0),
    longer=2.0,
    written=lambda bench: paid_count(bench.stack, OPEN),
)


def saturated_polls(bench: Bench) -> list[Figure]:
    """Polls of the line, by one worker."""
    bench.stack.serve(1, core=server_core())
    queue_up(bench.stack, FEW, FEW_PEOPLE)
    return saturate(bench, POLLS)


def saturated_refusals(bench: Bench) -> list[Figure]:
    """Sold-out answers, by one worker."""
    bench.stack.serve(1, core=server_core())
    sell_out(bench)
    return saturate(bench, REFUSALS)


def saturated_joins(bench: Bench) -> list[Figure]:
    """Live joins, by one worker."""
    return saturate(bench, JOINS)


def saturated_orders(bench: Bench) -> list[Figure]:
    """Durable orders, by the whole stack."""
    return saturate(bench, ORDERS)


def saturated_crowded_orders(bench: Bench) -> list[Figure]:
    """The same where no balancer bounds the connections."""
    return saturate(bench, CROWDED_ORDERS)


def saturated_checkouts(bench: Bench) -> list[Figure]:
    """Orders that are paid, by the whole stack and WeChat's simulator."""
    return saturate(bench, CHECKOUTS)
