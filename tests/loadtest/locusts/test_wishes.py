"""What a person types, and what becomes of it."""

from argparse import Namespace
from pathlib import Path

import orjson
import pytest

from loadtest.lab.target import TargetRefused
from loadtest.locusts.preflight import check, story_of
from loadtest.locusts.wishes import STACK_VARIABLE, Card, WishInvalid, card, wishes_in


def options(**changes: object) -> Namespace:
    return Namespace(
        **{
            "story": "concert-drop",
            "story_file": "",
            "scale": "",
            "pace": "",
            "seed": "",
            "sale": "concert",
            "wechat": "http://127.0.0.1:2",
            "admin": "http://127.0.0.1:3, http://127.0.0.1:4",
            "admin_key": "k",
            "organizer": "looks",
            "i_own_this_target": False,
            **changes,
        }
    )


def test_empty_fields_leave_the_story_as_it_is() -> None:
    wishes = wishes_in(options())
    assert (wishes.scale, wishes.pace, wishes.seed) == (None, None, None)


def test_scale_and_seed_change_the_story() -> None:
    wishes = wishes_in(options(scale="0.002", seed="11"))
    story = story_of(wishes, seed=wishes.seed)
    assert (story.scale.people, story.seed) == (0.002, 11)


def test_several_admin_listeners_are_separated_by_commas() -> None:
    assert wishes_in(options()).admin_urls == ("http://127.0.0.1:3", "http://127.0.0.1:4")


@pytest.mark.parametrize(
    ("name", "text"),
    [("scale", "many"), ("scale", "0"), ("scale", "1.5"), ("pace", "-1"), ("seed", "1.5"), ("scale", "nan")],
)
def test_a_number_that_is_none_is_named(name: str, text: str) -> None:
    with pytest.raises(WishInvalid, match=f"--{name} is {text}"):
        wishes_in(options(**{name: text}))


def test_a_target_is_needed() -> None:
    with pytest.raises(WishInvalid, match="make up"):
        check(wishes_in(options()), host="")


@pytest.mark.parametrize("where", ["host", "wechat", "admin"])
def test_no_address_of_another_machine_is_loaded_without_a_word(where: str) -> None:
    changes = {} if where == "host" else {where: "http://192.0.2.1"}
    with pytest.raises(TargetRefused, match=r"192\.0\.2\.1"):
        check(wishes_in(options(**changes)), host="http://192.0.2.1" if where == "host" else "http://127.0.0.1:1")


def test_ones_own_machines_are_loaded_when_one_says_so() -> None:
    check(wishes_in(options(i_own_this_target=True)), host="http://192.0.2.1")


def test_a_stack_of_this_machine_tells_its_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "stack.json"
    monkeypatch.setenv(STACK_VARIABLE, str(file))
    written = {"public_url": "http://a", "simulator_url": "http://b", "admin_urls": ["http://c"], "admin_key": "k"}
    file.write_bytes(orjson.dumps(written))
    assert card() == Card("http://a", "http://b", ("http://c",), "k")


def test_without_a_stack_nothing_is_assumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STACK_VARIABLE, str(tmp_path / "none.json"))
    assert card() == Card()
