"""The frozen vectors: this code agrees with what was written down once."""

import json
from typing import Any

import pytest

from tests.line.draw.vectors import FILE, vectors

FROZEN: dict[str, list[dict[str, Any]]] = json.loads(FILE.read_text())


@pytest.mark.parametrize("kind", list(FROZEN))
def test_this_code_agrees_with_the_vectors(kind: str) -> None:
    assert vectors()[kind] == FROZEN[kind]
