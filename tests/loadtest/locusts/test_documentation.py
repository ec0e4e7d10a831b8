"""docs/locust.md names everything that Locust is given."""

import ast

import configargparse
import pytest

from loadtest.locusts.heights import HEIGHTS
from loadtest.locusts.wishes import add_arguments
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "locust.md").read_text(encoding="utf-8")
GIVEN = ast.parse((ROOT / "loadtest" / "locusts" / "locustfile.py").read_text(encoding="utf-8"))


def classes() -> list[str]:
    """The users and shapes of the file that Locust reads; it cannot be imported without changing the whole process."""
    (names,) = [
        node.value
        for node in GIVEN.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__all__"
    ]
    return [name for name in ast.literal_eval(names) if name != "ArrivalsShape"]


def parameters() -> list[str]:
    parser = configargparse.ArgumentParser()
    add_arguments(parser)
    return sorted(word for action in parser._actions for word in action.option_strings if word not in {"-h", "--help"})


@pytest.mark.parametrize("name", [*classes(), *parameters(), *HEIGHTS])
def test_the_page_tells_of_it(name: str) -> None:
    assert f"`{name}" in PAGE
