"""What counts as an outage of PostgreSQL, and what is a mistake of ours that no second try can cure."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import asyncpg
import pytest

from engine.infra.outage import PostgresAway
from engine.infra.postgres import connection, open_pool

if TYPE_CHECKING:
    from engine.infra.postgres import Pool


@pytest.fixture
async def pool(database_url: str) -> "AsyncIterator[Pool]":
    opened = await open_pool(
        database_url, connections_max=2, statement_timeout_s=5, connect_timeout_s=5, application="tests"
    )
    yield opened
    opened.terminate()


async def asked(pool: "Pool", sql: str, *args: object) -> object:
    async with connection(pool) as conn:
        return await conn.fetchval(sql, *args)


async def asked_after_the_server_ended_it(pool: "Pool") -> None:
    async with connection(pool) as conn:
        await asked(pool, "select pg_terminate_backend($1)", await conn.fetchval("select pg_backend_pid()"))
        await conn.fetchval("select 1")


async def asked_after_it_was_lost(pool: "Pool") -> None:
    async with connection(pool) as conn:
        conn.terminate()
        await conn.fetchval("select 1")


async def test_arguments_that_do_not_fit_a_statement_are_a_mistake(pool: "Pool") -> None:
    with pytest.raises(asyncpg.InterfaceError):
        await asked(pool, "select $1::integer + $2::integer", 1)


async def test_a_value_of_another_type_is_a_mistake(pool: "Pool") -> None:
    with pytest.raises(asyncpg.DataError):
        await asked(pool, "select $1::integer", "one")


async def test_a_connection_that_the_server_ended_is_an_outage(pool: "Pool") -> None:
    with pytest.raises(PostgresAway):
        await asked_after_the_server_ended_it(pool)


async def test_a_connection_used_after_it_was_lost_is_an_outage(pool: "Pool") -> None:
    with pytest.raises(PostgresAway):
        await asked_after_it_was_lost(pool)


async def test_after_a_mistake_the_pool_goes_on(pool: "Pool") -> None:
    with pytest.raises(asyncpg.InterfaceError):
        await asked(pool, "select $1::integer", 1, 2)
    assert await asked(pool, "select 1") == 1
