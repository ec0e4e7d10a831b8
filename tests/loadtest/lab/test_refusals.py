"""What the command refuses, in a sentence, with status 2, before anything starts."""

import subprocess
import sys
from pathlib import Path

import pytest

from loadtest.lab import command

FLOODGATE = Path(sys.executable).with_name("floodgate")
TINY = Path(__file__).with_name("tiny.toml")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


MISTAKES = [
    (["concert-dorp"], "Did you mean concert-drop?"),
    (["./absent.toml"], "absent.toml cannot be read"),
    (["concert-drop", "--set", "sale.hold"], "write a dotted key"),
    (["concert-drop", "--set", "=3"], "write a dotted key"),
    (["concert-drop", "--set", "sale.holds=3"], "sale.holds: is no key of a profile"),
    (["concert-drop", "--set", "sale.hold_s=soon"], "sale.hold_s"),
    (["concert-drop", "--set", "slo.9.at_most=3"], "slo.9.at_most: 9 is no entry of this list; there are 0 to 4"),
    (["concert-drop", "--set", "seed.x=3"], "seed.x: seed has no keys"),
    (["concert-drop", "--scale", "2"], "scale.people"),
    (["concert-drop", "--processes", "0"], "--processes 0"),
    (["concert-drop", "--stack", "here", "--target", "http://127.0.0.1:1"], "two grounds"),
    (["concert-drop", "--wechat", "http://127.0.0.1:1"], "--wechat belongs to a target"),
    (["concert-drop", "--target", "http://127.0.0.1:1"], "--target needs --wechat"),
    (["concert-drop", "--target", "http://127.0.0.1:1", "--wechat", "http://127.0.0.1:2"], "--target needs --config"),
    (["concert-drop", "--config", "floodgate.toml"], "--config belongs to --target"),
    (["concert-drop", "--stack", "here", "--keep"], "--keep is for a stack that the lab starts"),
    (["concert-drop", "--stack", "here", "--workers", "3"], "--workers is for a stack that the lab starts"),
    (["concert-drop", "--stack", "here"], "no stack runs in here"),
]


@pytest.mark.parametrize(("words", "sentence"), MISTAKES, ids=[" ".join(words) for words, _ in MISTAKES])
def test_a_mistake_is_named_and_nothing_starts(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(words) == 2
    assert sentence in capsys.readouterr().err
    assert not Path(".run").exists()


def test_a_profile_with_several_mistakes_names_them_all(capsys: pytest.CaptureFixture[str]) -> None:
    mistakes = ["--set", "sale.tickets=0", "--set", "people.gone=2", "--set", "run.hurry=true"]
    assert command.main(["concert-drop", *mistakes]) == 2
    said = capsys.readouterr().err
    assert all(key in said for key in ("sale.tickets", "people.gone", "run.hurry"))


def test_a_folder_that_holds_something_is_not_written_into(capsys: pytest.CaptureFixture[str]) -> None:
    Path("kept").mkdir()
    (Path("kept") / "report.json").write_text("{}")
    assert command.main([str(TINY), "--out", "kept"]) == 2
    assert "kept is not empty" in capsys.readouterr().err


def test_a_file_in_the_place_of_the_folder_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    Path("kept").write_text("")
    assert command.main([str(TINY), "--out", "kept"]) == 2
    assert "kept is a file" in capsys.readouterr().err


def test_a_place_where_nothing_can_be_written_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    Path("kept").write_text("")
    assert command.main([str(TINY), "--out", "kept/run"]) == 2
    assert "kept/run: Not a directory" in capsys.readouterr().err


def test_an_option_that_nobody_knows_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["concert-drop", "--hurry"])
    assert ended.value.code == 2
    assert "--hurry" in capsys.readouterr().err


def test_the_engines_command_hands_its_words_and_its_status_over() -> None:
    done = subprocess.run([FLOODGATE, "loadtest", "nobody-knows-it"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "There is no profile called nobody-knows-it" in done.stderr


def test_a_lab_that_is_not_installed_says_what_to_install() -> None:
    without = "import sys; sys.modules['hdrh'] = None; from engine.cli import main; main()"
    words = [sys.executable, "-c", without, "loadtest", "concert-drop"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "hdrh missing" in done.stderr
    assert 'pip install "floodgate-engine[loadtest]"' in done.stderr


def test_every_profile_is_listed_with_its_title(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--list"]) == 0
    assert "A concert drop" in capsys.readouterr().out


def test_help_shows_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["--help"])
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert all(word in said for word in ("--i-own-this-target", "--no-cross-check", "exit codes"))
