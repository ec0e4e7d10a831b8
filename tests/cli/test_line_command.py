"""`floodgate line`: what operators see and change from a terminal."""

import json
import re
from pathlib import Path

import asyncpg
import pytest

from engine.catalog.sale_file import parse_sale_file
from engine.catalog.store import apply, load_sales
from tests.catalog.test_sale_line import with_lanes
from tests.catalog.texts import PATH
from tests.cli.conftest import Ended, Run


@pytest.fixture
async def applied(database_url: str) -> str:
    """A database with the sale `drop` of the lanes public, club (members) and presale (codes)."""
    conn = await asyncpg.connect(database_url)
    await apply(conn, parse_sale_file(with_lanes(), PATH))
    await conn.close()
    return database_url


async def test_pace_and_challenge_are_set(run: Run, applied: str) -> None:
    said = [
        run("line", *words, postgres_url=applied).out
        for words in (("rate", "drop", "none"), ("concurrency", "drop", "1500"), ("challenge", "drop", "always"))
    ]

    conn = await asyncpg.connect(applied)
    (sale, _) = await load_sales(conn)
    await conn.close()
    assert (sale.line_rate, sale.line_concurrency, sale.challenge) == (None, 1500, "always")
    assert said == [
        "The line of drop lets through any number of people a second.\n",
        "The line of drop keeps at most 1,500 people at the till.\n",
        "The challenge of drop is always.\n",
    ]


def test_what_makes_no_sense_is_refused_and_says_what_to_do(run: Run, applied: str) -> None:
    run("line", "rate", "drop", "none", postgres_url=applied)

    def refused(*words: str) -> tuple[int, str]:
        ended = run("line", *words, postgres_url=applied)
        return ended.code, ended.err.strip()

    assert refused("concurrency", "drop", "none") == (
        2,
        "A line needs a rate or a concurrency. Set the other one first.",
    )
    assert refused("rate", "drop", "0") == (
        2,
        "A number of people is 1 to 1,000,000. To stop the line, run: floodgate sale pause drop",
    )
    assert refused("codes", "drop", "club", "--count", "1")[1].startswith("The lane club is for members.")


async def test_members_are_kept_as_digests_and_adding_them_again_is_harmless(
    run: Run, applied: str, tmp_path: Path
) -> None:
    (tmp_path / "members.txt").write_text("\ufeffoAda-1\n# guests\n\noBob_2\noAda-1\n", encoding="utf-8")

    first, again = (run("line", "members", "drop", "club", "members.txt", postgres_url=applied) for _ in range(2))

    conn = await asyncpg.connect(applied)
    rows = await conn.fetch("select buyer, lane from lane_members")
    await conn.close()
    assert first.out == "2 new members of club; 0 were there already.\n"
    assert again.out == "0 new members of club; 2 were there already.\n"
    assert {row["lane"] for row in rows} == {1}
    assert not any(b"Ada" in row["buyer"] for row in rows)


def test_a_list_with_something_else_in_it_is_refused_with_its_line(run: Run, applied: str, tmp_path: Path) -> None:
    (tmp_path / "members.txt").write_text("oAda-1\nBob, bob@example.com\n")

    ended = run("line", "members", "drop", "club", "members.txt", postgres_url=applied)

    assert (ended.code, ended.err.split(":")[:2]) == (2, ["members.txt", "2"])


async def test_codes_are_printed_once_and_kept_as_digests(run: Run, applied: str) -> None:
    ended = run("line", "codes", "drop", "presale", "--count", "200", postgres_url=applied)

    codes = ended.out.split()
    conn = await asyncpg.connect(applied)
    kept = await conn.fetch("select code_digest, lane, buyer from lane_codes")
    await conn.close()
    assert len(set(codes)) == len(kept) == 200
    assert all(re.fullmatch(r"([2-9A-HJ-NP-Z]{4}-){2}[2-9A-HJ-NP-Z]{4}", code) for code in codes)
    assert {(row["lane"], row["buyer"]) for row in kept} == {(2, None)}


async def test_a_line_is_shown_without_redis_by_what_the_ledger_knows(run: Run, applied: str) -> None:
    conn = await asyncpg.connect(applied)
    await conn.execute("insert into lane_codes select 'drop', sha256(n::text::bytea), 2 from generate_series(1, 3) n")
    await conn.close()

    shown = run("line", "show", "drop", postgres_url=applied).out.splitlines()
    told = json.loads(run("line", "show", "drop", "--json", postgres_url=applied).out)

    assert shown[0] == "drop: draft, 400 people a second, 2,000 at the till, challenge off"
    assert [line.split()[:3] for line in shown[3:6]] == [
        ["public", "everyone", "3"],
        ["club", "members", "1"],
        ["presale", "codes", "2"],
    ]
    assert "presale: 3 codes, 0 of them used" in shown
    assert (told["restoring"], told["admitted"], [lane["codes"] for lane in told["lanes"]]) == (True, None, [0, 0, 3])


async def audited(run: Run, database_url: str, position: int) -> Ended:
    """The audit of a line that called five people and gave one pass, at this position."""
    conn = await asyncpg.connect(database_url)
    await conn.execute("insert into line_ticks values ('drop', 1, 1, now(), array[5], 1, 1, 1, 5)")
    await conn.execute("insert into admissions values ('drop', decode('ab', 'hex'), 'n', 1, 1, 0, $1, now())", position)
    await conn.close()
    return run("line", "audit", "drop", postgres_url=database_url)


async def test_an_audit_says_that_nobody_jumped_the_line(run: Run, applied: str) -> None:
    ended = await audited(run, applied, 4)

    assert (ended.code, ended.out.splitlines()) == (0, ["1 ticks, 1 passes.", "Nobody jumped the line."])


async def test_an_audit_names_who_jumped_and_ends_with_one(run: Run, applied: str) -> None:
    ended = await audited(run, applied, 5)

    assert (ended.code, ended.out.splitlines()[1]) == (
        1,
        "buyer ab had a pass under tick 1 of epoch 1 with place 5 of lane 1, of which 5 were called",
    )
