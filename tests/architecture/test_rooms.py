"""Data flows one way through the rooms, and the simulator and the load test know the engine only from outside."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_import_contracts_hold() -> None:
    command = Path(sys.executable).with_name("lint-imports")
    found = subprocess.run([command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


def test_the_load_test_imports_no_room() -> None:
    importing = [path.name for path in (ROOT / "loadtest").rglob("*.py") if "from engine" in path.read_text()]
    assert importing == []


def test_nothing_is_marked_to_be_done_later() -> None:
    marks = ("TO" + "DO", "FIX" + "ME", "XX" + "X", "NotImplemented" + "Error")
    files = [*ROOT.glob("engine/**/*.py"), *ROOT.glob("lua/**/*.lua"), *ROOT.glob("engine/**/*.sql")]
    assert [str(path) for path in files if any(mark in path.read_text() for mark in marks)] == []
