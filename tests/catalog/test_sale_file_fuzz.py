"""Whatever stands in a sale file: it is read, or it is refused; nothing else happens."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from engine.catalog.refusals import SaleFileInvalid
from engine.catalog.sale_file import parse_sale_file
from tests.catalog.test_sale_line import with_lanes
from tests.catalog.texts import PATH

VALUES = [
    *("0", "-1", "9223372036854775808", "1.5", "nan", "inf", "true", '""', '"a\\u0000b"', '"\\U0001F3AB"', "'../x'"),
    *("[]", "[1]", "[[]]", "{}", "{ id = 1 }", "0001-01-01T00:00:00", "9999-12-31T23:59:59", "2027-01-01", "12:00:00"),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", '["floor", "floor"]', '"Asia"', "]", '"'),
]
LINES = with_lanes().splitlines()


@given(st.lists(st.tuples(st.integers(0, len(LINES) - 1), st.sampled_from(VALUES)), max_size=4))
def test_any_value_in_any_place_is_read_or_refused(swaps: list[tuple[int, str]]) -> None:
    lines = list(LINES)
    for number, value in swaps:
        key, equals, _ = lines[number].partition(" = ")
        lines[number] = f"{key} = {value}" if equals else value

    with contextlib.suppress(SaleFileInvalid):
        parse_sale_file("\n".join(lines), PATH)


@given(st.lists(st.integers(0, len(LINES) - 1), max_size=6))
def test_any_lines_may_be_missing(gone: list[int]) -> None:
    with contextlib.suppress(SaleFileInvalid):
        parse_sale_file("\n".join(line for number, line in enumerate(LINES) if number not in gone), PATH)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(SaleFileInvalid):
        parse_sale_file(text, PATH)
