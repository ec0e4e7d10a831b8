"""`floodgate up`: the whole of Floodgate on this machine, in one terminal, until Ctrl-C.

Starts the stores (its own, unless the environment names others), migrates, then starts the WeChat simulator,
the web workers and the jobs, applies the sales, and says where everything listens. Whatever dies is started
again on its data. All it keeps lies below one folder, `home`, and one stack runs there at a time.

Refuses to serve production: its PostgreSQL trusts everybody on the loopback address, and its WeChat is false.
"""

import contextlib
import fcntl
import json
import os
import secrets
import shlex
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from engine.embedded import local_config
from engine.embedded.child import LEASH_GRACE_S, StartError, alive
from engine.embedded.ports import claim, free_ports, port_is_free
from engine.embedded.postgres import PostgresServer
from engine.embedded.program import Program
from engine.embedded.supervisor import StopAsked, Supervisor, Wishes
from engine.embedded.valkey import ValkeyServer
from engine.simulator.keys import credentials

PUBLIC_PORT = 8080
DATABASE = "floodgate"
COMMAND_TIMEOUT_S = 60.0
# Nobody at a terminal wants to wait for idle connections to end by themselves as long as production does.
DRAIN_TIMEOUT_S = 3.0

REDIS_VARIABLE = "FLOODGATE_REDIS_URL"
POSTGRES_VARIABLE = "FLOODGATE_POSTGRES_URL"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where everything listens; kept from one start to the next as far as the ports are still free."""

    public: int
    simulator: int
    redis: int
    postgres: int
    jobs_admin: int
    web_admin: tuple[int, ...]

    @property
    def public_url(self) -> str:
        return f"http://127.0.0.1:{self.public}"

    @property
    def simulator_url(self) -> str:
        return f"http://127.0.0.1:{self.simulator}"


def run_up(
    *,
    home: Path,
    workers: int,
    sale_files: Sequence[Path] = (),
    opens_in_s: float | None = None,
    public_port: int | None = None,
    simulator_options: Sequence[str] = (),
    console: Console | None = None,
) -> int:
    """Run the stack in `home` until SIGINT or SIGTERM; 0 after a clean stop, 1 when it could not start."""
    console = console or Console(highlight=False)
    wishes = Wishes()
    with wishes.heard():
        try:
            with only_stack_in(home / "stack", wishes=wishes) as lock:
                stack = _Stack(home, console=console, wishes=wishes, lock=lock, simulator_options=simulator_options)
                return stack.run(workers=workers, sale_files=sale_files, opens_in_s=opens_in_s, public_port=public_port)
        except StopAsked:
            return 0
        except (StartError, credentials.CredentialsError, OSError) as error:
            _say(console, f"[bold red]floodgate up:[/] {_plain(str(error))}")
            return 1


class _Stack:
    def __init__(
        self, home: Path, *, console: Console, wishes: Wishes, lock: int, simulator_options: Sequence[str]
    ) -> None:
        self.simulator_options = tuple(simulator_options)
        self.home = home.absolute()
        self.folder = self.home / "stack"
        self.logs = self.folder / "logs"
        self.simulator_home = self.folder / "simulator"
        self.console = console
        self.held = (lock,)
        self.supervisor = Supervisor(wishes, self._note)
        self.card: dict[str, object] = {}

    def run(
        self,
        *,
        workers: int,
        sale_files: Sequence[Path],
        opens_in_s: float | None,
        public_port: int | None,
    ) -> int:
        card_file = self.home / "stack.json"
        card_file.unlink(missing_ok=True)
        self.logs.mkdir(exist_ok=True)
        began = time.monotonic()
        try:
            addresses = choose_addresses(self.folder / "ports.json", workers=workers, public_port=public_port)
            self._prepare(addresses)
            for file in sale_files:
                # A mistake in it is found before anything serves.
                self._floodgate("sale", "apply", str(file.absolute()), "--dry-run")
            self._serve(addresses)
            for file in sale_files:
                self._apply(file, opens_in_s=opens_in_s)
            self._write_card()
            self._print_card(took_s=time.monotonic() - began)
            self.supervisor.run(on_change=self._write_card)
        except StopAsked:
            pass
        finally:
            card_file.unlink(missing_ok=True)
            if self.supervisor.busy:
                _say(self.console, "Stopping (Ctrl-C again to stop at once) ...")
                self.supervisor.stop()
                _say(self.console, "Stopped.")
        return 0

    def _prepare(self, addresses: Addresses) -> None:
        """Stores, settings, schema."""
        redis_url, postgres_url = self._start_stores(addresses)
        content = local_config.sections(
            secret=local_config.kept_secrets(self.folder / "floodgate.toml"),
            merchant=credentials.ensure(self.simulator_home),
            redis_url=redis_url,
            postgres_url=postgres_url,
            public_host="127.0.0.1",
            public_port=addresses.public,
            simulator_url=addresses.simulator_url,
            notify_url=f"{addresses.public_url}/wechatpay/notify",
        )
        config = self.folder / "floodgate.toml"
        local_config.write_private(config, local_config.to_toml(content))
        self.environment = {
            "FLOODGATE_WEB_DRAIN_TIMEOUT_S": f"{DRAIN_TIMEOUT_S:g}",
            **local_config.environment_without(content, os.environ),
            "FLOODGATE_CONFIG": str(config),
            "PYTHONUNBUFFERED": "1",
        }
        self._floodgate("migrate")
        self.card = {
            "public_url": addresses.public_url,
            "admin_urls": [f"http://127.0.0.1:{port}" for port in addresses.web_admin],
            "jobs_admin_url": f"http://127.0.0.1:{addresses.jobs_admin}",
            "simulator_url": addresses.simulator_url,
            "redis_url": redis_url,
            "postgres_url": postgres_url,
            "config": str(config),
            "admin_key": content["admin"]["key"],
        }

    def _serve(self, addresses: Addresses) -> None:
        self.supervisor.start(
            self._program(
                "simulator",
                (
                    *simulator_command(),
                    *("--port", str(addresses.simulator), "--home", str(self.simulator_home)),
                    *self.simulator_options,
                ),
                ready_url=f"{addresses.simulator_url}/livez",
            )
        )
        webs = [
            self._engine_program(f"web-{index + 1}", "serve", "--index", str(index), admin_port=port)
            for index, port in enumerate(addresses.web_admin)
        ]
        self.supervisor.start(*webs, self._engine_program("jobs", "work", admin_port=addresses.jobs_admin))

    def _start_stores(self, addresses: Addresses) -> tuple[str, str]:
        """Start the stores that the environment does not name; return both addresses."""
        redis_url = os.environ.get(REDIS_VARIABLE)
        postgres_url = os.environ.get(POSTGRES_VARIABLE)
        valkey = postgres = None
        if not redis_url:
            valkey = ValkeyServer(
                self.folder / "valkey",
                port=addresses.redis,
                log=self.logs / "valkey.log",
                held=self.held,
            )
            redis_url = valkey.url
        if not postgres_url:
            postgres = PostgresServer(
                self.folder / "postgres",
                port=addresses.postgres,
                log=self.logs / "postgres.log",
                held=self.held,
            )
            bind_to_stack(postgres.folder, stack=self.folder)
            postgres_url = postgres.url_of(DATABASE)
        self.supervisor.start(*(server for server in (valkey, postgres) if server is not None))
        return redis_url, postgres_url

    def _engine_program(self, name: str, *words: str, admin_port: int) -> Program:
        return self._program(
            name,
            (*floodgate_command(), *words),
            ready_url=f"http://127.0.0.1:{admin_port}/readyz",
            environment={"FLOODGATE_ADMIN_PORT": str(admin_port)},
        )

    def _program(
        self,
        name: str,
        command: Sequence[str],
        *,
        ready_url: str,
        environment: Mapping[str, str] | None = None,
    ) -> Program:
        return Program(
            command,
            name=name,
            log=self.logs / f"{name}.log",
            folder=Path.cwd(),
            environment={**self.environment, **(environment or {})},
            ready_url=ready_url,
            held=self.held,
        )

    def _floodgate(self, *words: str) -> str:
        return self.supervisor.complete(
            (*floodgate_command(), *words),
            folder=str(Path.cwd()),
            environment=self.environment,
            timeout_s=COMMAND_TIMEOUT_S,
        )

    def _apply(self, file: Path, *, opens_in_s: float | None) -> None:
        opening = () if opens_in_s is None else ("--opens-in", f"{opens_in_s:g}")
        printed = self._floodgate("sale", "apply", str(file.absolute()), *opening)
        _say(self.console, _plain(printed))

    def _write_card(self) -> None:
        card = {
            **self.card,
            "pids": {server.name: server.pid for server in self.supervisor.servers},
            "restarts": self.supervisor.restarts,
            "supervisor_pid": os.getpid(),
        }
        local_config.write_private(self.home / "stack.json", json.dumps(card, indent=2) + "\n")

    def _print_card(self, *, took_s: float) -> None:
        table = Table(title=f"Floodgate is up ({took_s:.1f} s)", title_justify="left", show_header=False)
        table.add_column(style="bold")
        table.add_column(overflow="fold")
        rows = {
            "buyers": self.card["public_url"],
            "operators": self.card["admin_urls"],
            "jobs": self.card["jobs_admin_url"],
            "WeChat simulator": self.card["simulator_url"],
            "Redis": self.card["redis_url"],
            "PostgreSQL": self.card["postgres_url"],
            "settings": self.card["config"],
            "logs": str(self.logs),
        }
        for name, shown in rows.items():
            lines = shown if isinstance(shown, list) else [shown]
            table.add_row(name, _plain("\n".join(map(without_password, map(str, lines)))))
        _say(self.console, table)
        _say(self.console, "In another terminal, before any other command, to talk to this stack:")
        _say(self.console, f"  export {_plain(self._exported())}")
        _say(self.console, "Ctrl-C stops everything.")

    def _exported(self) -> str:
        """What a shell needs for `floodgate WORDS` to mean this stack."""
        config = f"FLOODGATE_CONFIG={shlex.quote(str(self.card['config']))}"
        folder = Path(sys.executable).parent
        if shutil.which("floodgate") is not None or not (folder / "floodgate").exists():
            return config
        return f'{config} PATH={shlex.quote(str(folder))}:"$PATH"'

    def _note(self, sentence: str) -> None:
        """An event of the supervisor: to the terminal, and with its time to a log of its own."""
        _say(self.console, f"[yellow]{_plain(sentence)}[/]")
        with (self.logs / "up.log").open("a") as log:
            log.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {sentence}\n")


@contextlib.contextmanager
def only_stack_in(folder: Path, *, wishes: Wishes) -> Iterator[int]:
    """Hold the lock of `folder`, and give its descriptor.

    The leashes inherit it: after a sudden end of ours it stays locked until the last process has stopped.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        until = time.monotonic() + LEASH_GRACE_S + 5
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                holder = os.pread(lock, 20, 0).decode().strip()
                if not holder or alive(int(holder)) or time.monotonic() > until:
                    whose = f"process {holder or 'unknown'}"
                    raise StartError(f"a stack runs in {folder.parent} ({whose}): stop it first") from None
            wishes.check()
            time.sleep(0.1)
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        yield lock
    finally:
        os.close(lock)


