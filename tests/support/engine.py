"""A whole engine of real processes for a test: web workers, the jobs and the WeChat simulator.

The stores are the caller's: any Redis URL, any migrated PostgreSQL database. Each process is a `Program`, so that a
test can `kill()`, `stop()` or `start()` one of them alone. Nothing runs on after `stop()`, nor after our own end.

It refuses to fake anything: settings go through a real floodgate.toml, sales through `floodgate sale apply`.
"""

import json
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from engine.config import Config, load_config
from engine.embedded import local_config
from engine.embedded.ports import free_ports
from engine.embedded.program import Program, answers_ok
from engine.embedded.stack import floodgate_command, simulator_command
from engine.simulator.keys import credentials
from tests.support.buyer import Crowd

COMMAND_TIMEOUT_S = 60.0
READY_TIMEOUT_S = 40.0
# A test's engine leaves as soon as it may, unless the test is about leaving.
BRISK = {"WEB_DRAIN_NOTICE_S": "0.1", "WEB_DRAIN_TIMEOUT_S": "2"}


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


def get_json(url: str, *, bearer: str | None = None) -> dict[str, Any]:
    """GET of an http address on this machine; {} when nobody answers or the answer is not 200."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = HTTPConnection(parts.hostname, parts.port, timeout=5.0)
    try:
        connection.request("GET", parts.path, headers={"Authorization": f"Bearer {bearer}"} if bearer else {})
        answer = connection.getresponse()
        raw = answer.read()
    except (OSError, HTTPException):
        return {}
    finally:
        connection.close()
    found = json.loads(raw) if answer.status == 200 else {}
    assert isinstance(found, dict)
    return found


def sale_text(
    *,
    sale_id: str,
    capacities: Mapping[str, int],
    per_order_max: int = 4,
    per_buyer_max: int = 6,
    hold_s: int = 600,
    line_rate: int = 100_000,
    price_fen: int = 100,
    closes_at: str = "2027-03-02T12:00:00",
) -> str:
    """A sale file: one session whose SKUs are named `{sale_id}-{name}`, as large as told."""
    skus = "".join(
        f"""
[[events.sessions.skus]]
id = "{sale_id}-{name}"
title = "{name}"
price_fen = {price_fen}
capacity = {capacity}
per_order_max = {per_order_max}
"""
        for name, capacity in capacities.items()
    )
    return f"""
