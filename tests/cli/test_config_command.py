"""`floodgate config`: what is in force, and a first file."""

import json
import stat
from pathlib import Path

from tests.cli.conftest import Run


def test_config_shows_every_setting_with_its_origin(run: Run) -> None:
    ended = run("config", web_port="1234")

    assert ended.code == 0
    (line,) = (line for line in ended.out.splitlines() if line.startswith("web.port"))
    assert line.split() == ["web.port", "1234", "FLOODGATE_WEB_PORT"]


def test_config_prints_no_secret(run: Run) -> None:
    ended = run("config")

    assert "hunter2" not in ended.out
    assert "k" * 32 not in ended.out


def test_config_prints_json(run: Run) -> None:
    shown = json.loads(run("config", "--json", web_port="1234").out)

    assert shown["web.port"] == {"value": "1234", "source": "FLOODGATE_WEB_PORT"}


def test_wrong_settings_are_sentences_and_exit_code_two(run: Run) -> None:
    ended = run("config", web_port="-1", log_level="loud")

    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.startswith("2 settings are wrong:\n  web.port = -1 (FLOODGATE_WEB_PORT):")
    assert "Traceback" not in ended.err


def test_beside_a_running_stack_missing_settings_name_those_of_the_stack(run: Run, tmp_path: Path) -> None:
    (tmp_path / ".run" / "stack").mkdir(parents=True)
    (tmp_path / ".run" / "stack" / "floodgate.toml").touch()

    ended = run("config", bare=True)

    assert ended.err.endswith("Then: export FLOODGATE_CONFIG=.run/stack/floodgate.toml\n")


def test_init_writes_a_file_for_its_owner_alone(run: Run, tmp_path: Path) -> None:
    assert run("config", "--init", bare=True).code == 0

    assert stat.S_IMODE((tmp_path / "floodgate.toml").stat().st_mode) == 0o600


def test_init_writes_where_config_says(run: Run, tmp_path: Path) -> None:
    assert run("--config", tmp_path / "mine.toml", "config", "--init", bare=True).code == 0

    assert "openid_key" in (tmp_path / "mine.toml").read_text()


def test_init_leaves_an_existing_file_as_it_is(run: Run, tmp_path: Path) -> None:
    (tmp_path / "floodgate.toml").write_text("# mine\n")

    ended = run("config", "--init", bare=True)

    assert (ended.code, ended.err) == (2, "floodgate.toml exists already and is left as it is.\n")
    assert (tmp_path / "floodgate.toml").read_text() == "# mine\n"


def test_the_file_of_this_folder_is_read(run: Run, tmp_path: Path) -> None:
    (tmp_path / "floodgate.toml").write_text("[web]\nport = 4321\n")

    assert json.loads(run("config", "--json").out)["web.port"] == {"value": "4321", "source": "floodgate.toml"}