def floodgate_command() -> tuple[str, ...]:
    """How to run `floodgate` with this very Python: the script beside it where there is one."""
    script = Path(sys.executable).with_name("floodgate")
    if script.exists():
        return (str(script),)
    return (sys.executable, "-c", "from engine.cli import main; main()")


def simulator_command() -> tuple[str, ...]:
    return (sys.executable, "-m", "engine.simulator")


def choose_addresses(kept: Path, *, workers: int, public_port: int | None) -> Addresses:
    """Ports for everything: the wished public port or StartError, for the rest the former ones where free.

    Each is ours from now on, though its server listens only later: workers share the public port, so two stacks that
    start at the same moment would share it, too, and each would get half of the other's buyers.
    """
    if public_port is not None:
        if not port_is_free(public_port):
            raise StartError(f"port {public_port} is taken by another program: choose another one with --port")
        claim(public_port)  # perhaps promised to whoever starts us, and told us to use it
    names = ["simulator", "redis", "postgres", "jobs_admin", *(f"web_admin_{n}" for n in range(workers))]
    former: dict[str, int] = {}
    with contextlib.suppress(OSError, ValueError):
        former = json.loads(kept.read_text())
    if public_port is None:
        names.insert(0, "public")
        former = {**former, "public": PUBLIC_PORT}
    fresh = free_ports()
    taken = {public_port} if public_port is not None else set()
    chosen: dict[str, int] = {}
    for name in names:
        port = former.get(name, 0)
        while not port or port in taken or not claim(port):
            port = next(fresh)
        chosen[name] = port
        taken.add(port)
    local_config.write_private(kept, json.dumps(former | chosen))
    return Addresses(
        public=public_port if public_port is not None else chosen["public"],
        simulator=chosen["simulator"],
        redis=chosen["redis"],
        postgres=chosen["postgres"],
        jobs_admin=chosen["jobs_admin"],
        web_admin=tuple(chosen[f"web_admin_{n}"] for n in range(workers)),
    )


def bind_to_stack(folder: Path, *, stack: Path) -> None:
    """Tie a data folder that may lie elsewhere to its stack: data left by a removed stack is deleted.

    Otherwise new secrets would meet old rows that nobody can decrypt any more.
    """
    mark = stack / "stack_id"
    if not mark.exists():
        local_config.write_private(mark, secrets.token_hex(16))
    stack_id = mark.read_text()
    tied = folder / "stack_id"
    if folder.exists() and (not tied.exists() or tied.read_text() != stack_id):
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    tied.write_text(stack_id)


def without_password(url: str) -> str:
    scheme, mark, rest = url.rpartition("://")
    login, at, place = rest.rpartition("@")
    user, colon, _ = login.partition(":")
    return f"{scheme}{mark}{user}{colon and ':***'}{at}{place}"


def _plain(text: str) -> str:
    """Text that rich prints as it is."""
    return text.replace("[", r"\[")


def _say(console: Console, shown: str | Table) -> None:
    # The terminal may be gone while processes are still to be stopped.
    with contextlib.suppress(OSError):
        # A sentence is wrapped by the terminal, if at all, so that paths in it can be copied.
        console.print(shown, soft_wrap=isinstance(shown, str))
