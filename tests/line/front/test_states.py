"""What a visitor is told: the table of states, its order of precedence, and its picture."""

from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.line.front.states import TABLE, LineState, Standing, diagram, state_of

FACTS = [field.name for field in fields(Standing)]
CALM = Standing(
    ended=False,
    final=False,
    doubtful=False,
    joined=True,
    paused=False,
    drawn=True,
    live=True,
    all_held=False,
    called=False,
    admitted=False,
)
standings = st.fixed_dictionaries({name: st.booleans() for name in FACTS}).map(lambda facts: Standing(**facts))


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({"ended": True}, LineState.ENDED),
        ({"final": True}, LineState.SOLD_OUT),
        ({"doubtful": True}, LineState.DEGRADED),
        ({"joined": False}, LineState.NOT_JOINED),
        ({"paused": True}, LineState.PAUSED),
        ({"drawn": False}, LineState.LOBBY),
        ({"live": False}, LineState.WAITING),
        ({"admitted": True}, LineState.ADMITTED),
        ({"all_held": True}, LineState.HELD_BY_OTHERS),
        ({"called": True}, LineState.YOUR_TURN),
        ({}, LineState.WAITING),
    ],
)
def test_each_fact_alone_gives_its_own_state(facts: dict[str, bool], state: LineState) -> None:
    assert state_of(replace(CALM, **facts)) is state


@given(standings)
def test_an_earlier_row_wins_over_every_later_one(standing: Standing) -> None:
    applying = [state for _, applies, state in TABLE if applies(standing)]
    assert state_of(standing) is (applying[0] if applying else LineState.WAITING)


@given(standings)
def test_nobody_is_let_through_by_a_worker_in_doubt(standing: Standing) -> None:
    assert state_of(replace(standing, doubtful=True)) not in (LineState.YOUR_TURN, LineState.ADMITTED)


@given(standings)
def test_nobody_is_called_while_the_sale_is_paused(standing: Standing) -> None:
    assert state_of(replace(standing, paused=True)) not in (LineState.YOUR_TURN, LineState.ADMITTED)


@given(standings)
def test_sold_out_for_good_is_said_although_the_sale_is_paused_or_in_doubt(standing: Standing) -> None:
    assert state_of(replace(standing, final=True, ended=False)) is LineState.SOLD_OUT


@given(standings)
def test_held_by_others_is_never_said_while_something_is_free(standing: Standing) -> None:
    assert state_of(replace(standing, all_held=False)) is not LineState.HELD_BY_OTHERS


def test_picture_in_the_documentation_is_drawn_from_the_table() -> None:
    page = Path(__file__).resolve().parents[3] / "docs" / "line.md"
    assert f"```mermaid\n{diagram()}\n```" in page.read_text()
