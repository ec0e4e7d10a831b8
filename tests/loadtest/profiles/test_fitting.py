"""A story's people in front of another sale than the story's."""

from loadtest.crowd.answers import Sale, Sku
from loadtest.crowd.population import Persona
from loadtest.profiles.casting import newcomer
from loadtest.profiles.fitting import fitted, only_bots, only_public
from loadtest.profiles.loading import load

STORY = load("concert-drop")
THERE = Sale(
    sale="s",
    title="S",
    event="E",
    opens_ms=0,
    closes_ms=1,
    hold_s=30,
    per_buyer_max=5,
    skus=(Sku("floor", "evening", "Floor", 100, 4), Sku("a_long_name_that_no_story_may_have", "evening", "Box", 0, 3)),
)


def test_people_want_what_the_sale_has() -> None:
    visitor = newcomer(only_public(fitted(STORY, THERE, pace=None)), 1)
    assert isinstance(visitor, Persona)
    assert set(visitor.wishes) == {sku.sku for sku in THERE.skus}


def test_a_tier_of_the_story_keeps_its_weight_and_a_strange_one_has_one() -> None:
    assert [tier.wish for tier in fitted(STORY, THERE, pace=None).sale.tiers] == [4.0, 1.0]


def test_without_a_pace_people_hurry_so_that_the_hold_fits() -> None:
    profile = fitted(STORY, THERE, pace=None)
    assert (profile.scale.pace, profile.hold_s) == (STORY.sale.hold_s / 30, 30)


def test_a_pace_of_ones_own_leaves_the_sales_hold_as_it_is() -> None:
    profile = fitted(STORY, THERE, pace=5)
    assert (profile.scale.pace, profile.hold_s) == (5, 30)


def test_nobody_orders_more_than_every_tier_allows() -> None:
    assert fitted(STORY, THERE, pace=None).sale.per_order_max == 3


def test_buyers_are_never_bots_and_bots_never_buyers() -> None:
    crowded = STORY.model_copy(update={"bots": STORY.bots.model_copy(update={"share": 0.5})})
    assert {type(newcomer(only_public(crowded), n)) for n in range(40)} == {Persona}
    assert Persona not in {type(newcomer(only_bots(crowded), n)) for n in range(40)}
