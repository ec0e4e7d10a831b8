"""The README tells the numbers of kept reports, and no others."""

import pytest

from bench.published.pages import BLOCK, PAGES, rendered, reports

README = next(page for page in PAGES if page.name == "README.md").read_text(encoding="utf-8")


def test_the_readme_says_what_the_kept_reports_say() -> None:
    assert rendered(README, reports()) == README


def test_every_kept_report_is_told() -> None:
    blocks = {found.group(2) for page in PAGES for found in BLOCK.finditer(page.read_text())}
    assert set(reports()) <= blocks


def test_a_changed_figure_changes_the_text() -> None:
    kept = reports()
    changed = {**kept, "demo": {**kept["demo"], "order_p99_ms": 98765.0}}
    assert "p99 98765 ms" in rendered(README, changed)


def test_a_run_is_told_with_the_options_that_it_had() -> None:
    kept = reports()
    block = "<!-- numbers:demo -->\n<!-- /numbers -->"
    assert "`make demo`: 6,000 buyers" in rendered(block, {**kept, "demo": {**kept["demo"], "buyers": 6000}})
    fewer = rendered(block, {**kept, "demo": {**kept["demo"], "buyers": 60}})
    assert '`make demo DEMO_OPTIONS="--buyers 60"`: 60 buyers' in fewer


def test_a_block_without_a_report_is_an_error() -> None:
    with pytest.raises(KeyError):
        rendered("<!-- numbers:demo -->\n<!-- /numbers -->", {})


def test_an_empty_block_is_filled_and_what_follows_stays() -> None:
    text = "<!-- numbers:demo -->\n<!-- /numbers -->\nafter\n<!-- numbers:demo -->\nold\n<!-- /numbers -->"
    written = rendered(text, reports())
    assert "\nafter\n" in written
    assert written.count("Kendall") == 2
