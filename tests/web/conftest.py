"""One running engine for all tests of this folder: one worker, the jobs and the simulator, on the run's own stores."""

import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from engine.embedded.postgres import run_sql
from engine.simulator.keys import credentials
from tests.conftest import url_of_database
from tests.support.buyer import Buyer, Crowd
from tests.support.engine import Engine, OnSale, Stores

CAPACITIES = {"floor": 100_000, "stand": 100_000}
# Short enough for a test to wait for them, long enough not to be met by accident on a busy machine.
DEADLINES = {
    "WEB_HEAD_TIMEOUT_S": "2",
    "WEB_BODY_TIMEOUT_S": "1.5",
    "WEB_REQUEST_TIMEOUT_S": "5.5",
}


@pytest.fixture(scope="session")
def merchant_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("merchant")
    credentials.ensure(home)
    return home


@pytest.fixture(scope="package")
def folder_database_url(postgres_url: str, database_template: str) -> Iterator[str]:
    """A fresh, migrated database of this folder alone."""
    name = f"test_{secrets.token_hex(6)}"
    run_sql(postgres_url, f"CREATE DATABASE {name} TEMPLATE {database_template}")
    yield url_of_database(postgres_url, name)
    run_sql(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="package")
def engine(
    redis_url: str, folder_database_url: str, merchant_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """The engine of this folder; do not kill its processes, the other tests need them."""
    stores = Stores(redis_url=redis_url, postgres_url=folder_database_url)
    folder = tmp_path_factory.mktemp("engine")
    with Engine(folder, stores, merchant_home=merchant_home, settings=DEADLINES) as engine:
        yield engine


@pytest.fixture(scope="package")
def sale(engine: Engine) -> OnSale:
    """An open sale with plenty of everything: 4 units an order, 6 a buyer."""
    sale = engine.sell(CAPACITIES)
    engine.wait_until_live(sale.sale_id)
    return sale


@pytest.fixture
async def crowd(engine: Engine) -> AsyncIterator[Crowd]:
    async with engine.crowd() as crowd:
        yield crowd


@pytest.fixture
async def buyer(crowd: Crowd, sale: OnSale) -> Buyer:
    """Somebody new with a pass for the sale."""
    return await crowd.ready_buyer(sale.sale_id)
