"""The frozen vectors: this code and the page's JavaScript agree with what was written down once."""

import json
from typing import Any

import pytest

from tests.line.draw.page import on_the_page
from tests.line.draw.vectors import FILE, vector_tags, vectors

FROZEN: dict[str, list[dict[str, Any]]] = json.loads(FILE.read_text())


@pytest.mark.parametrize("kind", list(FROZEN))
def test_this_code_agrees_with_the_vectors(kind: str) -> None:
    assert vectors()[kind] == FROZEN[kind]


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
