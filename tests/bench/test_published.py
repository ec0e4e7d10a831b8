"""The README tells the numbers of kept reports, and no others."""

import pytest

from bench import published


def test_the_readme_says_what_the_kept_reports_say() -> None:
    text = published.README.read_text(encoding="utf-8")
    assert published.rendered(text, published.reports()) == text


def test_every_kept_report_is_told() -> None:
    blocks = {found.group(2) for found in published.BLOCK.finditer(published.README.read_text(encoding="utf-8"))}
    assert blocks == set(published.reports())


def test_a_changed_figure_changes_the_text() -> None:
    kept = published.reports()
    changed = {**kept, "demo": {**kept["demo"], "order_p99_ms": 98765.0}}
    text = published.README.read_text(encoding="utf-8")
    assert "p99 98765 ms" in published.rendered(text, changed)


def test_a_block_without_a_report_is_an_error() -> None:
    with pytest.raises(KeyError):
        published.rendered("<!-- numbers:demo -->\n<!-- /numbers -->", {})


def test_an_empty_block_is_filled_and_what_follows_stays() -> None:
    text = "<!-- numbers:demo -->\n<!-- /numbers -->\nafter\n<!-- numbers:demo -->\nold\n<!-- /numbers -->"
    written = published.rendered(text, published.reports())
    assert "\nafter\n" in written
    assert written.count("Kendall") == 2
