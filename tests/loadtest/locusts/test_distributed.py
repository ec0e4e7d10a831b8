"""Locust as a person runs it, in real processes against a real engine: a master and two workers, and a wrong target."""

import os
import random
import socket
import subprocess
import sys
import threading
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
from tests.support.engine import Engine, OnSale, Stores

STORY = Path(__file__).parent / "story.toml"
TICKETS = 20
RUN_MAX_S = 60.0


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


def play(engine: Engine, sale: OnSale, folder: Path) -> Run:
    port = next(iter(free_ports()))
    target = ("--host", engine.public_url, "--wechat", engine.simulator_url)
    common = ("--headless", "--arrivals", "open", "--only-summary")
    master = locust(
        *common, *target, "--master", "--master-bind-port", port, "--expect-workers", 2,
        "--story-file", STORY, "--sale", sale.sale_id, "--record-to", folder / "kept",
        stack=folder / "none.json",
    )  # fmt: skip
    workers = [locust(*common, "--worker", "--master-port", port, stack=folder / "none.json") for _ in range(2)]
    ended = ends([master, *workers])
    handed = handing.read(folder / "kept")
    shop = Shop.at(public_url=engine.public_url, wechat_url=engine.simulator_url, sale=sale.sale_id)
    wire = GreenletWire(dice=random.Random(1), observer=lambda *_: None)
    journals = [Journal(buyer_count=0) for _ in handed.testimonies]
    for journal, testimony in zip(journals, handed.testimonies, strict=True):
        absorb(journal, testimony, wire=wire, shop=shop)
    return Run(ended, handed, journals, engine.audit())


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
