"""`floodgate audit`: the verdict is the exit code."""

import json

from tests.cli.conftest import Run


def test_an_empty_house_passes(run: Run, clean_redis_url: str, database_url: str) -> None:
    ended = run("audit", redis_url=clean_redis_url, postgres_url=database_url)

    assert ended.code == 0, ended.err
    assert "audit passed" in ended.out


def test_the_report_is_json_when_asked(run: Run, clean_redis_url: str, database_url: str) -> None:
    report = json.loads(run("audit", "--json", redis_url=clean_redis_url, postgres_url=database_url).out)

    assert report["verdict"] == "pass"
