"""Where a visitor stands, by the place and one sight of the line."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from engine.line.draw.permutation import permuted
from engine.line.front.outlook import Chance
from engine.line.front.states import LineState
from engine.line.front.turns import Turn, turn_of
from engine.line.sight import Shelves
from tests.line.front.scenes import (
    DRAWS_MS,
    OPENS_MS,
    SALE,
    SEED,
    lane,
    live_place,
    lobby_place,
    sight,
    view,
)


def turn(seen: object = None, index: int = 300, **options: object) -> Turn:
    return turn_of(view(seen or sight(), **options), live_place(index), spread=0.0)  # type: ignore[arg-type]


def test_a_live_place_stands_behind_the_whole_lobby() -> None:
    assert turn(index=0).position == 100


def test_a_lobby_place_stands_where_the_draw_put_it() -> None:
    found = turn_of(view(sight()), lobby_place(7), spread=0.0)
    assert found.position == permuted(SEED, 7, 100)


def test_before_the_draw_there_is_no_position_and_no_wait() -> None:
    seen = sight(lane(seed=b"", root=b"", head=0, tail=0), drawn=False, now_ms=DRAWS_MS - 60_000)
    found = turn_of(view(seen), lobby_place(7), spread=0.0)
    assert (found.state, found.position, found.ahead, found.wait_s, found.chance) == (
        LineState.LOBBY,
        None,
        None,
        None,
        None,
    )


def test_whoever_waits_for_the_draw_asks_again_soon_before_it() -> None:
    seen = sight(lane(seed=b"", head=0, tail=0), drawn=False, now_ms=DRAWS_MS - 5_000)
    assert turn_of(view(seen), lobby_place(7), spread=0.0).ask_again_ms == 2_000


def test_a_position_below_the_head_is_called() -> None:
    assert turn(sight(lane(head=401)), index=300).state is LineState.YOUR_TURN


def test_a_position_at_the_head_is_not_called() -> None:
    found = turn(sight(lane(head=400)), index=300)
    assert (found.state, found.ahead) == (LineState.WAITING, 0)


def test_people_ahead_leave_out_numbers_that_nobody_has() -> None:
    assert turn(sight(lane(gap_from=10, gap_to=60)), index=300).ahead == 300


def test_the_wait_is_a_band_around_the_distance_over_the_rate() -> None:
    found = turn(sight(lane(head=0)), index=900)
    assert (found.ahead, found.wait_s) == (1000, (7, 16))


def test_the_wait_before_the_opening_includes_the_opening() -> None:
    found = turn(sight(lane(head=0), now_ms=OPENS_MS - 30_000), index=900)
    assert (found.state, found.wait_s) == (LineState.WAITING, (37, 46))


def test_while_paused_no_wait_and_no_chance_is_told() -> None:
    found = turn(sight(paused=True))
    assert (found.state, found.wait_s, found.chance) == (LineState.PAUSED, None, None)


def test_in_doubt_nobody_is_told_that_the_turn_has_come() -> None:
    found = turn(sight(lane(head=450)), doubtful=True)
    assert (found.state, found.wait_s, found.chance) == (LineState.DEGRADED, None, None)


def test_a_worker_that_never_saw_the_line_still_knows_whose_place_it_is() -> None:
    found = turn_of(view(None, doubtful=True), live_place(3), spread=0.0)
    assert (found.state, found.lane_id, found.position) == (LineState.DEGRADED, "public", None)


def test_when_every_unit_is_held_it_is_told_until_when() -> None:
    held = sight(shelves=Shelves(free=0, held=40, sold=560), held_until_ms=OPENS_MS + 299_001)
    found = turn(held)
    assert (found.state, found.held_until_ms, found.wait_s) == (LineState.HELD_BY_OTHERS, OPENS_MS + 300_000, None)


def test_while_one_unit_is_free_nothing_is_said_to_be_held() -> None:
    found = turn(sight(shelves=Shelves(free=1, held=40, sold=559), held_until_ms=OPENS_MS + 300_000))
    assert (found.state, found.held_until_ms) == (LineState.WAITING, None)


def test_sold_out_for_good_is_told_from_the_ledger_too() -> None:
    sale = replace(SALE, round=2, final_round=2)
    found = turn_of(view(sight(paused=True), sale=sale), live_place(3), spread=0.0)
    assert (found.state, found.ask_again_ms) == (LineState.SOLD_OUT, None)


def test_units_put_up_again_end_being_sold_out() -> None:
    sale = replace(SALE, round=2, final_round=1)
    assert turn_of(view(sight(), sale=sale), live_place(300), spread=0.0).state is LineState.WAITING


def test_a_stranger_is_told_that_there_is_no_place() -> None:
    found = turn_of(view(sight()), None, spread=0.0)
    assert (found.state, found.lane_id, found.position) == (LineState.NOT_JOINED, None, None)


def test_with_a_pass_the_buyer_is_admitted() -> None:
    found = turn_of(view(sight(lane(head=450))), live_place(300), spread=0.0, admitted=True)
    assert found.state is LineState.ADMITTED


def test_the_first_in_line_for_many_units_are_likely_to_get_one_and_the_last_are_not() -> None:
    seen = sight(lane(head=0, called=0, tail=10_000), shelves=Shelves(free=1000))
    chances = [turn(seen, index=index).chance for index in (0, 1_400, 9_000)]
    assert chances == [Chance.LIKELY, Chance.POSSIBLE, Chance.UNLIKELY]


def test_whoever_stands_where_the_units_end_asks_more_often() -> None:
    seen = sight(lane(head=0, called=0, tail=200_000), shelves=Shelves(free=50_000))
    edge, behind = turn(seen, index=75_000), turn(seen, index=100_000)
    assert (edge.chance, edge.ask_again_ms) == (Chance.POSSIBLE, 10_000)
    assert (behind.chance, behind.ask_again_ms) == (Chance.UNLIKELY, 60_000)


@given(
    st.integers(min_value=0, max_value=10**6),
    st.integers(min_value=0, max_value=10**6),
    st.integers(min_value=0, max_value=10**5),
    st.floats(min_value=0, max_value=1),
)
def test_everybody_is_told_to_ask_again_within_two_to_seventy_eight_seconds(
    head: int, index: int, free: int, spread: float
) -> None:
    seen = sight(lane(head=head, tail=10**6), shelves=Shelves(free=free, held=5))
    found = turn_of(view(seen), live_place(index), spread=spread)
    assert found.ask_again_ms is not None
    assert 2_000 <= found.ask_again_ms <= 78_000


@given(st.integers(min_value=0, max_value=10**6), st.integers(min_value=0, max_value=10**6))
def test_whoever_stands_further_ahead_never_has_the_smaller_chance(one: int, other: int) -> None:
    seen = sight(lane(head=0, tail=10**6), shelves=Shelves(free=70_000, held=9_000))
    order = [Chance.LIKELY, Chance.POSSIBLE, Chance.UNLIKELY]
    chances = [turn(seen, index=index).chance for index in sorted((one, other))]
    assert chances == sorted(chances, key=lambda chance: order.index(Chance(str(chance))))
