"""`floodgate session`: cancel, and how far the refunds are."""

import json
from pathlib import Path

import pytest

from tests.catalog.texts import spoilt
from tests.cli.conftest import Run


@pytest.fixture
def applied(run: Run, database_url: str, tmp_path: Path) -> str:
    """A database with the session `sat`."""
    (tmp_path / "drop.toml").write_text(spoilt())
    assert run("sale", "apply", "drop.toml", postgres_url=database_url).code == 0
    return database_url


def test_a_session_is_cancelled_once_and_for_all(run: Run, applied: str) -> None:
    first = run("session", "cancel", "sat", "--reason", "storm", postgres_url=applied)
    second = run("session", "cancel", "sat", "--reason", "flood", postgres_url=applied)
    assert (first.code, first.out.splitlines()[0]) == (
        0,
        "The session sat is cancelled. Its tickets are sold no more.",
    )
    assert (second.code, second.out.splitlines()[0]) == (0, "The session sat was cancelled before: storm")


def test_watching_ends_with_the_last_refund(run: Run, applied: str) -> None:
    ended = run("session", "cancel", "sat", "--reason", "storm", "--watch", postgres_url=applied)
    assert (ended.code, ended.out.splitlines()[-1].strip()) == (0, "Nothing is left to do.")


def test_the_numbers_are_printed_for_programs(run: Run, applied: str) -> None:
    ended = run("session", "refunds", "sat", "--json", postgres_url=applied)
    found = json.loads(ended.out)
    assert (found["session"], found["cancelled_ms"], found["orders"], found["done"]) == ("sat", None, 0, False)


def test_before_it_is_cancelled_it_says_what_that_would_mean(run: Run, applied: str) -> None:
    ended = run("session", "refunds", "sat", postgres_url=applied)
    assert ended.out.splitlines()[0] == "The session sat (Saturday) is not cancelled."


COMPLAINTS = {
    ("cancel", "sun", "--reason", "storm"): "There is no session 'sun'.",
    ("refunds", "sun"): "There is no session 'sun'.",
    ("refunds", "sat", "--watch"): "The session sat is not cancelled.",
    ("cancel", "sat", "--reason", "two\nlines"): "The reason must be 1 to 80 characters",
}


def test_what_cannot_be_done_is_one_sentence_and_exit_code_two(run: Run, applied: str) -> None:
    ended = {words: run("session", *words, postgres_url=applied) for words in COMPLAINTS}
    assert {words: (each.code, each.err[: len(COMPLAINTS[words])]) for words, each in ended.items()} == {
        words: (2, complaint) for words, complaint in COMPLAINTS.items()
    }
