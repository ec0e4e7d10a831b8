"""A database for the tests of one file together."""

import secrets
from collections.abc import Iterator

import pytest

from engine.embedded.postgres import run_sql
from tests.conftest import url_of_database


@pytest.fixture(scope="module")
def module_database_url(postgres_url: str, database_template: str) -> Iterator[str]:
    name = f"test_{secrets.token_hex(6)}"
    run_sql(postgres_url, f"CREATE DATABASE {name} TEMPLATE {database_template}")
    yield url_of_database(postgres_url, name)
    run_sql(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")
