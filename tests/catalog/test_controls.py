"""Pausing, pacing and reopening a sale in the real ledger."""

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.catalog import bounds
from engine.catalog.controls import Steered, Steering, reopen, set_paused, steer
from engine.catalog.records import Challenge, Sale
from engine.catalog.store import apply, load_sales
from tests.catalog.texts import sale_file

if TYPE_CHECKING:
    from engine.infra.postgres import Connection


@pytest.fixture
async def sold(conn: "Connection") -> "Connection":
    """A catalog with the sales `drop` and `later`, each at 400 people a second."""
    await apply(conn, sale_file())
    return conn


async def drop(conn: "Connection") -> Sale:
    return (await load_sales(conn))[0]


async def test_a_paused_sale_resumes(sold: "Connection") -> None:
    assert await set_paused(sold, "drop", True)
    assert await set_paused(sold, "drop", False)

    assert [sale.paused for sale in await load_sales(sold)] == [False, False]


async def test_pausing_one_sale_leaves_the_others(sold: "Connection") -> None:
    await set_paused(sold, "drop", True)

    assert [sale.paused for sale in await load_sales(sold)] == [True, False]


async def test_pausing_an_unknown_sale_says_so(sold: "Connection") -> None:
    assert not await set_paused(sold, "nobody", True)


async def test_what_is_not_named_stays(sold: "Connection") -> None:
    assert await steer(sold, "drop", Steering(concurrency=50)) is Steered.DONE
    assert await steer(sold, "drop", Steering(challenge=Challenge.ALWAYS)) is Steered.DONE

    sale = await drop(sold)
    assert (sale.line_rate, sale.line_concurrency, sale.challenge) == (400, 50, Challenge.ALWAYS)


async def test_a_bound_is_taken_away_when_the_other_one_is_there(sold: "Connection") -> None:
    await steer(sold, "drop", Steering(rate=None, concurrency=50))

    sale = await drop(sold)
    assert (sale.line_rate, sale.line_concurrency) == (None, 50)


async def test_the_last_bound_cannot_be_taken_away(sold: "Connection") -> None:
    assert await steer(sold, "drop", Steering(rate=None)) is Steered.NO_PACE
    assert (await drop(sold)).line_rate == 400


async def test_steering_or_reopening_an_unknown_sale_says_so(sold: "Connection") -> None:
    assert await steer(sold, "nobody", Steering(rate=1)) is Steered.UNKNOWN_SALE
    assert await reopen(sold, "nobody") is Steered.UNKNOWN_SALE


async def test_a_sale_that_is_not_over_is_not_reopened(sold: "Connection") -> None:
    assert await reopen(sold, "drop") is Steered.NOT_FINAL
    assert (await drop(sold)).round == 1


async def test_a_sale_is_reopened_as_often_as_it_ends(sold: "Connection") -> None:
    for ended in (1, 2):
        await sold.execute("update sales set final_round = round where sale_id = 'drop'")

        assert (await drop(sold)).sold_out_for_good
        assert await reopen(sold, "drop") is Steered.DONE
        assert (await drop(sold)).round == ended + 1
        assert not (await drop(sold)).sold_out_for_good


async def test_a_sale_of_which_nothing_came_back_is_not_reopened(sold: "Connection") -> None:
    await sold.execute("update sales set final_round = round where sale_id = 'drop'")
    await sold.execute("update skus set allocated = capacity")

    assert await reopen(sold, "drop") is Steered.NOTHING_BACK
    assert (await drop(sold)).sold_out_for_good


@given(rate=st.integers() | st.none(), concurrency=st.integers() | st.none())
def test_only_numbers_within_the_bounds_of_a_sale_file_pass(rate: int | None, concurrency: int | None) -> None:
    fits = all(
        number is None or 1 <= number <= most
        for number, most in ((rate, bounds.LINE_RATE_MAX), (concurrency, bounds.LINE_CONCURRENCY_MAX))
    )

    assert Steering(rate=rate, concurrency=concurrency).within_bounds is fits
