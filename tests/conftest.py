"""Real servers for every test: one Redis and one PostgreSQL a run, a fresh database a test.

FLOODGATE_TEST_REDIS_URL and FLOODGATE_TEST_POSTGRES_URL run the same tests against servers of your own (their
contents are thrown away). Tests that kill servers use `own_redis` and `own_postgres`, which are always ours;
FLOODGATE_TEST_REDIS_SERVER and FLOODGATE_TEST_POSTGRES_BIN name other programs for those.
"""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
import redis
from hypothesis import HealthCheck, settings

from engine.embedded.postgres import PostgresServer, run_sql
from engine.embedded.valkey import ValkeyCluster, ValkeyServer
from tests.support.house import Rooms, rooms

ROOT = Path(__file__).resolve().parent.parent

# The run's shared server is never killed and its data never outlives the run, so it need not reach the disk.
_SHARED_SETTINGS = {"fsync": "off", "full_page_writes": "off"}


# Other processes share the machine with the tests: how fast an example runs says nothing about it.
settings.register_profile("unhurried", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """A folder that PostgreSQL's account can enter too; pytest's own temporary folders are closed to it."""
    folder = Path(tempfile.mkdtemp(prefix="floodgate-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def redis_server(server_folder: Path) -> Iterator[ValkeyServer]:
    """The run's own Redis server. Do not kill or reconfigure it: that is what `own_redis` is for."""
    with ValkeyServer(server_folder / "redis") as server:
        yield server


@pytest.fixture(scope="session")
def redis_url(request: pytest.FixtureRequest) -> str:
    given = os.environ.get("FLOODGATE_TEST_REDIS_URL")
    return given or request.getfixturevalue("redis_server").url


@pytest.fixture
def clean_redis_url(redis_url: str) -> str:
    """The run's Redis, emptied before the test: no keys, no scripts."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
        client.script_flush()
    return redis_url


@pytest.fixture
def redis_flushed(clean_redis_url: str) -> str:
    return clean_redis_url


@pytest.fixture
def own_redis(server_folder: Path) -> Iterator[ValkeyServer]:
    """A Redis server of this test alone, started; kill, stop and start it as you like."""
    with ValkeyServer(server_folder / f"redis-{secrets.token_hex(6)}") as server:
        yield server


@pytest.fixture(scope="session")
def redis_cluster(server_folder: Path) -> Iterator[ValkeyCluster]:
    """Three masters that share the slots."""
    with ValkeyCluster(server_folder / "cluster") as cluster:
        yield cluster


@pytest.fixture(scope="session")
def postgres_server(server_folder: Path) -> Iterator[PostgresServer]:
    """The run's own PostgreSQL. Do not kill or reconfigure it: that is what `own_postgres` is for."""
    server = PostgresServer(server_folder / "postgres", settings=_SHARED_SETTINGS)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def postgres_url(request: pytest.FixtureRequest) -> str:
    """The maintenance database of the run's PostgreSQL, as its administrator."""
    given = os.environ.get("FLOODGATE_TEST_POSTGRES_URL")
    return given or request.getfixturevalue("postgres_server").url


@pytest.fixture(scope="session")
def database_template(postgres_url: str) -> Iterator[str]:
    """The name of a freshly migrated database that nobody is connected to."""
    name = f"template_{secrets.token_hex(6)}"
    run_sql(postgres_url, f"CREATE DATABASE {name}")
    migrate(url_of_database(postgres_url, name))
    yield name
    run_sql(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database_url(postgres_url: str, database_template: str) -> Iterator[str]:
    """A fresh, migrated database of this test alone."""
    name = f"test_{secrets.token_hex(6)}"
    run_sql(postgres_url, f"CREATE DATABASE {name} TEMPLATE {database_template}")
    yield url_of_database(postgres_url, name)
    run_sql(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def migrated_postgres(server_folder: Path) -> PostgresServer:
    """A stopped PostgreSQL whose database `floodgate` is migrated: what each `own_postgres` begins with."""
    server = PostgresServer(server_folder / "postgres-migrated", settings=_SHARED_SETTINGS)
    with server:
        migrate(server.create_database("floodgate"))
    return server


@pytest.fixture
def own_postgres(server_folder: Path, migrated_postgres: PostgresServer) -> Iterator[PostgresServer]:
    """A PostgreSQL of this test alone, started and durable; its database `floodgate` is migrated."""
    server = PostgresServer(server_folder / f"postgres-{secrets.token_hex(6)}")
    try:
        server.copy_data_of(migrated_postgres)
        server.start()
        yield server
    finally:
        server.remove()


def url_of_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def migrate(url: str) -> None:
    """Bring a database to the newest schema; dbmate insists on TLS unless it is told otherwise."""
    parts = urlsplit(url)
    if "sslmode=" not in parts.query:
        query = "&".join(filter(None, (parts.query, "sslmode=disable")))
        url = urlunsplit(parts._replace(query=query))
    dbmate = Path(sys.executable).with_name("dbmate")
    done = subprocess.run(
        [dbmate, "--url", url, "--migrations-dir", ROOT / "migrations", "--no-dump-schema", "migrate"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
async def house(clean_redis_url: str, database_url: str) -> AsyncIterator[Rooms]:
    """The rooms of one process on fresh stores, with a sale that is open."""
    async with rooms(clean_redis_url, database_url) as found:
        yield found
