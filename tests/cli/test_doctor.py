"""`floodgate doctor`: what it finds, and what it advises."""

from pathlib import Path

import pytest

from engine.cli.doctor import check_python, judge_postgres, judge_redis
from engine.cli.findings import Finding, Verdict
from tests.cli.conftest import Run

VALKEY = {
    "server_name": "valkey",
    "valkey_version": "9.1.0",
    "redis_version": "7.2.4",
    "maxmemory_policy": "noeviction",
    "aof_enabled": 1,
}
DURABLE = {"fsync": "on", "synchronous_commit": "on"}


def verdicts(findings: tuple[Finding, ...]) -> dict[str, Verdict]:
    return {finding.subject: finding.verdict for finding in findings}


def verdicts_of(out: str) -> dict[str, str]:
    return {line[5:25].strip(): line[:5].strip() for line in out.splitlines()}


def test_a_ready_machine_passes(run: Run, redis_url: str, database_url: str) -> None:
    ended = run("doctor", redis_url=redis_url, postgres_url=database_url)

    assert ended.code == 0, ended.out
    assert set(verdicts_of(ended.out).values()) <= {"ok", "warn"}


def test_stores_that_are_away_fail_with_advice(run: Run) -> None:
    ended = run("doctor")

    assert ended.code == 1
    found = verdicts_of(ended.out)
    assert (found["redis"], found["postgres"], found["wechat private key"]) == ("fail", "fail", "ok")
    assert "correct redis.url" in ended.out
    assert "hunter2" not in ended.out


def test_a_wechat_pay_that_cannot_be_reached_is_a_warning_with_advice(run: Run) -> None:
    ended = run("doctor")

    assert verdicts_of(ended.out)["wechat 1900000001"] == "warn"
    assert "needs a way out" in ended.out


def test_a_database_without_tables_fails(run: Run, redis_url: str, postgres_url: str) -> None:
    ended = run("doctor", redis_url=redis_url, postgres_url=postgres_url)

    assert ended.code == 1
    assert verdicts_of(ended.out)["postgres schema"] == "fail"
    assert "floodgate migrate" in ended.out


def test_wrong_settings_fail_one_line_each(run: Run) -> None:
    ended = run("doctor", web_port="-1", log_level="loud")

    assert ended.code == 1
    assert [line[5:25].strip() for line in ended.out.splitlines()] == ["python", "config", "config"]


def test_key_files_that_hold_no_keys_fail(run: Run, tmp_path: Path) -> None:
    (tmp_path / "not.pem").write_text("not a key")

    ended = run("doctor", wechat_private_key_file="not.pem", wechat_public_key_file="absent.pem")

    assert "not.pem holds no such RSA key" in ended.out
    assert "absent.pem cannot be read (No such file or directory)" in ended.out


def test_a_public_key_in_place_of_the_private_one_fails(run: Run, settings: dict[str, str]) -> None:
    ended = run("doctor", wechat_private_key_file=settings["FLOODGATE_WECHAT_PUBLIC_KEY_FILE"])

    assert verdicts_of(ended.out)["wechat private key"] == "fail"


def test_an_old_python_fails() -> None:
    assert check_python((3, 10, 9)).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("about", "subject", "verdict"),
    [
        ({}, "redis", Verdict.OK),
        ({"redis_version": "6.2.14"}, "redis", Verdict.FAIL),
        ({"maxmemory_policy": "allkeys-lru"}, "redis memory", Verdict.FAIL),
        ({"aof_enabled": 0}, "redis persistence", Verdict.WARNING),
    ],
)
def test_redis_is_judged_by_what_it_says(about: dict[str, object], subject: str, verdict: Verdict) -> None:
    assert verdicts(judge_redis(VALKEY | about, "redis://h"))[subject] is verdict


def test_redis_itself_names_only_one_version() -> None:
    about = {name: value for name, value in VALKEY.items() if "valkey" not in (name.split("_")[0], value)}

    assert judge_redis(about, "redis://h")[0].text == "redis 7.2.4 at redis://h"


@pytest.mark.parametrize(
    ("major", "applied", "durable", "subject", "verdict"),
    [
        (15, {"1", "2"}, {}, "postgres", Verdict.OK),
        (14, {"1", "2"}, {}, "postgres", Verdict.FAIL),
        (15, {"1"}, {}, "postgres schema", Verdict.FAIL),
        (15, {"1", "2", "3"}, {}, "postgres schema", Verdict.OK),
        (15, {"1", "2"}, {"fsync": "off"}, "postgres durability", Verdict.WARNING),
    ],
)
def test_postgres_is_judged_by_version_schema_and_durability(
    major: int, applied: set[str], durable: dict[str, str], subject: str, verdict: Verdict
) -> None:
    found = judge_postgres(major, "postgresql://h", frozenset(applied), ("1", "2"), DURABLE | durable)

    assert verdicts(found)[subject] is verdict
