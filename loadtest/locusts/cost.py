"""What a request costs the generator, on each engine: `python -m loadtest.locusts.cost`.

CPU of the generator's process for one POST that the yardstick echoes, sixty-four at a time; median of five, each engine
in a process of its own, in turns, so that a wavering machine hits all of them.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

import gevent
import orjson
import uvloop
from yarl import URL

from loadtest.wires.greenlets import GreenletWire, finish
from loadtest.wires.loop import LoopWire

ENGINES = ("loop", "uvloop", "greenlets", "fasthttp")
WORDS = {
    "loop": "our wire on asyncio",
    "uvloop": "our wire on uvloop (the lab's open loop)",
    "greenlets": "our wire on gevent (Locust)",
    "fasthttp": "Locust's FastHttpSession",
}
AT_ONCE = 64
WARM = 20
REQUESTS = 6_400
REPEATS = 5
START_MAX_S = 20.0
BODY = b'{"items":[{"sku":"sat-floor","quantity":2}]}'
HEADERS = {"Authorization": "Bearer " + "s" * 90, "X-Forwarded-For": "10.1.2.3", "Floodgate-Pass": "p" * 120}


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m loadtest.locusts.cost")
    arguments.add_argument("--engine", choices=ENGINES, help=argparse.SUPPRESS)
    arguments.add_argument("--port", type=int, help=argparse.SUPPRESS)
    asked = arguments.parse_args()
    if asked.engine is None:
        _compare()
    else:
        print(_measured(asked.engine, f"http://127.0.0.1:{asked.port}/echo"))


def _compare() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    echo = subprocess.Popen([sys.executable, "-m", "bench.yardsticks.echo", "--port", str(port)])  # noqa: S603
    try:
        _wait_for(port)
        found: dict[str, list[float]] = {engine: [] for engine in ENGINES}
        for _ in range(REPEATS):
            for engine in ENGINES:
                command = [sys.executable, "-m", "loadtest.locusts.cost", "--engine", engine, "--port", str(port)]
                found[engine].append(float(subprocess.check_output(command)))  # noqa: S603
    finally:
        echo.terminate()
        echo.wait()
    for engine, costs in found.items():
        spread = f"{min(costs):.0f} to {max(costs):.0f}"
        print(f"{WORDS[engine]:<44} {statistics.median(costs):6.1f} µs a request   ({spread})")


def _wait_for(port: int) -> None:
    until = time.monotonic() + START_MAX_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return


def _measured(engine: str, url: str) -> float:
    """CPU microseconds of this process for one request."""
    match engine:
        case "loop":
            return asyncio.run(_on_asyncio(url))
        case "uvloop":
            return uvloop.run(_on_asyncio(url))
        case "greenlets":
            return _on_gevent(_over_the_wire(url))
        case _:
            return _on_gevent(_over_fasthttp(url))


async def _on_asyncio(url: str) -> float:
    address = URL(url)
    async with LoopWire(dice=random.Random(1), observer=lambda *_: None) as wire:

        async def ask(count: int) -> None:
            for _ in range(count):
                await wire.ask("order", "POST", address, headers=HEADERS, body=BODY)

        async def all_at_once(count: int) -> None:
            works: list[Coroutine[Any, Any, None]] = [ask(count) for _ in range(AT_ONCE)]
            await asyncio.gather(*works)

        await all_at_once(WARM)
        began = time.process_time()
        await all_at_once(REQUESTS // AT_ONCE)
        return (time.process_time() - began) / REQUESTS * 1e6


def _on_gevent(ask: Callable[[], object]) -> float:
    def some(count: int) -> None:
        for _ in range(count):
            ask()

    def all_at_once(count: int) -> None:
        gevent.joinall([gevent.spawn(some, count) for _ in range(AT_ONCE)], raise_error=True)

    all_at_once(WARM)
    began = time.process_time()
    all_at_once(REQUESTS // AT_ONCE)
    return (time.process_time() - began) / REQUESTS * 1e6


def _over_the_wire(url: str) -> Callable[[], object]:
    wire, address = GreenletWire(dice=random.Random(1), observer=lambda *_: None), URL(url)
    return lambda: finish(wire.ask("order", "POST", address, headers=HEADERS, body=BODY))


def _over_fasthttp(url: str) -> Callable[[], object]:
    # Locust makes the standard library cooperative when it is imported, so only this process imports it.
    from geventhttpclient.client import HTTPClientPool  # noqa: PLC0415
    from locust.contrib.fasthttp import FastHttpSession  # noqa: PLC0415
    from locust.event import EventHook  # noqa: PLC0415

    pool = HTTPClientPool(concurrency=AT_ONCE, network_timeout=8)
    session = FastHttpSession(url, EventHook(), None, client_pool=pool)  # type: ignore[no-untyped-call]
    headers = {**HEADERS, "Content-Type": "application/json"}

    def ask() -> object:
        with session.request(
            "POST", url, name="order", data=BODY.decode(), headers=headers, catch_response=True
        ) as answer:
            document = orjson.loads(answer.content)
            answer.success()
            return document

    return ask


if __name__ == "__main__":
    main()