time_zone = "Asia/Shanghai"
[[events]]
id = "{sale_id}-event"
title = "Event"
[[events.sessions]]
id = "{sale_id}-evening"
title = "Evening"
venue = "Hall"
starts_at = 2027-06-12T19:30:00
{skus}
[[sales]]
id = "{sale_id}"
title = "Sale"
skus = {json.dumps([f"{sale_id}-{name}" for name in capacities])}
lane = "public"
opens_at = 2027-03-01T12:00:00
closes_at = {closes_at}
hold_s = {hold_s}
per_buyer_max = {per_buyer_max}
line_rate = {line_rate}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Where the engine keeps everything; the database is migrated."""

    redis_url: str
    postgres_url: str


@dataclass(frozen=True, slots=True)
class OnSale:
    """A sale that was applied, and the ids of its SKUs in order."""

    sale_id: str
    skus: tuple[str, ...]


class Engine:
    """Processes by name: `workers[0]`, `workers[1]`, `jobs`, `simulator`.

    `settings` are variables without their prefix, as {"WEB_BODY_TIMEOUT_S": "1"}; `merchant_home` is a folder with
    ready credentials, because making keys is slow.
    """

    def __init__(
        self,
        folder: Path,
        stores: Stores,
        *,
        workers: int = 1,
        settings: Mapping[str, str] | None = None,
        merchant_home: Path | None = None,
    ) -> None:
        self.folder = folder
        self.stores = stores
        ports = free_ports()
        self.public_url = f"http://127.0.0.1:{next(ports)}"
        self.simulator_url = f"http://127.0.0.1:{next(ports)}"
        self.admin_urls = [f"http://127.0.0.1:{next(ports)}" for _ in range(workers)]
        self.jobs_admin_url = f"http://127.0.0.1:{next(ports)}"
        home = folder / "simulator"
        if merchant_home is not None:
            shutil.copytree(merchant_home, home)
        content = local_config.sections(
            secret=local_config.kept_secrets(folder / "floodgate.toml"),
            merchant=credentials.ensure(home),
            redis_url=stores.redis_url,
            postgres_url=stores.postgres_url,
            public_host="127.0.0.1",
            public_port=port_of(self.public_url),
            simulator_url=self.simulator_url,
            notify_url=f"{self.public_url}/wechatpay/notify",
        )
        self.config_file = folder / "floodgate.toml"
        local_config.write_private(self.config_file, local_config.to_toml(content))
        ours = {name: text for name, text in os.environ.items() if not name.startswith("FLOODGATE_")}
        self._environment = {
            **ours,
            "FLOODGATE_CONFIG": str(self.config_file),
            "PYTHONUNBUFFERED": "1",
            **{f"FLOODGATE_{name}": text for name, text in {**BRISK, **(settings or {})}.items()},
        }
        self.simulator = self._program(
            "simulator",
            (*simulator_command(), "--port", str(port_of(self.simulator_url)), "--home", str(home)),
            ready_url=f"{self.simulator_url}/livez",
        )
        self.workers = [
            self._program(
                f"web-{index}",
                (*floodgate_command(), "serve", "--index", str(index)),
                ready_url=f"{admin_url}/readyz",
                admin_port=port_of(admin_url),
            )
            for index, admin_url in enumerate(self.admin_urls)
        ]
        self.jobs = self._program(
            "jobs",
            (*floodgate_command(), "work"),
            ready_url=f"{self.jobs_admin_url}/readyz",
            admin_port=port_of(self.jobs_admin_url),
        )

    @property
    def admin_url(self) -> str:
        """The admin listener of the first worker."""
        return self.admin_urls[0]

    @property
    def config(self) -> Config:
        """The settings the processes run with."""
        return load_config(self.config_file, self._environment)

    @property
    def admin_key(self) -> str:
        return self.config.admin.key.get_secret_value()

    @property
    def processes(self) -> tuple[Program, ...]:
        return (self.simulator, *self.workers, self.jobs)

    def start(self) -> None:
        """Launch everything side by side and wait until all of it is ready."""
        for process in self.processes:
            process.launch()
        for process in self.processes:
            process.wait_until_ready()

    def stop(self) -> None:
        """End everything, politely first, in the order in which nobody misses what is gone."""
        with ExitStack() as ends:
            for process in self.processes:  # left in reverse: jobs and workers before the simulator
                ends.callback(process.stop)
            for process in (self.jobs, *self.workers):
                process.say_farewell()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def floodgate(self, *words: str | Path, code: int = 0) -> str:
        """Run one of the engine's commands with these settings; what it printed. AssertionError on another code."""
        done = subprocess.run(
            [*floodgate_command(), *map(str, words)],
            env={**self._environment, "COLUMNS": "200"},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
        assert done.returncode == code, f"floodgate {words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def sell(
        self, capacities: Mapping[str, int], *, sale_id: str | None = None, opens_in_s: float = 0.0, **rules: Any
    ) -> OnSale:
        """Apply a sale (see `sale_text` for its rules). Other tests' sales in the same stores are not disturbed."""
        sale_id = sale_id or f"sale-{secrets.token_hex(4)}"
        file = self.folder / f"{sale_id}.toml"
        file.write_text(sale_text(sale_id=sale_id, capacities=capacities, **rules))
        self.floodgate("sale", "apply", file, "--opens-in", f"{opens_in_s:g}")
        return OnSale(sale_id, tuple(f"{sale_id}-{name}" for name in capacities))

    def audit(self) -> dict[str, Any]:
        """`floodgate audit --json` as it stands; AssertionError unless it passes."""
        report = json.loads(self.floodgate("audit", "--json"))
        assert isinstance(report, dict)
        return report

    def crowd(self) -> Crowd:
        """Buyers of this engine: `async with engine.crowd() as crowd`."""
        return Crowd(self.public_url, self.simulator_url)

    def wait_until_live(self, sale_id: str) -> None:
        """Wait until every worker knows the sale and sells it, as its admin listener tells."""
        until = time.monotonic() + READY_TIMEOUT_S
        for admin_url in self.admin_urls:
            while not self._sells(admin_url, sale_id):
                assert time.monotonic() < until, f"{admin_url} does not sell {sale_id}"
                time.sleep(0.05)

    def _sells(self, admin_url: str, sale_id: str) -> bool:
        return (
            answers_ok(f"{admin_url}/readyz") and self.admin_sale(sale_id, admin_url=admin_url).get("phase") == "live"
        )

    def admin_sale(self, sale_id: str, *, admin_url: str | None = None) -> dict[str, Any]:
        """GET /admin/v1/sales/{sale}: stock, line and orders as the stores have them now."""
        return get_json(f"{admin_url or self.admin_url}/admin/v1/sales/{sale_id}", bearer=self.admin_key)

    def ledger(self) -> list[dict[str, Any]]:
        """Every order that WeChat knows."""
        orders = get_json(f"{self.simulator_url}/_admin/ledger")["orders"]
        assert isinstance(orders, list)
        return orders

    def _program(self, name: str, command: Sequence[str], *, ready_url: str, admin_port: int | None = None) -> Program:
        own = {} if admin_port is None else {"FLOODGATE_ADMIN_PORT": str(admin_port)}
        return Program(
            command,
            name=name,
            log=self.folder / f"{name}.log",
            folder=self.folder,
            environment={**self._environment, **own},
            ready_url=ready_url,
        )
