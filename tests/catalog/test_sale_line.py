"""What a sale file may say of a sale's line, and what is refused, each with key, line and reason."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.catalog import bounds
from engine.catalog.records import Entry, Lane, Sale
from engine.catalog.refusals import Problem, SaleFileInvalid
from engine.catalog.sale_file import opening_at, parse_sale_file
from engine.catalog.tables import LaneTable
from tests.catalog.texts import PATH, sale_file, spoilt

LANES = """\
line_rate = 400
line_concurrency = 2000
lobby_opens_at = 2027-03-01T11:00:00
lobby_closes_at = 2027-03-01T11:55:00
beacon_url = "https://api.drand.sh"
beacon_round = 4567890
[[sales.lanes]]
id = "public"
title = "公开 Public"
weight = 3
[[sales.lanes]]
id = "club"
entry = "members"
quota_units = 200
[[sales.lanes]]
id = "presale"
entry = "codes"
weight = 2
"""


def with_lanes(*swaps: tuple[str, str]) -> str:
    """The valid text whose first sale has a whole line, from line 34 on, each old part replaced once."""
    text = spoilt(("line_rate = 400\n", LANES))
    for old, new in swaps:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def read(*swaps: tuple[str, str]) -> Sale:
    return parse_sale_file(with_lanes(*swaps), PATH).sales[0]


def refusals(text: str) -> tuple[Problem, ...]:
    with pytest.raises(SaleFileInvalid) as caught:
        parse_sale_file(text, PATH)
    return caught.value.problems


def test_lanes_are_numbered_in_the_files_order() -> None:
    assert read().lanes == (
        Lane(ordinal=0, lane_id="public", title="公开 Public", entry=Entry.EVERYONE, weight=3),
        Lane(ordinal=1, lane_id="club", entry=Entry.MEMBERS, quota_units=200),
        Lane(ordinal=2, lane_id="presale", entry=Entry.CODES, weight=2),
    )


def test_pace_lobby_and_beacon_are_read() -> None:
    sale = read()

    assert (sale.line_rate, sale.line_concurrency) == (400, 2000)
    assert (sale.beacon_url, sale.beacon_round) == ("https://api.drand.sh", 4567890)
    assert (sale.opens_ms - (sale.lobby_opens_ms or 0), sale.opens_ms - sale.draws_ms) == (3_600_000, 300_000)


def test_a_name_alone_is_one_open_lane() -> None:
    assert sale_file(("hold_s", 'lane = "fans"\nhold_s')).sales[0].lanes == (Lane(ordinal=0, lane_id="fans"),)


def test_a_line_may_go_by_concurrency_alone() -> None:
    sale = read(("line_rate = 400\n", ""))

    assert (sale.line_rate, sale.line_concurrency) == (None, 2000)


def test_a_silent_file_has_a_lobby_from_the_beginning_to_the_opening() -> None:
    sale = sale_file().sales[0]

    assert (sale.lobby_opens_ms, sale.draws_ms, sale.beacon_url) == (None, sale.opens_ms, None)


def test_moving_the_windows_moves_the_lobby() -> None:
    moved = opening_at(parse_sale_file(with_lanes(), PATH), 10_000_000).sales[0]

    assert (moved.lobby_opens_ms, moved.lobby_closes_ms, moved.opens_ms) == (6_400_000, 9_700_000, 10_000_000)


def test_entries_of_the_file_are_entries_of_lanes() -> None:
    assert set(get_args(LaneTable.model_fields["entry"].annotation)) == {entry.value for entry in Entry}


LINE = "sales.drop"

# Each row: what is spoilt, then the one refusal: key, line, and a part of the reason.
TABLE: list[tuple[str, tuple[str, str], str, int, str]] = [
    ("both forms", ("hold_s", 'lane = "public"\nhold_s'), f"{LINE}.lane", 32, "the one or the other"),
    ("id twice", ('id = "club"', 'id = "public"'), f"{LINE}.lanes.public.id", 45, "the lane of line 40"),
    ("no id", ('id = "club"\n', ""), f"{LINE}.lanes.2.id", 44, "is missing"),
    ("odd id", ('id = "club"', 'id = "Club"'), f"{LINE}.lanes.Club.id", 45, "1 to 48"),
    ("odd entry", ('"members"', '"friends"'), f"{LINE}.lanes.club.entry", 46, "'everyone', 'codes' or 'members'"),
    ("weight of nothing", ("weight = 2", "weight = 0"), f"{LINE}.lanes.presale.weight", 51, "equal to 1"),
    ("huge weight", ("weight = 2", "weight = 1001"), f"{LINE}.lanes.presale.weight", 51, "equal to 1000"),
    ("negative quota", ("quota_units = 200", "quota_units = -1"), f"{LINE}.lanes.club.quota_units", 47, "equal to 0"),
    ("unknown key", ("weight = 2", "wait = 2"), f"{LINE}.lanes.presale.wait", 51, "known are id, title, weight"),
    ("public too light", ("weight = 2", "weight = 27"), f"{LINE}.lanes", 40, "a weight of 3 in 31"),
    ("nobody public", ("weight = 3", 'weight = 3\nentry = "codes"'), f"{LINE}.lanes", 40, "a weight of 0 in 6"),
    ("no pace", ("line_rate = 400\nline_concurrency = 2000\n", ""), f"{LINE}.line_rate", 26, "or both"),
    ("nobody at the till", ("= 2000", "= 0"), f"{LINE}.line_concurrency", 35, "greater than or equal to 1"),
    ("lobby at its end", ("T11:00", "T11:55"), f"{LINE}.lobby_opens_at", 36, "not before lobby_closes_at"),
    ("lobby beyond the opening", ("T11:55", "T12:01"), f"{LINE}.lobby_closes_at", 37, "is after opens_at"),
    (
        "lobby from the opening on",
        ("T11:00:00\nlobby_closes_at = 2027-03-01T11:55:00", "T12:00:00"),
        f"{LINE}.lobby_opens_at",
        36,
        "not before opens_at",
    ),
    ("beacon without round", ("beacon_round = 4567890\n", ""), f"{LINE}.beacon_round", 38, "beside beacon_url"),
    ("round alone", ('beacon_url = "https://api.drand.sh"\n', ""), f"{LINE}.beacon_url", 38, "beside beacon_round"),
    ("beacon nowhere", ('"https://api.drand.sh"', '"drand"'), f"{LINE}.beacon_url", 38, "a beacon is an address"),
    ("beacon with a slash", ("drand.sh", "drand.sh/"), f"{LINE}.beacon_url", 38, "without a / at its end"),
    ("round of nothing", ("= 4567890", "= 0"), f"{LINE}.beacon_round", 39, "greater than or equal to 1"),
]


@pytest.mark.parametrize(("swap", "key", "line", "reason"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_a_line_that_makes_no_sense_is_refused_where_it_stands(
    swap: tuple[str, str], key: str, line: int, reason: str
) -> None:
    found = refusals(with_lanes(swap))

    assert [(problem.key, problem.line) for problem in found] == [(key, line)]
    assert reason in found[0].reason


def test_a_line_has_so_many_lanes_and_no_more() -> None:
    def text(count: int) -> str:
        extra = "".join(f'[[sales.lanes]]\nid = "more-{number}"\n' for number in range(count - 3))
        return with_lanes(('[[sales.lanes]]\nid = "presale"', f'{extra}[[sales.lanes]]\nid = "presale"'))

    assert len(parse_sale_file(text(bounds.LANES_MAX), PATH).sales[0].lanes) == bounds.LANES_MAX
    assert [problem.key for problem in refusals(text(bounds.LANES_MAX + 1))] == ["sales.drop.lanes"]


@pytest.mark.parametrize("lanes", ["lanes = 1", "lanes = []", 'lanes = ["public"]'])
def test_lanes_that_are_no_tables_are_refused(lanes: str) -> None:
    found = refusals(spoilt(("line_rate = 400\n", f"line_rate = 400\n{lanes}\n")))

    assert [(problem.key, problem.line) for problem in found] == [("sales.drop.lanes", 35)]


@given(
    st.lists(
        st.tuples(st.integers(1, bounds.LANE_WEIGHT_MAX), st.sampled_from([entry.value for entry in Entry])),
        min_size=1,
        max_size=bounds.LANES_MAX,
    )
)
def test_the_public_has_a_tenth_of_the_weight_or_the_file_is_refused(lanes: list[tuple[int, str]]) -> None:
    tables = "".join(
        f'[[sales.lanes]]\nid = "l{at}"\nweight = {weight}\nentry = "{entry}"\n'
        for at, (weight, entry) in enumerate(lanes)
    )
    text = spoilt(("line_rate = 400\n", f"line_rate = 400\n{tables}"))
    public = sum(weight for weight, entry in lanes if entry == "everyone")

    if public * 10 >= sum(weight for weight, _ in lanes):
        assert len(parse_sale_file(text, PATH).sales[0].lanes) == len(lanes)
    else:
        assert [problem.key for problem in refusals(text)] == ["sales.drop.lanes"]
