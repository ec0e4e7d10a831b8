"""Many at once, too early, or under terms that change beneath them."""

import asyncio
import contextlib
import time
from collections import Counter
from urllib.request import urlopen

import asyncpg

from engine.catalog.refusals import SaleFileInvalid
from engine.infra.seals import Opened, Purpose, SealKeys
from engine.line.place import Pass, seal_pass
from engine.web.login import LOGINS_AT_ONCE_MAX
from tests.faults.promises import Journal, assert_kept
from tests.faults.rig import Rig
from tests.support.buyer import Answer, Buyer, Crowd
from tests.support.engine import OnSale, sale_text

EAGER_COUNT = 1000
LOGIN_COUNT = 600


async def all_at_once(buyer: Buyer, sale: OnSale, journal: Journal, keys: list[str]) -> list[Answer]:
    async def once(key: str) -> Answer:
        return await journal.insist(buyer, sale, {sale.skus[0]: 1}, key=key, patience_s=40)

    return list(await asyncio.gather(*(once(key) for key in keys)))


async def test_one_buyer_with_a_thousand_requests_at_once_stays_within_the_limit(
    rig: Rig, crowd: Crowd, journal: Journal
) -> None:
    sale = await rig.sell({"floor": 100}, per_buyer_max=3)
    buyer = await crowd.ready_buyer(sale.sale_id)

    async def burst() -> Counter[str]:
        """As many orders as one buyer can send, all on one pass."""
        asked = (journal.order(buyer, sale, {sale.skus[0]: 1}) for _ in range(EAGER_COUNT // 4))
        return Counter(answer.code for answer in await asyncio.gather(*asked))

    for _ in range(3):
        assert await burst() == {"": 1, "PASS_SPENT": EAGER_COUNT // 4 - 1}
        await buyer.take_pass(sale.sale_id)
    assert await burst() == {"BUYER_LIMIT": EAGER_COUNT // 4}
    assert len(journal.orders) == 3
    await assert_kept(rig, sale, journal)


async def test_one_request_a_thousand_times_at_once_is_one_order(rig: Rig, crowd: Crowd, journal: Journal) -> None:
    sale = await rig.sell({"floor": 100}, per_buyer_max=6)
    buyer = await crowd.ready_buyer(sale.sale_id)
    answers = await all_at_once(buyer, sale, journal, ["the-one-request"] * EAGER_COUNT)
    assert {answer.status for answer in answers} == {201}
    assert len(journal.orders) == 1
    await assert_kept(rig, sale, journal)


async def test_five_hundred_buyers_for_a_hundred_units_sell_exactly_a_hundred(
    rig: Rig, crowd: Crowd, journal: Journal
) -> None:
    sale = await rig.sell({"floor": 100}, per_buyer_max=1)

    async def try_for_one(buyer: Buyer) -> str:
        """Come when called and order; until there is an order, or every unit is held by others."""
        await buyer.login()
        place = {"Floodgate-Place": await buyer.join(sale.sale_id)}
        while True:
            claimed = await buyer.ask("POST", f"/v1/sales/{sale.sale_id}/pass", headers=place)
            if claimed.status == 200:
                buyer.passes[sale.sale_id] = claimed.json["pass"]
                return (await journal.insist(buyer, sale, {sale.skus[0]: 1})).code
            assert claimed.code in ("NOT_YOUR_TURN", "NO_ROOM", "TOO_OFTEN"), claimed
            stands = await buyer.ask("GET", f"/v1/sales/{sale.sale_id}/places/me", headers=place)
            if stands.json["state"] == "held_by_others":
                return "HELD_BY_OTHERS"
            await asyncio.sleep(claimed.json["retry_after_ms"] / 1000)

    answers = await asyncio.gather(*(try_for_one(crowd.buyer()) for _ in range(500)))
    assert Counter(answers) == {"": 100, "HELD_BY_OTHERS": 400}
    await assert_kept(rig, sale, journal)


async def test_nothing_is_sold_a_moment_too_early_not_even_for_a_pass_from_before(
    rig: Rig, crowd: Crowd, journal: Journal
) -> None:
    opens_ms = int(time.time() * 1000) + 4000
    sale = await rig.sell({"floor": 10}, per_buyer_max=10, opens_in_s=4)
    buyer = crowd.buyer()
    await buyer.login()
    place = {"Floodgate-Place": await buyer.join(sale.sale_id)}

    async def told_to_wait() -> bool:
        refused = await buyer.ask("POST", f"/v1/sales/{sale.sale_id}/pass", headers=place)
        assert refused.code in ("NOT_OPEN", "UNAVAILABLE"), refused
        return refused.code == "NOT_OPEN"

    await rig.until(told_to_wait)
    buyer.passes[sale.sale_id] = forged_early_pass(rig, buyer, sale)

    answers: list[tuple[int, Answer]] = []
    while not answers or answers[-1][1].status != 201:
        answer = await journal.order(buyer, sale, {sale.skus[0]: 1})
        answers.append((int(time.time() * 1000), answer))
        assert answers[-1][0] < opens_ms + 5000
        if answer.code == "PASS_SPENT":  # it is open, and this pass was never given out
            answers.pop()
            await buyer.take_pass(sale.sale_id)
    *early, (first_ms, _) = answers
    assert {answer.code for _, answer in early} == {"NOT_OPEN"}
    assert all(answer.json["retry_after_ms"] > 0 for _, answer in early)
    (order,) = await rig.rows(
        "select (extract(epoch from o.created_at) * 1000)::bigint as created_ms,"
        " (extract(epoch from s.opens_at) * 1000)::bigint as opens_ms"
        " from orders o join sales s using (sale_id) where sale_id = $1",
        sale.sale_id,
    )
    assert order["created_ms"] >= order["opens_ms"]
    assert first_ms - order["opens_ms"] < 3000  # the line has to call, too
    await assert_kept(rig, sale, journal)


def forged_early_pass(rig: Rig, buyer: Buyer, sale: OnSale) -> str:
    """A pass as it would be if the line had let this buyer through before the opening."""
    config = rig.engine.config
    keys = SealKeys(
        {key_id: secret.get_secret_value().encode() for key_id, secret in config.seals.keys.items()},
        config.seals.current,
    )
    now_s = int(time.time())
    opened = keys.open(Purpose.BUYER, buyer.seal, now_s=now_s)
    assert isinstance(opened, Opened)
    return seal_pass(keys, Pass(opened.payload, sale.sale_id, 0, 1, bytes(8)), expires_s=now_s + 60)


async def test_a_sale_postponed_after_passes_were_given_sells_nothing_until_its_new_opening(
    rig: Rig, crowd: Crowd, journal: Journal
) -> None:
    sale = await rig.sell({"floor": 10})
    buyer = await crowd.ready_buyer(sale.sale_id)
    await rig.apply(sale_text(sale_id=sale.sale_id, capacities={"floor": 10}), opens_in_s=4)
    await asyncio.sleep(2.5)
    refused = await journal.order(buyer, sale, {sale.skus[0]: 1})
    assert refused.code == "NOT_OPEN"
    await rig.until(lambda: ordered(buyer, sale, journal))
    await assert_kept(rig, sale, journal)


async def ordered(buyer: Buyer, sale: OnSale, journal: Journal) -> bool:
    return (await journal.order(buyer, sale, {sale.skus[0]: 1})).status == 201


async def test_a_capacity_that_moves_while_selling_is_never_exceeded(rig: Rig, crowd: Crowd, journal: Journal) -> None:
    sale = await rig.sell({"floor": 60, "stand": 60}, per_buyer_max=4)
    buyers = []
    for _ in range(3):
        buyers += await asyncio.gather(*(crowd.ready_buyer(sale.sale_id) for _ in range(30)))

    async def shop(turn: int) -> None:
        await asyncio.sleep(turn * 0.02)
        await journal.insist(buyers[turn], sale, {sale.skus[turn % 2]: 1 + turn % 3})

    async def amend() -> None:
        for capacity in (50, 70, 40, 55):
            text = sale_text(
                sale_id=sale.sale_id,
                capacities={"floor": capacity, "stand": capacity},
                per_buyer_max=4,
                line_rate=100_000 + capacity,
            )
            await apply_if_it_fits(rig, text)
            await asyncio.sleep(0.4)

    await asyncio.gather(amend(), *(shop(turn) for turn in range(len(buyers))))
    await asyncio.sleep(1.5)
    await assert_kept(rig, sale, journal)


async def test_changing_a_sale_waits_for_orders_on_their_way_and_never_locks_them_out(rig: Rig) -> None:
    sale = await rig.sell({"b": 10, "a": 10})
    conn = await asyncpg.connect(rig.engine.stores.postgres_url)
    try:
        async with conn.transaction():
            # What placing an order does, slowly: the sale first, then its SKUs in the order of their ids.
            await conn.execute("set local lock_timeout = '3s'")
            await conn.execute("select from sales where sale_id = $1 for share", sale.sale_id)
            text = sale_text(sale_id=sale.sale_id, capacities={"b": 20, "a": 20}, line_rate=5)
            changing = asyncio.create_task(rig.apply(text))
            await asyncio.sleep(0.3)
            for sku in sorted(sale.skus):
                await conn.execute("update skus set allocated = allocated where sku_id = $1", sku)
        await changing
    finally:
        await conn.close()
    capacities = await rig.rows("select capacity from skus where sku_id = any($1::text[])", list(sale.skus))
    assert [row["capacity"] for row in capacities] == [20, 20]


async def apply_if_it_fits(rig: Rig, text: str) -> None:
    with contextlib.suppress(SaleFileInvalid):  # fewer than are allocated: refused, as it should be
        await rig.apply(text)


def requests_running(rig: Rig) -> float:
    """Over all workers, as they saw it within the last half second."""
    name = "floodgate_http_requests_running"
    pages = [urlopen(f"{url}/metrics").read().decode() for url in rig.engine.admin_urls]
    return sum(float(row.split()[-1]) for page in pages for row in page.splitlines() if row.startswith(name))


async def test_logins_that_wechat_leaves_waiting_hold_up_no_payment(rig: Rig, crowd: Crowd) -> None:
    sale = await rig.sell({"floor": 10})
    buyer = await crowd.ready_buyer(sale.sale_id)
    order_no = (await buyer.order(sale.sale_id, {sale.skus[0]: 1})).json["order_no"]
    codes = await asyncio.gather(*(crowd.buyer().login_code() for _ in range(LOGIN_COUNT)))
    await rig.set_luck(weixin_delay_ms=[2500, 2500])
    logins = [asyncio.create_task(crowd.ask("POST", "/v1/login", body={"code": code})) for code in codes]
    try:
        while await asyncio.to_thread(requests_running, rig) < 2 * LOGINS_AT_ONCE_MAX:  # noqa: ASYNC110 - nobody announces it
            await asyncio.sleep(0.05)
        started = await buyer.start_payment(order_no)
        answered = [login for login in logins if login.done() and login.result().status == 200]
        assert (started.status, answered) == (200, [])
    finally:
        await asyncio.gather(*logins)
