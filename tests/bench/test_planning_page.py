"""docs/planning.md says what the shipped unit costs come to; its prose names the bottleneck that the tables show."""

import dataclasses

import pytest

from bench.planning_page import EDGES, PAGE, PEAKS, computed, renewed
from engine.cli.capacity import Site, first_full, needs
from engine.cli.unit_costs import shipped


def test_the_page_says_what_the_shipped_costs_come_to() -> None:
    page = PAGE.read_text()
    assert renewed(page, shipped()) == page, "run: python -m bench.planning_page"


def test_every_peak_is_on_the_page() -> None:
    page = PAGE.read_text()
    assert [name for name in ("costs", *PEAKS) if f"<!-- computed: {name} -->" not in page] == []


def test_other_costs_make_another_page() -> None:
    dearer = dataclasses.replace(shipped(), web_poll_us=2 * shipped().web_poll_us)
    assert computed("eras", dearer) != computed("eras", shipped())


@pytest.mark.parametrize("edges", [0, EDGES])
@pytest.mark.parametrize(
    ("peak", "resource"), [("12306-2018", "Redis, all shards"), ("jay-chou", "Redis, the slot of one sale")]
)
def test_the_prose_below_a_table_names_its_first_bottleneck(peak: str, resource: str, edges: int) -> None:
    found = needs(PEAKS[peak].demand, shipped(), Site(), sales=PEAKS[peak].sales, edges=edges)
    assert first_full(found).name == resource
