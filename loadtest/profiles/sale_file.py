"""The sale of a profile, as the file that an organizer would apply. Pure: a profile in, TOML out.

The windows are dated far ahead, and `--opens-in` moves them. The lobby is open from the moment the file is applied.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from loadtest.profiles.casting import MEMBERS
from loadtest.profiles.profile import Profile, Tier

PUBLIC = "public"
EVERYBODY_AT_ONCE = 100_000
"""At the till, where no rate is given: the stock and the pacing bound the line."""
PUBLIC_WEIGHT_MIN = 10
OPENS_AT = "2027-03-01T12:00:00"
CLOSES_AT = "2027-03-08T12:00:00"
STARTS_AT = "2027-06-12T19:30:00"


def sale_toml(profile: Profile, *, sale: str) -> str:
    """The file; the sale, its event and its one session are called `sale`, its SKUs as the profile's tiers."""
    terms = profile.sale
    pace = {"line_concurrency": EVERYBODY_AT_ONCE} if terms.line_rate is None else {"line_rate": round(terms.line_rate)}
    units = capacities(terms.tiers, profile.tickets)
    return "\n".join(
        [
            'time_zone = "Asia/Shanghai"\n',
            _table("events", {"id": sale, "title": profile.story.title}),
            _table("events.sessions", {"id": sale, "title": profile.story.title_zh}, starts_at=STARTS_AT),
            *(
                _table(
                    "events.sessions.skus",
                    {
                        "id": tier.id,
                        "title": tier.title,
                        "price_fen": tier.price_fen,
                        "capacity": units[tier.id],
                        "per_order_max": terms.per_order_max,
                    },
                )
                for tier in terms.tiers
            ),
            _table(
                "sales",
                {
                    "id": sale,
                    "title": profile.story.title,
                    "skus": [tier.id for tier in terms.tiers],
                    "hold_s": profile.hold_s,
                    "per_buyer_max": max(terms.per_buyer_max, terms.per_order_max),
                    **pace,
                },
                opens_at=OPENS_AT,
                closes_at=CLOSES_AT,
            ),
            *(_table("sales.lanes", lane) for lane in _lanes(profile)),
        ]
    )


def capacities(tiers: Sequence[Tier], tickets: int) -> dict[str, int]:
    """Units of each tier: whole, by their shares, all tickets together; who loses most by rounding gets the rest."""
    whole = sum(tier.share for tier in tiers)
    exact = {tier.id: tickets * tier.share / whole for tier in tiers}
    units = {name: int(count) for name, count in exact.items()}
    nearest = sorted(units, key=lambda name: units[name] - exact[name])
    for name in nearest[: tickets - sum(units.values())]:
        units[name] += 1
    return units


def _lanes(profile: Profile) -> list[Mapping[str, object]]:
    """None are said where there is one for everybody."""
    share = profile.sale.member_share
    if share == 0:
        return []
    public = max(PUBLIC_WEIGHT_MIN, round(100 * (1 - share)))
    quota = max(1, round(profile.tickets * share))
    return [
        {"id": PUBLIC, "title": "公开 Public", "entry": "everyone", "weight": public},
        {
            "id": MEMBERS,
            "title": "会员 Members",
            "entry": "members",
            "weight": max(1, 100 - public),
            "quota_units": quota,
        },
    ]


def _table(name: str, keys: Mapping[str, object], **moments: str) -> str:
    """One entry of an array of tables. Text, lists of text and whole numbers are written in TOML as in JSON."""
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in keys.items()]
    return "\n".join([f"[[{name}]]", *lines, *(f"{key} = {moment}" for key, moment in moments.items()), ""])
