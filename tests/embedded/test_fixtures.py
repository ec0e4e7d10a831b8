"""The fixtures everybody stands on do what they promise."""

import asyncpg
import redis

from engine.embedded.postgres import PostgresServer


async def test_a_fresh_database_is_migrated_and_empty(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        assert await connection.fetchval("select count(*) from orders") == 0
    finally:
        await connection.close()


def test_a_clean_redis_has_no_keys(clean_redis_url: str) -> None:
    with redis.Redis.from_url(clean_redis_url) as client:
        assert client.dbsize() == 0


async def test_a_postgres_of_ones_own_is_migrated(own_postgres: PostgresServer) -> None:
    connection = await asyncpg.connect(own_postgres.url_of("floodgate"))
    try:
        assert await connection.fetchval("select count(*) from sales") == 0
    finally:
        await connection.close()
