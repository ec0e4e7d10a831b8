"""What the person at Locust asked for: its own parameters beside Locust's, on the command line and in the web UI.

All of them are text, because the web UI sends text; `wishes_in` makes them what they are and says in a sentence what
is wrong. Where a stack of this machine runs (`make up`), its addresses are the defaults.
"""

from __future__ import annotations

import os
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import orjson

from loadtest.crowd.organizer import May
from loadtest.profiles import loading

if TYPE_CHECKING:
    from locust.argument_parser import LocustArgumentParser

STACK_VARIABLE = "FLOODGATE_STACK"
STACK_FILE = ".run/stack.json"
STORY = "concert-drop"
SALE = "concert"

Shape = Literal["none", "story", "drop", "ramp", "steps", "spike", "soak"]


class WishInvalid(Exception):
    """A parameter cannot be understood; the message says which and what would be."""


@dataclass(frozen=True, slots=True)
class Card:
    """The addresses of the stack that runs on this machine, if one does."""

    public_url: str = ""
    simulator_url: str = ""
    admin_urls: tuple[str, ...] = ()
    admin_key: str = ""


@dataclass(frozen=True, slots=True)
class Wishes:
    story: str
    """A profile's name, or a file."""
    scale: float | None
    pace: float | None
    seed: int | None
    """None draws other people in every round, so that a sale can be loaded again."""
    sale: str
    wechat_url: str
    admin_urls: tuple[str, ...]
    admin_key: str
    organizer: May
    owned: bool


def card() -> Card:
    """What `make up` wrote; empty without it."""
    try:
        written = orjson.loads(Path(os.environ.get(STACK_VARIABLE, STACK_FILE)).read_bytes())
        return Card(
            public_url=written["public_url"],
            simulator_url=written["simulator_url"],
            admin_urls=tuple(written["admin_urls"]),
            admin_key=written["admin_key"],
        )
    except (OSError, ValueError, KeyError):
        return Card()


def add_arguments(parser: LocustArgumentParser) -> None:
    """Locust's own `--profile` only groups runs, so the profile to play is called a story here."""
    here = card()
    ours = parser.add_argument_group("Floodgate")

    def add(name: str, *, default: str, text: str, in_ui: bool = True, **more: Any) -> None:
        action = ours.add_argument(name, default=default, help=text, **more)
        # A group's own add_argument does not know of Locust's web UI.
        action.include_in_web_ui = in_ui

    add("--story", default=STORY, choices=loading.names(), text="The profile whose people come (loadtest/profiles)")
    add("--story-file", default="", metavar="FILE", text="A profile of your own instead, a .toml file", in_ui=False)
    add("--sale", default=SALE, metavar="ID", text="The sale; apply it first: floodgate sale apply FILE --opens-in 60")
    add("--scale", default="", text="Multiplies the story's people (0 to 1); empty: as the story says")
    add("--pace", default="", text="Divides the times of people; empty: so that they fit the sale's hold")
    add("--seed", default="", text="A number draws the same people again; empty: other people in every round")
    add("--wechat", default=here.simulator_url, metavar="URL", text="Floodgate's WeChat simulator")
    add("--admin", default=",".join(here.admin_urls), metavar="URLS", text="Admin listeners, for stock and organizers")
    add(
        "--admin-key",
        default=here.admin_key,
        metavar="KEY",
        text="Their key; better in FLOODGATE_ADMIN_KEY than in a list of processes",
        in_ui=False,
        env_var="FLOODGATE_ADMIN_KEY",
    )
    add("--organizer", default="looks", choices=list(get_args(May)), text="What an OrganizerUser may do")
    add(
        "--arrivals",
        default="closed",
        choices=["closed", "open"],
        text="closed: so many users at any time. open: people come along the story's curve, whatever the server does",
        in_ui=False,
    )
    add(
        "--shape",
        default="none",
        choices=list(get_args(Shape)),
        text="A curve for the number of users; the web UI has them in the class picker (--class-picker)",
        in_ui=False,
    )
    add("--record-to", default="", metavar="FOLDER", text="Keep the record and the testimonies there", in_ui=False)
    owned = ours.add_argument(
        "--i-own-this-target",
        action="store_true",
        help="The target is not this machine, and it is mine to load",
    )
    owned.include_in_web_ui = False


def wishes_in(options: Namespace) -> Wishes:
    """Raises WishInvalid."""
    return Wishes(
        story=options.story_file or options.story,
        scale=_number(options.scale, name="--scale", at_most=1.0),
        pace=_number(options.pace, name="--pace", at_most=1000.0),
        seed=_whole(options.seed, name="--seed"),
        sale=options.sale.strip(),
        wechat_url=options.wechat.strip(),
        admin_urls=tuple(url.strip() for url in options.admin.split(",") if url.strip()),
        admin_key=options.admin_key,
        organizer=options.organizer,
        owned=options.i_own_this_target,
    )


def _number(text: str, *, name: str, at_most: float) -> float | None:
    if not text.strip():
        return None
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= at_most:
        raise WishInvalid(f"{name} is {text}; it must be a number above 0, up to {at_most:g}")
    return number


def _whole(text: str, *, name: str) -> int | None:
    if not text.strip():
        return None
    try:
        return int(text)
    except ValueError:
        raise WishInvalid(f"{name} is {text}; it must be a whole number") from None
