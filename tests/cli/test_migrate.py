"""`floodgate migrate` against real servers, however their address is written."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from engine.cli.migrations import HOME, dbmate_url, versions
from engine.embedded.postgres import PostgresServer, run_sql
from tests.cli.conftest import Run
from tests.conftest import url_of_database


@pytest.fixture
def empty_database_url(postgres_url: str) -> Iterator[str]:
    name = f"empty_{secrets.token_hex(6)}"
    run_sql(postgres_url, f"CREATE DATABASE {name}")
    yield url_of_database(postgres_url, name)
    run_sql(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def socket_server(server_folder: Path) -> Iterator[PostgresServer]:
    """A PostgreSQL that listens on a unix socket only."""
    folder = server_folder / "socket"
    folder.mkdir()
    folder.chmod(0o777)
    server = PostgresServer(server_folder / "postgres-socket", socket_folder=folder, settings={"fsync": "off"})
    try:
        server.start()
        yield server
    finally:
        server.remove()


async def tables(url: str, schema: str = "public") -> set[str]:
    conn = await asyncpg.connect(url)
    rows = await conn.fetch("select tablename from pg_tables where schemaname = $1", schema)
    await conn.close()
    return {row["tablename"] for row in rows}


async def test_an_empty_database_is_migrated(run: Run, empty_database_url: str) -> None:
    ended = run("migrate", postgres_url=empty_database_url)

    assert ended.code == 0, ended.err
    assert {"orders", "skus"} <= await tables(empty_database_url)


def test_migrating_again_changes_nothing(run: Run, database_url: str) -> None:
    ended = run("migrate", postgres_url=database_url)

    assert (ended.code, ended.out) == (0, "The database is migrated.\n")


async def test_a_missing_database_is_created(run: Run, postgres_url: str) -> None:
    name = f"absent_{secrets.token_hex(6)}"
    url = url_of_database(postgres_url, name)

    ended = run("migrate", postgres_url=url)

    assert ended.code == 0, ended.err
    assert "orders" in await tables(url)
    run_sql(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


async def test_a_unix_socket_is_reached(run: Run, socket_server: PostgresServer) -> None:
    url = socket_server.create_database("over_socket")

    ended = run("migrate", postgres_url=url)

    assert ended.code == 0, ended.err
    assert "orders" in await tables(url)


async def test_a_search_path_puts_the_tables_there(run: Run, empty_database_url: str) -> None:
    ended = run("migrate", postgres_url=f"{empty_database_url}?search_path=shop")

    assert ended.code == 0, ended.err
    assert "orders" in await tables(empty_database_url, "shop")


def test_a_database_that_is_away_is_one_sentence_without_the_password(run: Run) -> None:
    ended = run("migrate")

    assert ended.code == 2
    assert ended.err.startswith("The database was not migrated: ")
    assert "hunter2" not in ended.err


def test_a_folder_without_migrations_is_refused(run: Run, tmp_path: Path) -> None:
    ended = run("migrate", "--migrations-dir", tmp_path)

    assert ended.code == 2
    assert "There are no migrations in" in ended.err


def test_a_dotenv_file_is_not_read(run: Run, tmp_path: Path, database_url: str) -> None:
    (tmp_path / ".env").write_text("DBMATE_MIGRATIONS_TABLE=elsewhere\n")

    assert run("migrate", postgres_url=database_url).out == "The database is migrated.\n"


@pytest.mark.parametrize(
    ("url", "for_dbmate"),
    [
        ("postgresql://u:p@h:1/d", "postgres://u:p@h:1/d?sslmode=prefer"),
        ("postgres://h/d?sslmode=verify-full", "postgres://h/d?sslmode=verify-full"),
        ("postgresql://u@/d?host=/run/pg", "postgres://u@/d?host=/run/pg&sslmode=prefer"),
        ("postgresql://h/d?search_path=a,b", "postgres://h/d?search_path=a,b&sslmode=prefer"),
        ("postgresql://h/d?application_name=a%20b", "postgres://h/d?application_name=a%20b&sslmode=prefer"),
    ],
)
def test_a_url_keeps_its_meaning_for_dbmate(url: str, for_dbmate: str) -> None:
    assert dbmate_url(url) == for_dbmate


def test_the_houses_own_migrations_are_found() -> None:
    assert versions(HOME)[0] == "20261121000001"
