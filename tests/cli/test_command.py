"""The command as a whole."""

import pytest

from tests.cli.conftest import Run

COMMANDS = ("serve", "work", "up", "simulator", "migrate", "doctor", "config", "audit", "sale")


def test_help_names_every_command(run: Run) -> None:
    shown = run("--help", bare=True).out

    assert [name for name in COMMANDS if name not in shown] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_without_settings(run: Run, name: str) -> None:
    ended = run(name, "--help", bare=True)

    assert ended.code == 0, ended.err
    assert "Usage" in ended.out


@pytest.mark.parametrize("name", ["serve", "work", "audit", "migrate", "config"])
def test_nothing_starts_without_settings(run: Run, name: str) -> None:
    ended = run(name, bare=True)

    assert ended.code == 2
    assert "admin.key (not set): is missing" in ended.err
    assert "Traceback" not in ended.err


def test_an_unknown_command_is_a_sentence(run: Run) -> None:
    ended = run("sell", bare=True)

    assert ended.code == 2
    assert "No such command 'sell'" in ended.err
