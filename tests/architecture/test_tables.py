"""One truth in two places is kept equal: states, key names, SQL, and what the documents say of them."""

from pathlib import Path

import asyncpg
import pytest

from engine.infra.keys import SaleKeys
from engine.infra.postgres import load_queries
from engine.orders.states import HARMLESS, MOVES, Event, State, diagram
from engine.payments.port import RefundState

ROOT = Path(__file__).parents[2]
SQL_FILES = sorted((ROOT / "engine").rglob("queries.sql"))


async def labels(url: str, name: str) -> list[str]:
    conn = await asyncpg.connect(url)
    try:
        rows = await conn.fetch(
            "select enumlabel from pg_enum where enumtypid = $1::regtype order by enumsortorder",
            name,
        )
    finally:
        await conn.close()
    return [row["enumlabel"] for row in rows]


async def test_the_states_of_code_and_database_are_the_same(database_url: str) -> None:
    assert await labels(database_url, "order_state") == [state.value for state in State]


async def test_the_database_knows_every_definite_refund_state(database_url: str) -> None:
    known = set(await labels(database_url, "refund_state"))
    definite = {RefundState.PROCESSING, RefundState.SUCCESS, RefundState.ABNORMAL, RefundState.CLOSED}
    assert {state.value.lower() for state in definite} <= known


@pytest.mark.parametrize("path", SQL_FILES, ids=lambda path: path.parent.name)
async def test_every_sql_block_is_understood_by_a_freshly_migrated_database(path: Path, database_url: str) -> None:
    conn = await asyncpg.connect(database_url)
    try:
        for name, sql in load_queries(path).blocks().items():
            assert await conn.prepare(sql), name
    finally:
        await conn.close()


def test_no_pair_of_state_and_event_is_both_a_move_and_harmless() -> None:
    assert not HARMLESS & set(MOVES)


def test_every_event_moves_something_and_every_state_is_reached() -> None:
    assert {event for _, event in MOVES} == set(Event)
    assert set(MOVES.values()) | {State.HELD} == set(State)


def test_a_refunded_order_never_moves_again() -> None:
    assert not [pair for pair in MOVES if pair[0] is State.REFUNDED]


def test_money_moves_every_order_that_still_has_its_units_to_paid() -> None:
    for state in (State.HELD, State.PAYING, State.CLOSING):
        assert MOVES[state, Event.PAID] is State.PAID


def test_the_documented_picture_is_the_table() -> None:
    assert diagram() in (ROOT / "docs" / "orders.md").read_text(encoding="utf-8")


def test_all_keys_of_a_sale_share_its_hash_tag() -> None:
    assert all("{spring}" in key for key in SaleKeys.of("spring").all())


def test_key_names_stand_in_one_module() -> None:
    elsewhere = [
        str(path)
        for path in (ROOT / "engine").rglob("*.py")
        if path.name != "keys.py" and ('"fg:' in path.read_text() or "f'fg:" in path.read_text())
    ]
    assert elsewhere == []


def test_sql_stands_in_sql_files() -> None:
    words = ("insert into ", "update orders", "delete from ", "select * from")
    elsewhere = [
        f"{path}: {word}"
        for path in (ROOT / "engine").rglob("*.py")
        for word in words
        if word in path.read_text().lower()
    ]
    assert elsewhere == []
