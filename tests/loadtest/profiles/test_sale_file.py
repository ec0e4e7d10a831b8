"""A profile's sale, read by the engine's own reader of sale files."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.catalog.records import Entry
from engine.catalog.sale_file import parse_sale_file
from loadtest.profiles import loading
from loadtest.profiles.casting import MEMBERS
from loadtest.profiles.profile import Tier
from loadtest.profiles.sale_file import capacities, sale_toml


@pytest.mark.parametrize("name", loading.names())
def test_every_profile_sells_what_it_says(name: str) -> None:
    profile = loading.load(name)

    (sale,) = parse_sale_file(sale_toml(profile, sale="drop"), Path("drop.toml")).sales

    assert sum(sku.capacity for sku in sale.skus) == profile.tickets
    assert [sku.sku_id for sku in sale.skus] == [tier.id for tier in profile.sale.tiers]
    assert (sale.sale_id, sale.hold_s) == ("drop", profile.hold_s)


def test_members_have_a_lane_of_their_own_with_their_share_of_the_units() -> None:
    profile = loading.load("concert-drop", changes={"sale.member_share": 0.4})

    (sale,) = parse_sale_file(sale_toml(profile, sale="drop"), Path("drop.toml")).sales

    assert [(lane.entry, lane.quota_units) for lane in sale.lanes] == [
        (Entry.EVERYONE, None),
        (Entry.MEMBERS, round(0.4 * profile.tickets)),
    ]
    assert sale.lanes[1].lane_id == MEMBERS


def test_a_sale_for_members_alone_still_has_room_for_the_public() -> None:
    profile = loading.load("concert-drop", changes={"sale.member_share": 1.0})

    (sale,) = parse_sale_file(sale_toml(profile, sale="drop"), Path("drop.toml")).sales

    assert [lane.weight for lane in sale.lanes] == [10, 90]


def test_without_a_rate_the_line_is_left_to_the_pacing() -> None:
    profile = loading.load("concert-drop", changes={"sale.line_rate": None})

    (sale,) = parse_sale_file(sale_toml(profile, sale="drop"), Path("drop.toml")).sales

    assert (sale.line_rate, sale.line_concurrency) == (None, 100_000)


@given(st.lists(st.floats(0.1, 100), min_size=1, max_size=12), st.integers(1, 200_000))
def test_every_ticket_belongs_to_one_tier_and_no_share_is_off_by_more_than_one(
    shares: list[float], tickets: int
) -> None:
    tiers = [Tier(id=f"t{n}", title="T", price_fen=1, share=share) for n, share in enumerate(shares)]

    units = capacities(tiers, tickets)

    assert sum(units.values()) == tickets
    assert all(abs(units[tier.id] - tickets * tier.share / sum(shares)) <= 1 for tier in tiers)
