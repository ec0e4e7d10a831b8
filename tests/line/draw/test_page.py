"""The page's JavaScript, a second implementation, against the frozen vectors and against every lie."""

import json
from typing import Any

from tests.line.draw.page import on_the_page
from tests.line.draw.test_verifying import EVERY_LIE, HONEST, WITH_BEACON
from tests.line.draw.vectors import FILE, vector_tags

FROZEN: dict[str, list[dict[str, Any]]] = json.loads(FILE.read_text())


def test_the_page_computes_the_same_positions() -> None:
    tasks = [{"task": "positions", **one} for one in FROZEN["permutations"]]
    assert on_the_page(tasks) == [one["positions"] for one in FROZEN["permutations"]]


def test_the_page_computes_the_same_roots() -> None:
    tasks = [
        {"task": "root", "lane": one["lane"], "tags": b"".join(vector_tags(one["n"])).hex()} for one in FROZEN["roots"]
    ]
    assert on_the_page(tasks) == [one["root"] for one in FROZEN["roots"]]


def test_the_page_is_led_by_the_same_proofs() -> None:
    assert on_the_page([{"task": "path", **one} for one in FROZEN["proofs"]]) == [
        one["root"] for one in FROZEN["proofs"]
    ]


def test_the_page_hashes_the_same_rules() -> None:
    hashed = ("tag", "commitment", "randomness", "seed")
    assert on_the_page([{"task": "rules", **one} for one in FROZEN["rules"]]) == [
        {name: one[name] for name in hashed} for one in FROZEN["rules"]
    ]


def test_the_page_finds_the_same_as_the_command_in_every_draw() -> None:
    every = [HONEST, WITH_BEACON, *(lie[2] for lie in EVERY_LIE)]
    expected = [[verdict for name, verdict in one.verdicts().items() if name != "rules"] for one in every]
    assert on_the_page([one.task() for one in every]) == expected
