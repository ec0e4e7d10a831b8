"""Before anybody comes: is this target ours to load, is it Floodgate, is the story one, is the sale there?

Nothing is sent to an address that `loadtest.lab.target` refuses. What is asked then is one polite request to each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from yarl import URL

from loadtest.crowd.answers import Sale
from loadtest.crowd.line import line_from
from loadtest.crowd.protocol import Shop
from loadtest.crowd.scene import read_sale
from loadtest.lab import target
from loadtest.lab.target import TargetRefused
from loadtest.locusts.wishes import Wishes, WishInvalid
from loadtest.profiles import loading
from loadtest.profiles.profile import Profile
from loadtest.wires.greenlets import GreenletWire, finish
from loadtest.wires.port import NOTHING_CAME, Body, Outage


@dataclass(frozen=True, slots=True)
class Found:
    """What lies ahead of a round."""

    story: Profile
    sale: Sale
    now_ms: int
    """By the engine's clock."""


def story_of(wishes: Wishes, *, seed: int | None) -> Profile:
    """The story with the person's changes; without `seed` its own. Raises ProfileInvalid."""
    changes: dict[str, Any] = {}
    if wishes.scale is not None:
        changes["scale.people"] = wishes.scale
    if seed is not None:
        changes["seed"] = seed
    return loading.load(wishes.story, changes=changes)


def check(wishes: Wishes, *, host: str) -> None:
    """What can be said without sending anything. Raises TargetRefused, WishInvalid."""
    if not host:
        raise WishInvalid("No target. Start a stack with `make up`, or name one: --host http://127.0.0.1:8080")
    if not wishes.wechat_url:
        raise WishInvalid("No WeChat. Name Floodgate's simulator, which pays for simulated buyers: --wechat URL")
    for url in (host, wishes.wechat_url, *wishes.admin_urls):
        target.check(url, owned=wishes.owned)


def look(wire: GreenletWire, wishes: Wishes, *, host: str, story: Profile) -> Found:
    """Ask the target who it is and what it sells. Raises TargetRefused, WishInvalid."""
    engine, wechat = URL(host), URL(wishes.wechat_url)
    target.refuse_stranger(engine, _document(wire, engine / "openapi.json"))
    target.refuse_other_wechat(wechat, _document(wire, wechat / "_admin/faults"))
    shop = Shop.at(public_url=host, wechat_url=wishes.wechat_url, sale=wishes.sale)
    try:
        sale = finish(read_sale(wire, shop))
    except Outage as outage:
        raise WishInvalid(
            f"{host} does not sell {wishes.sale} ({outage}). Apply a sale first: "
            "floodgate sale apply examples/concert.toml --opens-in 60, or name another: --sale ID"
        ) from None
    line = line_from(finish(wire.ask("line", "GET", shop.line)).body)
    if line.is_over:
        raise WishInvalid(f"{wishes.sale} is over. Apply a fresh sale, and name it: --sale ID")
    return Found(story=story, sale=sale, now_ms=line.now_ms)


def _document(wire: GreenletWire, url: URL) -> Mapping[str, Any]:
    try:
        reply = finish(wire.once("GET", url))
    except NOTHING_CAME as trouble:
        why = "what came is not JSON" if isinstance(trouble, orjson.JSONDecodeError) else str(trouble) or "no answer"
        raise TargetRefused(f"{url} does not answer like Floodgate: {why}") from None
    body: Body | Any = reply.body
    return body if reply.status == 200 and isinstance(body, dict) else {}
