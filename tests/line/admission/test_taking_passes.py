"""A pass is taken by the order that gets units, once; whoever is refused keeps it."""

from dataclasses import replace

from engine.orders.placing import Refused
from engine.orders.records import Order
from engine.stock.codes import ReserveCode
from tests.line.admission.conftest import PASS_MS, Till


def code_of(placed: Order | Refused) -> str:
    assert isinstance(placed, Refused), placed
    return placed.code.name


async def test_a_pass_buys_one_order(till: Till) -> None:
    admission = await till.admit("ann")
    assert isinstance(await till.order(admission, "key-00001"), Order)
    assert code_of(await till.order(admission, "key-00002")) == "PASS_SPENT"


async def test_the_same_request_with_its_used_pass_gets_its_order_again(till: Till) -> None:
    admission = await till.admit("ann")
    first = await till.order(admission, "key-00001")
    assert (await till.order(admission, "key-00001")).order_no == first.order_no


async def test_a_second_pass_buys_a_second_order(till: Till) -> None:
    await till.order(await till.admit("ann"), "key-00001")
    assert isinstance(await till.order(await till.admit("ann"), "key-00002"), Order)


async def test_an_order_takes_its_buyer_out_of_the_admitted_and_is_counted_in_its_lane(till: Till) -> None:
    await till.lanes(("public", 1, None), ("members", 1, None))
    await till.call(**{"head:1": 100})
    order = await till.order(await till.admit("ann", lane=1))
    client, keys = till.house.store.client, till.house.live.keys
    assert (await client.zcard(keys.admitted), await client.hlen(keys.passes)) == (0, 0)
    assert (await till.line("taken:0"), await till.line("taken:1")) == (0, 1)
    assert await till.house.sql("select lane from orders where order_no = $1", order.order_no) == 1


async def test_another_buyers_pass_is_worth_nothing(till: Till) -> None:
    admission = await till.admit("ann")
    await till.admit("bob", 1)
    forwarded = replace(admission, buyer=b"bob".ljust(16, b"-"))
    assert code_of(await till.order(forwarded)) == "PASS_SPENT"


async def test_a_pass_that_has_run_out_is_worth_nothing(till: Till) -> None:
    admission = await till.admit("ann")
    await till.call(serving_ms=PASS_MS)
    assert code_of(await till.order(admission)) == "PASS_SPENT"


async def test_a_pass_is_good_until_its_last_millisecond(till: Till) -> None:
    admission = await till.admit("ann")
    await till.call(serving_ms=PASS_MS - 1)
    assert isinstance(await till.order(admission), Order)


async def test_a_pass_of_an_older_epoch_is_worth_nothing(till: Till) -> None:
    admission = await till.admit("ann")
    till.house.live.fence()
    await till.house.rebuilder.restore(till.house.live, even_if_whole=True)
    assert code_of(await till.order(admission)) == "PASS_SPENT"


async def test_who_is_refused_for_want_of_units_keeps_the_pass(till: Till) -> None:
    await till.house.place("zoe", stand=4)
    admission = await till.admit("ann", 1)
    assert code_of(await till.order(admission, "key-00001", stand=2)) == "TOO_FEW_LEFT"
    assert isinstance(await till.order(admission, "key-00002", stand=1), Order)


async def test_a_used_pass_is_told_before_the_stock_is(till: Till) -> None:
    admission = await till.admit("ann")
    await till.order(admission, "key-00001", stand=4)
    assert code_of(await till.order(admission, "key-00002", stand=2)) == "PASS_SPENT"


async def test_after_the_end_of_the_window_a_used_pass_does_not_matter(till: Till) -> None:
    admission = await till.admit("ann")
    await till.order(admission)
    await till.change(paused=True)
    assert code_of(await till.order(admission, "key-00002")) == "PAUSED"


async def test_units_that_come_back_after_the_final_sold_out_wait_until_they_are_put_up_again(till: Till) -> None:
    admission = await till.admit("ann")
    await till.call(final=1)
    assert code_of(await till.order(admission, "key-00001")) == "SOLD_OUT"
    await till.change(round=2)
    assert isinstance(await till.order(admission, "key-00002"), Order)


async def test_the_same_terms_again_leave_the_final_sold_out_as_it_is(till: Till) -> None:
    await till.call(final=1)
    await till.change()
    assert await till.line("final") == 1


async def test_a_capacity_that_is_raised_ends_the_final_sold_out(till: Till) -> None:
    await till.call(final=1)
    skus = till.house.live.sale.skus
    await till.change(skus=(replace(skus[0], capacity=skus[0].capacity + 1), *skus[1:]))
    assert await till.line("final") == 0


async def test_a_capacity_that_is_lowered_leaves_the_final_sold_out_as_it_is(till: Till) -> None:
    await till.call(final=1)
    skus = till.house.live.sale.skus
    await till.change(skus=(replace(skus[0], capacity=skus[0].capacity - 1), *skus[1:]))
    assert await till.line("final") == 1


async def test_the_window_is_checked_before_the_pass_and_the_pass_before_everything_of_the_order() -> None:
    names = [code.name for code in ReserveCode]
    assert names.index("ENDED") < names.index("PASS_SPENT") < names.index("UNKNOWN_SKU")


async def test_a_round_that_is_over_is_not_begun_again_by_a_worker_that_had_not_heard_of_it(till: Till) -> None:
    await till.change(round=2)
    await till.call(final=1)
    await till.change(round=1)
    await till.change(round=2)
    assert await till.refuse("ann", 0) == "SOLD_OUT"
