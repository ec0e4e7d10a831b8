"""A story's people in front of the sale that is there: they want its tiers, and hurry as its hold asks. Pure."""

from __future__ import annotations

from loadtest.crowd.answers import Sale
from loadtest.profiles.profile import Profile, Tier

PACE_MAX = 1000.0


def fitted(profile: Profile, sale: Sale, *, pace: float | None) -> Profile:
    """The story with the tiers, the hold and the limits of a sale. A tier that the story does not know is wished for
    with weight 1. Without a pace of their own, people hurry so that the story's hold becomes the sale's."""
    pace = pace or min(max(1.0, profile.sale.hold_s / sale.hold_s), PACE_MAX)
    known = {tier.id: tier for tier in profile.sale.tiers}
    # Constructed without the bounds of a file: a sale may have names and holds that no story has.
    tiers = [
        Tier.model_construct(
            id=row.sku,
            title=row.title,
            price_fen=row.price_fen,
            share=known[row.sku].share if row.sku in known else 1.0,
            wish=known[row.sku].wish if row.sku in known else 1.0,
        )
        for row in sale.skus
    ]
    terms = {
        "tiers": tiers,
        "hold_s": sale.hold_s * pace,
        "per_order_max": min(row.per_order_max for row in sale.skus),
        "per_buyer_max": sale.per_buyer_max,
    }
    return profile.model_copy(
        update={
            "sale": profile.sale.model_copy(update=terms),
            "scale": profile.scale.model_copy(update={"pace": pace}),
        }
    )


def only_bots(profile: Profile) -> Profile:
    return profile.model_copy(update={"bots": profile.bots.model_copy(update={"share": 1.0})})


def only_public(profile: Profile) -> Profile:
    """No bots, no members."""
    return profile.model_copy(
        update={
            "bots": profile.bots.model_copy(update={"share": 0.0}),
            "people": profile.people.model_copy(update={"members": 0.0}),
        }
    )
