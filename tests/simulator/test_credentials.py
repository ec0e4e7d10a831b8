"""Keys and names: made once, kept, private, and never repaired in silence."""

import concurrent.futures
import shutil
import stat
from pathlib import Path

import pytest

from engine.simulator.keys.credentials import CredentialsError, ensure


def test_the_second_call_returns_the_first_credentials(home: Path) -> None:
    assert ensure(home) == ensure(home)


def test_callers_at_the_same_time_get_the_same_credentials(tmp_path: Path) -> None:
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        found = list(pool.map(ensure, [tmp_path / "new"] * 3))
    assert found[0] == found[1] == found[2]


def test_every_file_is_readable_by_its_owner_only(made_home: Path) -> None:
    files = [file for file in made_home.rglob("*") if file.is_file() and file.suffix != ".lock"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_the_files_of_the_first_merchant_have_the_known_names(made_home: Path) -> None:
    assert {file.name for file in made_home.iterdir()} >= {
        "credentials.json",
        "merchant_key.pem",
        "merchant_serial",
        "platform_private_key.pem",
        "platform_public_key.pem",
    }


def test_names_have_the_real_shapes(home: Path) -> None:
    names = ensure(home)
    assert names.appid.startswith("wx")
    assert len(names.appid) == 18
    assert names.mchid.isdigit()
    assert len(names.mchid) == 10
    assert len(names.api_v3_key) == 32
    assert len(names.certificate_serial) == 40
    assert names.public_key_id.removeprefix("PUB_KEY_ID_").isdigit()


def test_secrets_are_not_shown(home: Path) -> None:
    names = ensure(home)
    assert names.api_v3_key not in repr(names)
    assert names.app_secret not in repr(names)


def test_a_moved_home_still_works(home: Path, tmp_path: Path) -> None:
    moved = Path(shutil.move(home, tmp_path / "moved"))
    assert ensure(moved).private_key_file == moved / "merchant_key.pem"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"appid": 1}'])
def test_broken_credentials_are_not_replaced(home: Path, content: str) -> None:
    (home / "credentials.json").write_text(content)
    with pytest.raises(CredentialsError):
        ensure(home)


def test_a_missing_key_is_named(home: Path) -> None:
    (home / "platform_private_key.pem").unlink()
    with pytest.raises(CredentialsError, match="platform_private_key"):
        ensure(home)


def test_a_start_that_was_cut_short_begins_again(home: Path) -> None:
    (home / "credentials.json").unlink()
    assert ensure(home) == ensure(home)
