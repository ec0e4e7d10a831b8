"""Money: whole checkouts, and notifications alone."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from bench import buyers, notices, rsa
from bench.figures.common import (
    WEB_WORKERS,
    Bench,
    RoundSpoilt,
    interleave,
    paid_count,
    wait_until_paid,
)
from bench.generator import Plan, generate
from bench.machine import CpuUse, cores, cpu_use
from bench.openloop import Schedule, Sent, send_all
from bench.report import Effort, Figure, figure
from bench.sales import OPEN
from bench.shoppers import ErrandPlan, Shopped, shop

CALLBACKS_PER_S = 500
CALLBACK_P99_MS = 200.0
CALLBACK_CONNECTIONS = 64
ORDERING_MAX_S = 30.0


def checkouts(bench: Bench) -> list[Figure]:
    """Order, prepay, pay, callback, paid: from the first request to the last paid order in the ledger."""
    stack, pace = bench.stack, bench.pace
    stack.serve(WEB_WORKERS)
    shopped: list[tuple[Shopped, CpuUse]] = []

    def floor_rate() -> float:
        return rsa.measure().checkouts_per_s(len(cores()))

    def round_() -> float:
        errands = buyers.errands(stack, OPEN, pace.checkouts)
        paid_before = paid_count(stack, OPEN)
        plan = ErrandPlan(
            engine_port=stack.port,
            simulator_port=stack.simulator_port,
            errands=errands,
            shoppers=pace.shoppers,
        )
        before = cpu_use(stack.pids)
        done = shop(plan)
        if done.failed:
            raise RoundSpoilt(f"checkouts: {done.failed}")
        wait_until_paid(stack, OPEN, paid_before + pace.checkouts)
        spent = cpu_use(stack.pids).since(before)
        last_paid_s = stack.ask_ledger(
            "select extract(epoch from max(received_at))::float8 from payments where sale_id = $1", OPEN
        )
        shopped.append((done, spent))
        rate = float(pace.checkouts / (last_paid_s - done.began_at_s))
        bench.console.print(f"  paid checkouts: {rate:,.0f}/s, generator {done.cpu_share:.0%}")
        return rate

    floors, values = interleave(pace.rounds, floor_rate, round_)
    if shopped[0][1].seconds:
        bench.unit_costs["web_checkout_us"] = _checkout_us(shopped, of="web-")
        bench.unit_costs["redis_checkout_us"] = _checkout_us(shopped, of="redis")
        bench.unit_costs["postgres_checkout_us"] = _checkout_us(shopped, of="postgres")
    bench.efforts.append(
        Effort(
            name="paid checkouts",
            per_s=median(values),
            p50_ms=median(done.p50_ms for done, _ in shopped),
            p99_ms=median(done.p99_ms for done, _ in shopped),
            generator_share=median(done.cpu_share for done, _ in shopped),
            generator_us=median(done.cpu_s * 1e6 / done.done for done, _ in shopped),
            cpu_us=shopped[-1][1].per(pace.checkouts),
        )
    )
    return [
        figure(
            "paid checkouts, whole stack",
            values=values,
            yardsticks=floors,
            unit="/s",
            against=f"/s, RSA alone on {len(cores())} cores",
            target=0.5,
        )
    ]


def _checkout_us(shopped: Sequence[tuple[Shopped, CpuUse]], *, of: str) -> float:
    """CPU microseconds of a whole checkout, its order included, of all processes whose names begin so."""
    spent_s = sum(s for _, use in shopped for name, s in use.seconds.items() if name.startswith(of))
    return spent_s * 1e6 / sum(done.done for done, _ in shopped)


def callbacks(bench: Bench) -> list[Figure]:
    """Notifications at an even rate in the open loop: until each is verified, decrypted, settled and acknowledged."""
    stack, pace = bench.stack, bench.pace
    stack.serve(WEB_WORKERS)
    count = int(CALLBACKS_PER_S * pace.measure_s * 2)
    sent: list[tuple[Sent, CpuUse]] = []
    floors_us: list[float] = []

    def round_() -> float:
        send, openids = buyers.known_orders(stack, OPEN, count)
        known = set(stack.ask_ledger("select array_agg(order_no) from orders where sale_id = $1", OPEN) or [])
        ordered = generate(
            Plan(port=stack.port, requests=send, connections=pace.order_connections, warm_s=0, measure_s=ORDERING_MAX_S)
        )
        if set(ordered.statuses_all) != {201}:
            raise RoundSpoilt(f"orders to be paid: {ordered.statuses_all}")
        # As if each buyer had asked for the payment's parameters; nobody is asked about them meanwhile.
        rows = stack.list_ledger(
            """update orders set state = 'paying', next_check_at = now() + interval '1 hour'
               where sale_id = $1 and state = 'held' returning order_no, buyer""",
            OPEN,
        )
        due = {row["order_no"]: openids[row["buyer"]] for row in rows if row["order_no"] not in known}
        requests_ = notices.paid(stack, due, total_fen=100)
        paid_before = paid_count(stack, OPEN)
        before = cpu_use(stack.pids)
        done = send_all(
            Schedule(
                port=stack.port, requests=requests_, per_s=CALLBACKS_PER_S, connections=CALLBACK_CONNECTIONS, seed=1
            )
        )
        sent.append((done, cpu_use(stack.pids).since(before)))
        if set(done.statuses) != {204}:
            raise RoundSpoilt(f"callbacks: {done.statuses}")
        if paid_count(stack, OPEN) - paid_before != len(requests_):
            raise RoundSpoilt("callbacks: acknowledged notifications did not all pay their orders")
        floors_us.append(rsa.measure().verify_us)
        bench.console.print(
            f"  callbacks: {done.offered_per_s:,.0f}/s offered, p50 {done.p50_ms:.1f} ms, p99 {done.p99_ms:.1f} ms, "
            f"worst {done.worst_ms:.1f} ms, generator {done.cpu_s / done.seconds:.0%}"
        )
        return done.p99_ms

    values = [round_() for _ in range(pace.rounds)]
    of_all = sum(sum(one.statuses.values()) for one, _ in sent)
    spent: dict[str, float] = {}
    for _, use in sent:
        for process, seconds in use.seconds.items():
            spent[process] = spent.get(process, 0.0) + seconds
    bench.efforts.append(
        Effort(
            name=f"callbacks at {CALLBACKS_PER_S:,}/s",
            per_s=median(one.offered_per_s for one, _ in sent),
            p50_ms=median(one.p50_ms for one, _ in sent),
            p99_ms=median(values),
            generator_share=median(one.cpu_s / one.seconds for one, _ in sent),
            generator_us=median(one.cpu_s * 1e6 / sum(one.statuses.values()) for one, _ in sent),
            cpu_us=CpuUse(spent).per(of_all),
            note=f"the RSA floor of one callback is {median(floors_us):.0f} us, its verification",
        )
    )
    return [
        figure(
            f"callbacks at {CALLBACKS_PER_S:,}/s, p99",
            values=values,
            yardsticks=[CALLBACK_P99_MS] * len(values),
            unit="ms",
            against="ms allowed",
            target=1.0,
            at_most=True,
        )
    ]
