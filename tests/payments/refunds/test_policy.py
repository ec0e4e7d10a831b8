"""What a buyer gets back, by time and tickets: whole days on the wall's clock, tiers, rounding."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.payments.refunds.policy import Offered, Tier, days_before, offer, percent_at

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2027, 6, 12, 19, 30, tzinfo=SHANGHAI)
TIERS = (Tier(days_before=7, percent=80), Tier(days_before=2, percent=50))

tiers = st.lists(
    st.builds(Tier, days_before=st.integers(0, 60), percent=st.integers(0, 100)),
    max_size=5,
    unique_by=lambda tier: tier.days_before,
)
instants = st.datetimes(
    min_value=datetime(2027, 1, 1),  # noqa: DTZ001 - Hypothesis wants bounds without a zone
    max_value=datetime(2027, 12, 31),  # noqa: DTZ001
    timezones=st.just(UTC),
)
tickets = st.lists(
    st.builds(
        Offered,
        sku_id=st.text("ab", min_size=1, max_size=4),
        quantity=st.integers(1, 6),
        price_fen=st.integers(0, 1_000_000),
        starts_at=instants,
        cancelled=st.booleans(),
    ),
    max_size=4,
)


@pytest.mark.parametrize(
    ("now", "days"),
    [
        (START - timedelta(days=7), 7),
        (START - timedelta(days=7, seconds=-1), 6),
        (START - timedelta(days=8, seconds=-1), 7),
        (START - timedelta(seconds=1), 0),
        (START, None),
        (START + timedelta(days=1), None),
    ],
)
def test_days_are_whole_and_count_back_from_the_start(now: datetime, days: int | None) -> None:
    assert days_before(now.astimezone(UTC), START.astimezone(UTC), SHANGHAI) == days


def test_a_day_in_which_the_clock_was_set_forward_is_a_whole_day() -> None:
    start = datetime(2027, 3, 28, 20, 0, tzinfo=BERLIN)  # the clock went forward in the night before
    assert days_before(datetime(2027, 3, 27, 20, 0, tzinfo=BERLIN), start, BERLIN) == 1
    assert days_before(datetime(2027, 3, 27, 20, 1, tzinfo=BERLIN), start, BERLIN) == 0


def test_the_tier_with_the_most_days_that_fits_counts() -> None:
    assert [percent_at(TIERS, days) for days in (30, 7, 6, 2, 1, 0, None)] == [80, 80, 50, 50, 0, 0, 0]


def test_a_sale_without_tiers_gives_nothing_back() -> None:
    assert percent_at((), 365) == 0


def test_each_ticket_goes_by_its_own_session() -> None:
    offered = (
        Offered(sku_id="near", quantity=1, price_fen=10000, starts_at=START),
        Offered(sku_id="far", quantity=2, price_fen=999, starts_at=START + timedelta(days=30)),
    )
    found = offer(offered, TIERS, SHANGHAI, START - timedelta(days=3))
    assert [(line.sku_id, line.percent, line.amount_fen) for line in found.lines] == [
        ("near", 50, 5000),
        ("far", 80, 1598),  # 799.2 fen a ticket, rounded down
    ]
    assert found.amount_fen == 6598


def test_a_cancelled_session_gives_everything_back_whatever_the_time() -> None:
    offered = (Offered(sku_id="a", quantity=2, price_fen=999, starts_at=START, cancelled=True),)
    assert offer(offered, (), SHANGHAI, START + timedelta(days=1)).amount_fen == 1998


def test_an_offer_in_which_a_ticket_gives_nothing_is_not_whole() -> None:
    offered = (
        Offered(sku_id="gone", quantity=1, price_fen=10000, starts_at=START - timedelta(days=9)),
        Offered(sku_id="far", quantity=1, price_fen=10000, starts_at=START),
    )
    assert not offer(offered, TIERS, SHANGHAI, START - timedelta(days=7)).whole


@given(instants, instants, instants, st.sampled_from([SHANGHAI, BERLIN, ZoneInfo("America/Santiago")]))
def test_days_never_grow_as_time_goes_by(one: datetime, other: datetime, start: datetime, zone: ZoneInfo) -> None:
    early, late = (days_before(now, start, zone) for now in sorted((one, other)))
    assert late is None or (early is not None and early >= late)


@given(instants, instants, st.sampled_from([SHANGHAI, BERLIN]))
def test_a_day_is_at_most_an_hour_longer_or_shorter_than_a_day(now: datetime, start: datetime, zone: ZoneInfo) -> None:
    days = days_before(now, start, zone)
    if days is not None:
        hour = timedelta(hours=1)
        assert timedelta(days=days) - hour <= start - now < timedelta(days=days + 1) + hour


@given(tickets, tiers, instants)
def test_nobody_gets_more_than_was_paid(offered: list[Offered], tiers: list[Tier], now: datetime) -> None:
    found = offer(offered, tiers, SHANGHAI, now)
    assert 0 <= found.amount_fen <= sum(one.quantity * one.price_fen for one in offered)


@given(tickets, tiers, instants)
def test_one_by_one_gives_the_same_as_all_at_once(offered: list[Offered], tiers: list[Tier], now: datetime) -> None:
    singles = [
        Offered(
            sku_id=one.sku_id,
            quantity=1,
            price_fen=one.price_fen,
            starts_at=one.starts_at,
            cancelled=one.cancelled,
        )
        for one in offered
        for _ in range(one.quantity)
    ]
    alone = sum(offer([single], tiers, SHANGHAI, now).amount_fen for single in singles)
    assert alone == offer(offered, tiers, SHANGHAI, now).amount_fen
