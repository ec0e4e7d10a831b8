"""A stranger on this machine, and a folder that strangers can enter."""

from pathlib import Path

import pytest

from engine.embedded.child import Account

STRANGER = Account("stranger", uid=61_234, gid=61_234)


@pytest.fixture
def open_folder(server_folder: Path, request: pytest.FixtureRequest) -> Path:
    folder = server_folder / request.node.name
    folder.mkdir()
    folder.chmod(0o755)
    return folder
