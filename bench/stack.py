"""The whole engine for one run of the bench, brought up with the commands that a user has.

Stores from wheels, fresh and durable (fsync on, append-only file on), `floodgate migrate`, `sale apply`,
`simulator`, `work` and `serve`. Everything lives in one folder and ends with the run.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from signal import SIGTERM
from typing import Any, Self
from urllib.request import urlopen

import asyncpg
import orjson

from bench.machine import cores, pin
from bench.sales import SaleSpec, sale_file
from bench.servers import ROOT, START_TIMEOUT_S, STOP_GRACE_S, listens
from engine.embedded import local_config
from engine.embedded.child import Child
from engine.embedded.ports import free_port
from engine.embedded.postgres import PostgresServer
from engine.embedded.valkey import ValkeyServer
from engine.simulator.keys import credentials

# Passes and seals are made before the clock starts and must outlive the longest run.
PASS_S = 3600
CONNECTIONS_ASKED = 4


class Stack:
    """Everything but the web workers, which come and go with `serve`."""

    def __init__(self, folder: Path, sales: Sequence[SaleSpec]) -> None:
        """Whatever an earlier run left in the folder is removed."""
        shutil.rmtree(folder, ignore_errors=True)
        self.folder = folder
        self._sales = tuple(sales)
        self.logs = folder / "logs"
        self.logs.mkdir(parents=True)
        self.valkey = ValkeyServer(folder / "valkey")
        self.postgres = PostgresServer(folder / "postgres")
        # Where PostgreSQL cannot run as us its data lies elsewhere.
        shutil.rmtree(self.postgres.folder, ignore_errors=True)
        self.port = free_port()
        self.simulator_port = free_port()
        self.secrets = local_config.kept_secrets(folder / "none")
        self._children: dict[str, Child] = {}
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("FLOODGATE_")}

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    @property
    def pids(self) -> dict[str, int]:
        stores = {"redis": self.valkey.pid, "postgres": self.postgres.pid}
        return {name: child.pid for name, child in self._children.items()} | stores

    def serve(self, workers: int, *, core: int | None = None) -> None:
        """Have so many web workers that have seen every sale, the first of them bound to `core` when one is given."""
        for number in range(workers):
            name = f"web-{number}"
            if name not in self._children:
                admin_port = free_port()
                self._environment["FLOODGATE_ADMIN_PORT"] = str(admin_port)
                self._start_child(name, "serve", port=admin_port)
                self._children[name].wait_until(self._documents_are_there, timeout_s=START_TIMEOUT_S)
        for name in [name for name in self._children if name.startswith("web-")][workers:]:
            self._children.pop(name).stop(grace_s=STOP_GRACE_S)
        if workers:
            # Also back to all of them: a figure before this one may have bound it.
            pin(self._children["web-0"].pid, cores() if core is None else {core})

    def _documents_are_there(self) -> bool:
        """Whether every worker has seen every line. Who answers a connection is chance, so a few are asked."""
        return all(self._sees(spec.sale_id) for spec in self._sales for _ in range(CONNECTIONS_ASKED))

    def _sees(self, sale: str) -> bool:
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/v1/sales/{sale}/line", timeout=5) as answer:
                return bool(orjson.loads(answer.read())["health"] == "ok")
        except OSError:
            return False

    def commands_run(self) -> int:
        """Commands that Redis has run so far, those inside scripts included, the bench's own left out."""
        return sum(
            int(row["calls"])
            for name, row in self._commandstats().items()
            if not name.startswith(("cmdstat_info", "cmdstat_client", "cmdstat_hello"))
        )

    def scripts(self) -> tuple[int, int]:
        """How many scripts Redis has run so far, and the microseconds it has spent in them."""
        row = self._commandstats().get("cmdstat_evalsha", {"calls": 0, "usec": 0})
        return int(row["calls"]), int(row["usec"])

    def ask_ledger(self, sql: str, *values: object) -> Any:
        """The one value that a query against PostgreSQL answers."""

        async def ask() -> Any:
            connection = await asyncpg.connect(self.postgres.url)
            try:
                return await connection.fetchval(sql, *values)
            finally:
                await connection.close()

        return asyncio.run(ask())

    def list_ledger(self, sql: str, *values: object) -> list[asyncpg.Record]:
        """The rows that a statement against PostgreSQL answers."""

        async def ask() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(self.postgres.url)
            try:
                return await connection.fetch(sql, *values)
            finally:
                await connection.close()

        return asyncio.run(ask())

    def change_ledger(self, sql: str) -> None:
        """Run statements without parameters against PostgreSQL."""

        async def change() -> None:
            connection = await asyncpg.connect(self.postgres.url)
            try:
                await connection.execute(sql)
            finally:
                await connection.close()

        asyncio.run(change())

    def _commandstats(self) -> dict[str, dict[str, Any]]:
        with self.valkey.client() as client:
            return dict(client.info("commandstats"))

    def _start(self) -> None:
        self.valkey.launch()
        self.postgres.launch()
        self.valkey.wait_until_ready()
        self.postgres.wait_until_ready()
        merchant = credentials.ensure(self.folder / "wechat")
        config = self.folder / "floodgate.toml"
        config.write_text(self._config(merchant))
        config.chmod(0o600)
        self._environment["FLOODGATE_CONFIG"] = str(config)
        sales = self.folder / "sales.toml"
        sales.write_text(sale_file(self._sales))
        self._run("migrate")
        self._run("sale", "apply", str(sales))
        home = str(self.folder / "wechat")
        self._start_child(
            "simulator",
            "simulator",
            "--port",
            str(self.simulator_port),
            "--home",
            home,
            port=self.simulator_port,
        )
        admin_port = free_port()
        self._environment["FLOODGATE_ADMIN_PORT"] = str(admin_port)
        self._start_child("jobs", "work", port=admin_port)

    def _stop(self) -> None:
        for child in reversed(self._children.values()):
            child.stop(grace_s=STOP_GRACE_S)
        self.valkey.stop()
        self.postgres.stop()
        for store in (self.valkey.folder, self.postgres.folder):
            shutil.rmtree(store, ignore_errors=True)

    def _command(self, *arguments: str) -> list[str]:
        return [str(Path(sys.executable).with_name("floodgate")), *arguments]

    def _run(self, *arguments: str) -> None:
        done = subprocess.run(
            self._command(*arguments),
            cwd=ROOT,
            env=self._environment,
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"floodgate {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")

    def _start_child(self, name: str, *arguments: str, port: int) -> None:
        child = Child(name=name, log=self.logs / f"{name}.log", farewell=SIGTERM)
        self._children[name] = child
        child.start(self._command(*arguments), folder=ROOT, environment=self._environment)
        child.wait_until(lambda: listens(port), timeout_s=START_TIMEOUT_S)

    def _config(self, merchant: credentials.Credentials) -> str:
        content = local_config.sections(
            secret=self.secrets,
            merchant=merchant,
            redis_url=self.valkey.url,
            postgres_url=self.postgres.url,
            public_host="127.0.0.1",
            public_port=self.port,
            simulator_url=f"http://127.0.0.1:{self.simulator_port}",
            notify_url=f"http://127.0.0.1:{self.port}/wechatpay/notify",
        )
        long_lived = {**content["seals"], "buyer_seal_s": PASS_S}
        # Every buyer of the bench comes from one address.
        crowded = {"address_rate_per_s": 1_000_000, "address_burst_count": 1_000_000}
        # What a merchant may ask of WeChat in a second is not what is measured.
        wealthy = {**content["wechat"], "order_per_s": 100_000}
        changed: local_config.Sections = {
            "seals": long_lived,
            "line": crowded,
            "wechat": wealthy,
            "log": {"level": "warning"},
        }
        return local_config.to_toml({**content, **changed})
