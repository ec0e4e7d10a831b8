"""The embedded Redis server: real, durable within a second, and gone when stopped."""

import os
import signal
import time
from pathlib import Path

import psutil
import pytest
import redis
from redis.crc import key_slot

from engine.embedded.child import StartError
from engine.embedded.valkey import SLOTS, ValkeyCluster, ValkeyServer


def test_settings_that_protect_the_stock_are_in_force(own_redis: ValkeyServer) -> None:
    with own_redis.client() as client:
        found = client.config_get("appendonly", "appendfsync", "maxmemory-policy", "save", "aof-timestamp-enabled")
    assert found == {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "save": "",
        "aof-timestamp-enabled": "yes",
    }


def test_what_was_written_a_second_ago_survives_kill_9(own_redis: ValkeyServer) -> None:
    with own_redis.client() as client:
        client.set("unit", "held")
    time.sleep(1.5)
    own_redis.kill()
    assert not own_redis.running
    own_redis.start()
    with own_redis.client() as client:
        assert client.get("unit") == "held"


def test_everything_survives_a_stop(own_redis: ValkeyServer) -> None:
    with own_redis.client() as client:
        client.set("unit", "sold")
    own_redis.restart()
    with own_redis.client() as client:
        assert client.get("unit") == "sold"


def test_the_address_stays_the_same_over_restarts(own_redis: ValkeyServer) -> None:
    before = own_redis.url
    own_redis.restart()
    assert own_redis.url == before


def test_an_end_from_outside_is_seen(own_redis: ValkeyServer) -> None:
    os.kill(own_redis.pid, signal.SIGKILL)
    own_redis.wait_until(lambda: True, timeout_s=1)
    deadline = time.monotonic() + 5
    while own_redis.running and time.monotonic() < deadline:
        time.sleep(0.01)
    assert own_redis.ended_with == -signal.SIGKILL


def test_no_process_is_left_after_a_stop(own_redis: ValkeyServer) -> None:
    pid = own_redis.pid
    own_redis.stop()
    assert not psutil.pid_exists(pid)


def test_it_serves_on_a_unix_socket(server_folder: Path) -> None:
    folder = server_folder / "unix"
    folder.mkdir()
    with ValkeyServer(folder, socket_path=folder / "redis.sock") as server, server.client() as client:
        assert server.url.startswith("unix://")
        assert client.ping() is True


def test_a_socket_path_that_the_system_would_cut_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="100 bytes"):
        ValkeyServer(tmp_path, socket_path=tmp_path / ("x" * 100))


def test_lines_of_the_caller_win(server_folder: Path) -> None:
    with (
        ValkeyServer(server_folder / "lines", lines=["maxclients 77"]) as server,
        server.client() as client,
    ):
        assert client.config_get("maxclients") == {"maxclients": "77"}


def test_a_taken_port_is_explained(own_redis: ValkeyServer, server_folder: Path) -> None:
    second = ValkeyServer(server_folder / "second", port=own_redis.port)
    with pytest.raises(StartError, match=r"(?i)address already in use"):
        second.start()


def test_a_server_program_that_is_missing_is_explained(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="no Redis server can be run"):
        ValkeyServer(tmp_path, binary=tmp_path / "redis-server")


def test_the_cluster_takes_writes_in_all_slots(redis_cluster: ValkeyCluster) -> None:
    key_by_slot: dict[int, str] = {}
    number = 0
    while len(key_by_slot) < SLOTS:
        key_by_slot[key_slot(str(number).encode())] = str(number)
        number += 1
    with redis.RedisCluster.from_url(redis_cluster.url) as client:
        pipeline = client.pipeline()
        for key in key_by_slot.values():
            pipeline.set(key, "1")
        assert all(pipeline.execute())


def test_the_cluster_survives_kill_9_of_all_masters(server_folder: Path) -> None:
    with ValkeyCluster(server_folder / "killed-cluster") as cluster:
        with redis.RedisCluster.from_url(cluster.url) as client:
            client.set("unit", "held")
        time.sleep(1.5)
        cluster.kill()
        cluster.start()
        with redis.RedisCluster.from_url(cluster.url) as client:
            assert client.get("unit") == b"held"
