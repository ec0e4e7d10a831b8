"""The embedded PostgreSQL: durable, healed after kill -9, alone on its data, gone when stopped."""

import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from engine.embedded import postgres
from engine.embedded.child import StartError
from engine.embedded.postgres import PostgresServer
from engine.embedded.reach import can_reach
from engine.embedded.valkey import ValkeyServer
from tests.embedded.conftest import STRANGER


def family(server: PostgresServer) -> list[psutil.Process]:
    postmaster = psutil.Process(server.pid)
    return [postmaster, *postmaster.children(recursive=True)]


def a_row(server: PostgresServer) -> None:
    server.run_sql("CREATE TABLE t AS SELECT 42 AS n")


def test_settings_that_protect_orders_are_in_force(own_postgres: PostgresServer) -> None:
    shown = [own_postgres.run_sql(f"SHOW {name}") for name in ("fsync", "synchronous_commit", "jit")]
    assert shown == ["on", "on", "off"]


def test_a_committed_row_survives_kill_9(own_postgres: PostgresServer) -> None:
    a_row(own_postgres)
    own_postgres.kill()
    own_postgres.start()
    assert own_postgres.run_sql("SELECT n FROM t") == "42"


def test_a_kill_leaves_no_backend_behind(own_postgres: PostgresServer) -> None:
    processes = family(own_postgres)
    assert len(processes) > 2
    own_postgres.kill()
    _, left = psutil.wait_procs(processes, timeout=2)
    assert left == []


def test_it_starts_again_after_only_its_postmaster_was_killed(own_postgres: PostgresServer) -> None:
    a_row(own_postgres)
    os.kill(own_postgres.pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while own_postgres.running and time.monotonic() < deadline:
        time.sleep(0.01)
    own_postgres.start()
    assert own_postgres.run_sql("SELECT n FROM t") == "42"


def test_a_dead_servers_lock_with_a_reused_process_id_does_not_stop_it(own_postgres: PostgresServer) -> None:
    own_postgres.stop()
    (own_postgres.folder / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n")
    own_postgres.start()
    assert own_postgres.run_sql("SELECT 1") == "1"


def test_a_second_server_over_the_same_data_is_refused(
    own_postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "ORPHANS_GRACE_S", 0.2)
    second = PostgresServer(own_postgres.folder)
    with pytest.raises(StartError, match=r"another PostgreSQL server|lock file"):
        second.start()
    assert own_postgres.run_sql("SELECT 1") == "1"


def test_a_restart_keeps_address_and_data(own_postgres: PostgresServer) -> None:
    a_row(own_postgres)
    before = own_postgres.url
    own_postgres.restart()
    assert own_postgres.url == before
    assert own_postgres.run_sql("SELECT n FROM t") == "42"


def test_a_database_copies_its_template(own_postgres: PostgresServer) -> None:
    own_postgres.create_database("copy", template="floodgate")
    own_postgres.drop_database("floodgate")
    found = own_postgres.run_sql("SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1")
    assert found.split() == ["copy", "postgres"]


def test_it_serves_on_a_unix_socket(server_folder: Path) -> None:
    sockets = server_folder / "sockets"
    sockets.mkdir()
    sockets.chmod(0o777)
    server = PostgresServer(server_folder / "postgres-unix", socket_folder=sockets)
    try:
        server.start()
        assert server.run_sql("SELECT inet_server_addr() IS NULL") == "t"
    finally:
        server.remove()


def test_a_socket_folder_that_the_system_would_cut_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="bytes"):
        PostgresServer(tmp_path, socket_folder=tmp_path / ("x" * 100))


def test_the_wheels_programs_run_from_their_copy(open_folder: Path) -> None:
    copy = postgres.reachable_copy(postgres.wheel_package(), version="1", above=open_folder)
    done = subprocess.run(
        [copy / "pginstall18" / "bin" / "initdb", "--version"], capture_output=True, text=True, check=True
    )
    assert "PostgreSQL" in done.stdout
    assert can_reach(STRANGER, copy / "pginstall18" / "bin" / "postgres", wanted=5)
    assert can_reach(STRANGER, copy / "pginstall18" / "share" / "postgresql" / "postgres.bki", wanted=4)


def test_no_process_and_no_file_is_left_after_removal(own_postgres: PostgresServer) -> None:
    processes = family(own_postgres)
    own_postgres.remove()
    _, left = psutil.wait_procs(processes, timeout=2)
    assert left == []
    assert not own_postgres.folder.exists()


def test_both_stores_start_cold_in_a_matter_of_seconds(server_folder: Path) -> None:
    began = time.monotonic()
    ledger = PostgresServer(server_folder / "cold-postgres")
    valkey = ValkeyServer(server_folder / "cold-valkey")
    try:
        valkey.launch()
        ledger.launch()
        valkey.wait_until_ready()
        ledger.wait_until_ready()
        # Half a second on an idle machine; the bound leaves room for a busy one.
        assert time.monotonic() - began < 15
    finally:
        valkey.stop()
        ledger.remove()
