"""Locust as a person runs it, in real processes against a real engine: a master with its web UI and two workers, and a
wrong target."""

import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine.embedded.ports import free_ports
from loadtest.crowd.journal import Journal
from loadtest.crowd.protocol import Shop
from loadtest.crowd.testimony import absorb
from loadtest.locusts import handing
from loadtest.locusts.handing import Handed
from loadtest.wires.greenlets import GreenletWire
from tests.conftest import ROOT
from tests.support.engine import Engine, OnSale, Stores, get_json

STORY = Path(__file__).parent / "story.toml"
TICKETS = 20
RUN_MAX_S = 60.0
STAYS_S = 3
"""The web UI, after the end."""


def locust(*words: object, stack: Path) -> subprocess.Popen[str]:
    environment = {name: text for name, text in os.environ.items() if not name.startswith(("FLOODGATE_", "LOCUST_"))}
    return subprocess.Popen(
        [sys.executable, "-m", "loadtest.locusts", *map(str, words)],
        cwd=ROOT,
        env={**environment, "FLOODGATE_STACK": str(stack)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ends(processes: Sequence[subprocess.Popen[str]]) -> list[tuple[int, str]]:
    """The exit code of each, and what it printed; none is left running."""
    try:
        said = [process.communicate(timeout=RUN_MAX_S)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [(process.returncode, text) for process, text in zip(processes, said, strict=True)]


@dataclass(frozen=True)
class Run:
    """What a distributed run left behind."""

    ends: list[tuple[int, str]]
    handed: Handed
    journals: list[Journal]
    audit: dict[str, Any]
    seen: dict[str, str]
    """Pages of the web UI at the end of the test, before it closed."""


def pages_at_the_end(web_url: str) -> dict[str, str]:
    """What the web UI shows once the test is summed up; it stays open for a moment then."""
    until = time.monotonic() + RUN_MAX_S
    while not get_json(f"{web_url}/floodgate/live").get("summary"):
        assert time.monotonic() < until, "the web UI never showed an end"
        time.sleep(0.1)
    paths = ("/", "/floodgate", "/floodgate/live", "/stats/requests")
    return {path: urllib.request.urlopen(f"{web_url}{path}").read().decode() for path in paths}


def play(engine: Engine, sale: OnSale, folder: Path) -> Run:
    ports = free_ports()
    port, web_port = next(ports), next(ports)
    target = ("--host", engine.public_url, "--wechat", engine.simulator_url, "--admin", engine.admin_url)
    common = ("--arrivals", "open", "--only-summary")
    master = locust(
        *common, *target, "--master", "--master-bind-port", port, "--expect-workers", 2,
        "--admin-key", engine.admin_key, "--story-file", STORY, "--sale", sale.sale_id, "--record-to", folder / "kept",
        "--web-host", "127.0.0.1", "--web-port", web_port, "--autostart", "--autoquit", STAYS_S,
        stack=folder / "none.json",
    )  # fmt: skip
    workers = [
        locust(*common, "--headless", "--worker", "--master-port", port, stack=folder / "none.json") for _ in range(2)
    ]
    try:
        seen = pages_at_the_end(f"http://127.0.0.1:{web_port}")
    except BaseException:
        for process in (master, *workers):
            process.kill()
        raise
    ended = ends([master, *workers])
    handed = handing.read(folder / "kept")
    shop = Shop.at(public_url=engine.public_url, wechat_url=engine.simulator_url, sale=sale.sale_id)
    wire = GreenletWire(dice=random.Random(1), observer=lambda *_: None)
    journals = [Journal(buyer_count=0) for _ in handed.testimonies]
    for journal, testimony in zip(journals, handed.testimonies, strict=True):
        absorb(journal, testimony, wire=wire, shop=shop)
    return Run(ended, handed, journals, engine.audit(), seen)


@pytest.fixture(scope="module")
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One run for all tests of this file."""
    folder = tmp_path_factory.mktemp("locusts")
    redis_url: str = request.getfixturevalue("redis_url")
    database_url: str = request.getfixturevalue("module_database_url")
    with Engine(folder, Stores(redis_url=redis_url, postgres_url=database_url)) as engine:
        sale = engine.sell({"floor": TICKETS}, hold_s=4, per_buyer_max=4)
        engine.wait_until_live(sale.sale_id)
        return play(engine, sale, folder)


def test_a_master_and_two_workers_end_well(run: Run) -> None:
    assert [code for code, _ in run.ends] == [0, 0, 0], run.ends


def test_every_worker_carries_its_own_people(run: Run) -> None:
    first, second = (set(journal.places) for journal in run.journals)
    assert first
    assert second
    assert not first & second


def test_nobody_of_the_curve_was_missed(run: Run) -> None:
    came = sum(len(journal.arrival_lag_s) for journal in run.journals)
    assert (run.handed.record.begun, run.handed.record.missed) == (came, 0)


def test_what_the_buyers_were_told_is_what_the_ledger_has(run: Run) -> None:
    paid = [told for journal in run.journals for told in journal.told.values() if told.state == "paid"]
    assert sum(quantity for told in paid for _, quantity in told.units) == run.audit["sold_units"] > 0


def test_latencies_of_both_workers_are_in_one_histogram(run: Run) -> None:
    held = sum(
        count for (kind, outcome), count in run.handed.record.outcomes().items() if (kind, outcome) == ("order", "201")
    )
    assert run.handed.record.totals["orders"].get_total_count() == held


def test_no_promise_was_seen_broken(run: Run) -> None:
    assert [dict(journal.complaints) for journal in run.journals] == [{}, {}]


def test_the_live_view_ends_with_the_numbers_of_the_books(run: Run) -> None:
    live = json.loads(run.seen["/floodgate/live"])
    held = run.handed.record.outcomes()["order", "201"]
    assert {one["kind"]: one["total"] for one in live["goodput"]}["orders"] == held
    assert (live["people"]["came"], live["well"]) == (run.handed.record.begun, True)


def test_the_live_view_shows_every_unit_of_the_stock(run: Run) -> None:
    ((free, held, sold),) = (
        (row["free"], row["held"], row["sold"]) for row in json.loads(run.seen["/floodgate/live"])["stock"]
    )
    assert free + held + sold == TICKETS


def test_locusts_own_page_has_a_tab_with_goodput_by_kind(run: Run) -> None:
    (table,) = json.loads(run.seen["/stats/requests"])["extended_stats"]
    assert [row["kind"].split()[0] for row in table["data"]] == [
        "Joins", "Polls", "Passes", "Orders", "Refusals", "Checkouts", "Payments"
    ]  # fmt: skip
    assert "/floodgate/live.js" in run.seen["/"]


def test_the_view_stands_alone_on_a_page_of_its_own(run: Run) -> None:
    assert '<section id="floodgate">' in run.seen["/floodgate"]


class Stranger:
    """A server that is not Floodgate; it counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection:
                self.asked.append(connection.recv(65_536).split(b"\r\n")[0])
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")

    def close(self) -> None:
        self._listening.close()


def test_a_target_that_is_not_floodgate_is_asked_once_and_refused(tmp_path: Path) -> None:
    stranger = Stranger()
    words = ("--headless", "-u", 5, "-t", "5s", "--host", stranger.url, "--wechat", stranger.url)

    ((code, said),) = ends([locust(*words, stack=tmp_path / "none.json")])
    stranger.close()

    assert (code, stranger.asked) == (2, [b"GET /openapi.json HTTP/1.1"]), said
    assert "is not Floodgate" in said
