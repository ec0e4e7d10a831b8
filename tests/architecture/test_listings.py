"""A room's first lines say what lies in it, so that nobody has to open a module to know what it is for."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = sorted(path.parent for top in ("loadtest", "bench") for path in (ROOT / top).rglob("__init__.py"))


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.relative_to(ROOT).as_posix())
def test_every_module_is_named_in_the_first_lines_of_its_room(room: Path) -> None:
    listing = ast.get_docstring(ast.parse((room / "__init__.py").read_text())) or ""
    named = set(re.findall(r"\w+", listing))
    modules = {path.stem for path in room.glob("*.py") if not path.stem.startswith(("__", "test_"))}
    rooms = {path.parent.name for path in room.glob("*/__init__.py")}
    assert modules | rooms <= named
