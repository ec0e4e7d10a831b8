from collections.abc import AsyncIterator

import pytest

from tests.support.house import Rooms, rooms


@pytest.fixture
async def house(clean_redis_url: str, database_url: str) -> AsyncIterator[Rooms]:
    async with rooms(clean_redis_url, database_url) as found:
        yield found
