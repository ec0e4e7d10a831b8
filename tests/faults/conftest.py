"""One rig for all faults; every test gets it mended and empty."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from engine.embedded.postgres import PostgresServer
from engine.embedded.valkey import ValkeyServer
from engine.simulator.keys import credentials
from tests.faults.promises import Journal
from tests.faults.rig import Rig
from tests.support.buyer import Buyer, Crowd


@pytest.fixture(scope="session")
def merchant_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("merchant")
    credentials.ensure(home)
    return home


@pytest.fixture(scope="session")
def shared_rig(
    server_folder: Path,
    migrated_postgres: PostgresServer,
    merchant_home: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Rig]:
    postgres = PostgresServer(server_folder / f"postgres-{secrets.token_hex(6)}")
    try:
        postgres.copy_data_of(migrated_postgres)
        postgres.start()
        with (
            ValkeyServer(server_folder / f"redis-{secrets.token_hex(6)}") as redis_server,
            Rig(tmp_path_factory.mktemp("rig"), redis_server, postgres, merchant_home) as rig,
        ):
            yield rig
    finally:
        postgres.remove()


@pytest.fixture
async def rig(shared_rig: Rig) -> Rig:
    """Two workers, the jobs, WeChat and both stores, all of them whole and empty; break what you like."""
    await shared_rig.mend()
    await shared_rig.empty()
    return shared_rig


@pytest.fixture
async def crowd(rig: Rig) -> AsyncIterator[Crowd]:
    async with PatientCrowd(rig.engine.public_url, rig.engine.simulator_url) as crowd:
        yield crowd


class PatientCrowd(Crowd):
    """Buyers who come again: the first request after the fault of an earlier test may still meet what it broke."""

    async def ready_buyer(self, sale_id: str) -> Buyer:
        for _ in range(2):
            with contextlib.suppress(AssertionError):
                return await super().ready_buyer(sale_id)
            await asyncio.sleep(0.3)
        return await super().ready_buyer(sale_id)


@pytest.fixture
def journal() -> Journal:
    """What the buyers of this test were told."""
    return Journal()
