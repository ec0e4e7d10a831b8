"""The demo's phones and the engine agree on what the line document says."""

from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.line.front.document import Band, write_document
from engine.line.front.turns import turn_of
from engine.line.sight import LaneSight
from loadtest.crowd.line import LineDocument, Place, line_from, place_from
from tests.line.front.scenes import OPENS_MS, SALE, lane, live_place, lobby_place, sight, view

BANDS = {sku.sku_id: Band.LOW for sku in SALE.skus}
POSITIONS = st.integers(0, 120)


def read(seen: LaneSight, **facts: object) -> LineDocument:
    """What a phone reads of what a worker wrote."""
    return line_from(orjson.loads(write_document(view(sight(seen, **facts)), BANDS).body))


@given(head=POSITIONS, gap_from=st.integers(0, 40), gap=st.integers(0, 40), index=st.integers(0, 110))
def test_a_phone_counts_the_people_ahead_as_the_engine_does(head: int, gap_from: int, gap: int, index: int) -> None:
    seen = lane(lobby=10, tail=110, head=head, gap_from=gap_from, gap_to=gap_from + gap)
    turn = turn_of(view(sight(seen)), live_place(index), spread=0.0)
    document = read(seen)
    place = place_from({"place": "sealed", **turn.document()})

    assert place.position is not None
    assert document.lanes[place.lane].ahead_of(place.position) == turn.ahead
    assert document.calls(place) == (place.position < head)


def test_a_phone_is_told_no_position_before_the_draw() -> None:
    undrawn = lane(seed=b"", root=b"", head=0, tail=0)
    turn = turn_of(view(sight(undrawn, drawn=False, now_ms=OPENS_MS - 1)), lobby_place(4), spread=0.0)

    assert place_from({"place": "sealed", **turn.document()}).position is None
    assert not read(undrawn, drawn=False, now_ms=OPENS_MS - 1).is_drawn


def test_a_phone_sees_the_draw() -> None:
    assert read(lane()).is_drawn


@pytest.mark.parametrize(
    ("facts", "is_live", "is_over"),
    [
        ({}, True, False),
        ({"paused": True}, False, False),
        ({"final": True}, True, True),
        ({"now_ms": OPENS_MS - 1}, False, False),
        ({"now_ms": SALE.closes_ms}, False, True),
    ],
)
def test_a_phone_knows_when_people_are_let_in_and_when_all_is_over(
    facts: dict[str, object], is_live: bool, is_over: bool
) -> None:
    document = read(lane(), **facts)

    assert (document.is_live, document.is_over) == (is_live, is_over)


def test_a_phone_waits_for_a_worker_that_does_not_know_where_the_line_stands() -> None:
    document = line_from(orjson.loads(write_document(view(None, doubtful=True), BANDS).body))
    place = Place("sealed", "public", "live", 7, "degraded")

    assert not document.is_live
    assert not document.calls(place)
    assert document.look_again_s(place, opens_in_s=0.0, luck=0.0) == document.poll.floor_ms / 1000


def test_the_policy_asks_those_far_back_to_look_less_often_and_those_at_the_edge_more() -> None:
    document = read(lane(tail=90_000))
    own = document.lanes["public"]
    edge = replace(own, edge_from=0, edge_to=own.end)
    at_edge = replace(document, lanes={"public": edge})
    far = Place("sealed", "public", "live", own.end - 1, "waiting")
    waits = [one.look_again_s(far, opens_in_s=0.0, luck=0.0) for one in (document, at_edge)]

    assert waits == [document.poll.ceiling_ms / 1000, document.poll.edge_ceiling_ms / 1000]
