"""`floodgate sale`: apply, pause, resume, list."""

import time
from pathlib import Path

import asyncpg
import pytest

from engine.catalog.store import load_sales
from tests.catalog.texts import spoilt
from tests.cli.conftest import Run
from tests.support.house import Rooms


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "drop.toml"
    path.write_text(spoilt())
    return path


def test_apply_prints_what_it_changed(run: Run, database_url: str, file: Path) -> None:
    ended = run("sale", "apply", "drop.toml", postgres_url=database_url)

    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[-2:] == ["sale later created", "drop.toml: 6 changes made."]


def test_apply_again_changes_nothing(run: Run, database_url: str, file: Path) -> None:
    run("sale", "apply", "drop.toml", postgres_url=database_url)

    assert run("sale", "apply", "drop.toml", postgres_url=database_url).out == "drop.toml: nothing to change.\n"


def test_a_dry_run_makes_no_change(run: Run, database_url: str, file: Path) -> None:
    first = run("sale", "apply", "--dry-run", "drop.toml", postgres_url=database_url)
    second = run("sale", "apply", "--dry-run", "drop.toml", postgres_url=database_url)

    assert first.out == second.out
    assert first.out.endswith("6 changes, nothing done.\n")


def test_a_sale_that_names_an_account_without_settings_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "drop.toml").write_text(spoilt(("line_rate = 400", 'line_rate = 400\nmchid = "1900000999"')))

    ended = run("sale", "apply", "drop.toml")

    assert (ended.code, ended.err.split(". ")[0]) == (
        2,
        "The sale drop names the merchant account 1900000999, which the settings do not have",
    )


async def test_opens_in_moves_the_first_opening(run: Run, database_url: str, file: Path) -> None:
    before_ms = time.time() * 1000
    run("sale", "apply", "--opens-in", "60", "drop.toml", postgres_url=database_url)

    conn = await asyncpg.connect(database_url)
    first, second = await load_sales(conn)
    await conn.close()
    assert before_ms + 60_000 <= first.opens_ms <= time.time() * 1000 + 60_000
    assert second.opens_ms == first.closes_ms == first.opens_ms + 7 * 86_400_000


def test_a_wrong_file_is_one_line_a_problem_and_exit_code_two(run: Run, tmp_path: Path) -> None:
    (tmp_path / "drop.toml").write_text(spoilt(("capacity = 300", "capacity = -1"), ("hold_s", "holds")))

    ended = run("sale", "apply", "drop.toml")

    assert ended.code == 2
    assert [line.split()[0] for line in ended.err.splitlines()] == [
        "drop.toml:16:",
        "drop.toml:26:",
        "drop.toml:32:",
    ]


def test_a_database_without_tables_is_told_how_to_get_them(run: Run, postgres_url: str, file: Path) -> None:
    ended = run("sale", "apply", "drop.toml", postgres_url=postgres_url)

    assert (ended.code, ended.err) == (2, "The database has no tables yet, or old ones. Run: floodgate migrate\n")


def test_a_database_that_is_away_is_one_sentence(run: Run, file: Path) -> None:
    ended = run("sale", "apply", "drop.toml")

    assert ended.code == 2
    assert len(ended.err.splitlines()) == 1
    assert "floodgate doctor" in ended.err


def test_a_sale_is_paused_and_resumed(run: Run, database_url: str, clean_redis_url: str, file: Path) -> None:
    stores = {"postgres_url": database_url, "redis_url": clean_redis_url}
    run("sale", "apply", "--opens-in", "-60", "drop.toml", **stores)

    assert run("sale", "pause", "drop", **stores).out.splitlines()[0] == "The sale drop is paused."
    assert "paused" in run("sale", "list", **stores).out
    assert run("sale", "resume", "drop", **stores).out.splitlines()[0] == "The sale drop is resumed."
    assert "paused" not in run("sale", "list", **stores).out


async def test_a_pause_is_in_redis_when_the_command_ends(
    run: Run, house: Rooms, clean_redis_url: str, database_url: str
) -> None:
    ended = run("sale", "pause", "spring", postgres_url=database_url, redis_url=clean_redis_url)

    seen = await house.stock.observe(house.live.keys, house.live.epoch)
    assert (ended.out, seen is not None and seen.paused) == ("The sale spring is paused.\n", True)


async def test_a_pause_without_redis_is_written_down_and_says_who_tells_it(
    run: Run, database_url: str, file: Path
) -> None:
    run("sale", "apply", "drop.toml", postgres_url=database_url)

    ended = run("sale", "pause", "drop", postgres_url=database_url)

    conn = await asyncpg.connect(database_url)
    sales = await load_sales(conn)
    await conn.close()
    assert (ended.code, [sale.paused for sale in sales]) == (0, [True, False])
    assert ended.out.splitlines()[-1] == "The workers tell it within a second of reaching it."


async def test_a_sale_that_was_sold_out_for_good_goes_on_when_it_is_reopened(
    run: Run, house: Rooms, clean_redis_url: str, database_url: str
) -> None:
    await house.sql("update sales set final_round = round")
    await house.store.client.hset(house.live.keys.line, "final", 1)

    ended = run("sale", "reopen", "spring", postgres_url=database_url, redis_url=clean_redis_url)

    await house.board.refresh()
    sight = await house.line.look(house.live)
    assert ended.out == "The sale spring sells in a new round what came back.\n"
    assert (house.live.sale.round, house.live.sale.sold_out_for_good) == (2, False)
    assert (sight is not None and sight.final) is False


def test_a_sale_that_is_not_over_is_not_reopened(run: Run, database_url: str, file: Path) -> None:
    run("sale", "apply", "drop.toml", postgres_url=database_url)

    ended = run("sale", "reopen", "drop", postgres_url=database_url)

    assert (ended.code, ended.err.split(";")[0]) == (2, "The sale drop is not sold out for good")


def test_pausing_an_unknown_sale_is_refused(run: Run, database_url: str) -> None:
    ended = run("sale", "pause", "nobody", postgres_url=database_url)

    assert (ended.code, ended.err) == (2, "There is no sale 'nobody'. See them with: floodgate sale list\n")


def test_list_shows_each_sale_with_its_phase_and_units(run: Run, database_url: str, file: Path) -> None:
    run("sale", "apply", "--opens-in", "-60", "drop.toml", postgres_url=database_url)

    lines = run("sale", "list", postgres_url=database_url).out.splitlines()

    assert [(line.split()[0], line.split()[3], line.split()[-1]) for line in lines[1:]] == [
        ("drop", "live", "750"),
        ("later", "lobby", "300"),
    ]
