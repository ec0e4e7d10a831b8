"""Each key of a TOML text is found on its line."""

from engine.catalog.toml_lines import key_lines, nearest_line

TEXT = """\
# [[a]] in a comment is no header
top = 1

[[a]]
k = 1
[[a.b]]   # a comment
k = 2
[[a]]
  [[a.b]]
  k = 3
  [[a.b]]
  k = 4
[t.u]
"quoted" = 5
inline = { x = 1 }
"""


def test_keys_are_found_below_their_tables() -> None:
    lines = key_lines(TEXT)

    assert lines["top",] == 2
    assert lines["a", 0, "k"] == 5
    assert lines["a", 0, "b", 0, "k"] == 7
    assert lines["a", 1, "b", 0, "k"] == 10
    assert lines["a", 1, "b", 1, "k"] == 12
    assert lines["t", "u"] == 13


def test_what_has_no_line_has_that_of_the_table_around_it() -> None:
    lines = key_lines(TEXT)

    assert nearest_line(lines, ("t", "u", "inline", "x")) == 15
    assert nearest_line(lines, ("a", 1, "absent")) == 8
    assert nearest_line(lines, ("absent",)) is None
