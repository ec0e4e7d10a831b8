"""What an unprivileged account can reach, and where its part of the stack lives instead."""

import os
from pathlib import Path

import pytest

from engine.embedded.child import StartError
from engine.embedded.reach import account_for, allows, can_reach, data_folder, shared_folder
from tests.embedded.conftest import STRANGER


def test_an_ordinary_user_runs_everything_as_oneself() -> None:
    assert account_for(1000) is None


def test_root_runs_postgres_as_an_account_that_is_not_root() -> None:
    account = account_for(0)
    assert account is not None
    assert account.uid != 0


@pytest.mark.parametrize(
    ("mode", "owner", "group", "wanted", "answer"),
    [
        (0o700, STRANGER.uid, 0, 7, True),
        (0o070, STRANGER.uid, STRANGER.gid, 1, False),
        (0o070, 0, STRANGER.gid, 5, True),
        (0o707, 0, STRANGER.gid, 1, False),
        (0o001, 0, 0, 1, True),
        (0o001, 0, 0, 5, False),
        (0o700, 0, 0, 1, False),
    ],
)
def test_the_first_class_that_fits_decides(mode: int, owner: int, group: int, wanted: int, answer: bool) -> None:
    assert allows(mode=mode, owner=owner, group=group, account=STRANGER, wanted=wanted) is answer


def test_a_closed_folder_above_closes_everything_below(open_folder: Path) -> None:
    below = open_folder / "closed" / "below"
    below.mkdir(parents=True)
    below.chmod(0o755)
    assert can_reach(STRANGER, below, wanted=5)
    below.parent.chmod(0o700)
    assert not can_reach(STRANGER, below, wanted=5)


def test_a_closed_file_in_an_open_folder_cannot_be_read(open_folder: Path) -> None:
    file = open_folder / "file"
    file.touch(mode=0o600)
    assert not can_reach(STRANGER, file, wanted=4)


def test_data_stays_where_it_was_wanted_if_the_account_can_go_there(open_folder: Path) -> None:
    wanted = open_folder / "not" / "made" / "yet"
    assert data_folder(wanted, account=STRANGER, uid=os.geteuid(), above=open_folder) == wanted


def test_data_of_ones_own_account_stays_in_a_closed_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    assert data_folder(tmp_path / "postgres", account=None, uid=os.geteuid(), above=tmp_path) == (tmp_path / "postgres")


def test_data_moves_to_one_steady_place_if_the_account_cannot_go_there(open_folder: Path) -> None:
    closed = open_folder / "private"
    closed.mkdir()
    closed.chmod(0o700)
    uid = os.geteuid()
    first = data_folder(closed / "postgres", account=STRANGER, uid=uid, above=open_folder)
    again = data_folder(closed / "postgres", account=STRANGER, uid=uid, above=open_folder)
    other = data_folder(closed / "other", account=STRANGER, uid=uid, above=open_folder)
    assert first == again != other
    assert first.parent == open_folder / f"floodgate-{uid}"
    assert can_reach(STRANGER, first.parent, wanted=1)


def test_a_shared_folder_that_others_can_write_to_is_refused(open_folder: Path) -> None:
    uid = os.geteuid()
    (open_folder / "trap").mkdir()
    (open_folder / "trap" / f"floodgate-{uid}").mkdir()
    (open_folder / "trap" / f"floodgate-{uid}").chmod(0o777)
    with pytest.raises(StartError, match="remove it"):
        shared_folder(uid, above=open_folder / "trap")


def test_a_shared_folder_that_is_a_link_is_refused(open_folder: Path, tmp_path: Path) -> None:
    uid = os.geteuid()
    (open_folder / "link").mkdir()
    (open_folder / "link" / f"floodgate-{uid}").symlink_to(tmp_path)
    with pytest.raises(StartError, match="remove it"):
        shared_folder(uid, above=open_folder / "link")
