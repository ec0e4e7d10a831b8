"""The table of a fapiao's life, against the database, the document and itself."""

from pathlib import Path

import asyncpg

from engine.payments.fapiao.states import FAILED, MOVES, OURS_TO_REPLACE, Event, State, diagram

ROOT = Path(__file__).parents[3]
ENDS = {State.REVERSED, State.REPLACED, State.VOID}


async def test_the_states_of_code_and_database_are_the_same(database_url: str) -> None:
    conn = await asyncpg.connect(database_url)
    try:
        rows = await conn.fetch(
            "select enumlabel from pg_enum where enumtypid = 'fapiao_state'::regtype order by enumsortorder"
        )
    finally:
        await conn.close()
    assert [row["enumlabel"] for row in rows] == [state.value for state in State]


def test_the_documented_picture_is_the_table() -> None:
    assert diagram() in (ROOT / "docs" / "fapiao.md").read_text(encoding="utf-8")


def test_every_event_moves_something_and_every_state_is_reached() -> None:
    assert {event for _, event in MOVES} == set(Event)
    assert set(MOVES.values()) | {State.ASKED} == set(State)


def test_the_ends_are_where_nothing_moves_it_any_more() -> None:
    assert {state for state in State if not any(source is state for source, _ in MOVES)} == ENDS


def test_nothing_that_may_be_at_the_tax_office_becomes_void() -> None:
    assert {source for (source, _), to in MOVES.items() if to is State.VOID} == {
        State.ASKED,
        State.APPLIED,
        State.TITLED,
    }


def test_only_what_is_issued_is_reversed_by_us() -> None:
    begun = {source for (source, event) in MOVES if event is Event.MONEY_CHANGED}
    assert begun == {State.ISSUED}
    assert State.ISSUED not in OURS_TO_REPLACE


def test_every_failure_can_be_retried() -> None:
    assert {source for (source, event) in MOVES if event is Event.RETRIED} == set(FAILED)
