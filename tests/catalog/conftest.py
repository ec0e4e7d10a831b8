from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import asyncpg
import pytest

if TYPE_CHECKING:
    from engine.infra.postgres import Connection


@pytest.fixture
async def conn(database_url: str) -> AsyncIterator["Connection"]:
    """A connection to a fresh, migrated database."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()
