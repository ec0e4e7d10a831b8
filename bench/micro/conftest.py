"""One real server for the micro benchmarks, on a free port and in a folder of its own."""

from collections.abc import Iterator

import pytest

from engine.embedded.valkey import ValkeyServer


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    with ValkeyServer(tmp_path_factory.mktemp("valkey")) as server:
        yield server
