"""The manual says what the code does."""

import re
from pathlib import Path

from typer import Typer
from typer.testing import CliRunner

from engine.simulator import cli
from engine.simulator.luck import manual
from engine.simulator.luck.knobs import KNOBS
from engine.simulator.office import house
from engine.simulator.pay.buyer import Behaviour

TEXT = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text("utf-8")


def test_the_knobs_of_the_manual_are_those_of_the_code() -> None:
    """Run `floodgate simulator --knobs` and put its output between the two marks when this fails."""
    written = re.search(r"<!-- knobs: .*? -->\n(.*)<!-- end of knobs -->", TEXT, re.DOTALL)
    assert written is not None
    assert written[1].strip() == manual.knob_tables().strip()


def test_every_knob_stands_in_a_group() -> None:
    tables = manual.knob_tables()
    assert all(f"| `{name}` |" in tables for name in KNOBS)
    assert tables.startswith("### ")


def test_every_behaviour_is_explained() -> None:
    assert [name for name in Behaviour if f"`{name}`" not in TEXT] == []


def test_every_admin_and_buyer_call_is_listed() -> None:
    paths = {door.path for door in house.DOORS if door.path.startswith(("/_admin", "/_buyer"))}
    assert [path for path in sorted(paths) if f"{path}`" not in TEXT and f"{path} " not in TEXT] == []


def test_the_command_prints_its_knobs() -> None:
    app = Typer(add_completion=False)
    app.command()(cli.simulator)
    told = CliRunner().invoke(app, ["--knobs"])
    assert (told.exit_code, told.output) == (0, manual.knob_tables())
