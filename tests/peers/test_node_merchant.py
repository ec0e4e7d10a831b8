"""A merchant on Node, with an SDK from npm, against the simulator: two strangers agree on the protocol."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from engine.simulator.luck.faults import Faults
from engine.simulator.processes.server import Simulator

HERE = Path(__file__).parent / "node"
PROMPT = Faults(callback_delay_ms=(0, 0), refund_delay_ms=(0, 0))


@pytest.fixture
async def simulator(tmp_path: Path) -> AsyncIterator[str]:
    home = tmp_path / "simulator"
    running = Simulator(home, luck=PROMPT)
    await running.start()
    yield f"http://127.0.0.1:{running.port}"
    await running.stop()


@pytest.fixture(scope="session")
def merchant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script beside the packages that its lock file names."""
    return Path(shutil.copytree(HERE, tmp_path_factory.mktemp("peer") / "node"))


async def run(*command: str, folder: Path) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 90)
    assert process.returncode == 0, err.decode()[-3000:]
    return out


async def test_a_merchant_on_node_orders_is_paid_refunds_and_closes(
    merchant: Path, simulator: str, tmp_path: Path
) -> None:
    await run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", folder=merchant)
    credentials = tmp_path / "simulator" / "credentials.json"
    found: dict[str, Any] = json.loads(await run("node", "peer.mjs", simulator, str(credentials), folder=merchant))
    public_key_id = json.loads(credentials.read_text())["public_key_id"]
    assert found["tapped"] == "ok"
    for notice in (found["paid"], found["refunded"]):
        assert (notice["verified"], notice["forged"], notice["serial"]) == (True, False, public_key_id)
    assert found["paid"]["content"]["transaction_id"] == found["trade"]["transaction_id"]
    assert (found["trade"]["state"], found["trade"]["total"]) == ("SUCCESS", 68000)
    assert found["refunded"]["content"]["amount"]["refund"] == 8000
    assert found["closed"] == 204
    assert found["wrong"] == {"status": 400, "code": "PARAM_ERROR"}
