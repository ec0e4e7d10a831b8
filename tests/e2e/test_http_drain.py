"""A worker leaves while people order: no connection breaks, no request fails, whatever it had to do is done."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import pytest

from engine.embedded.program import Program
from tests.support.buyer import Buyer, Crowd
from tests.support.engine import Engine, OnSale, Stores

STEADY_S = 1.0
AFTER_S = 1.5
DRAIN_TIMEOUT_S = 5.0
KEEPING_COUNT = 16
FRESH_COUNT = 16


@pytest.fixture
def engine(clean_redis_url: str, database_url: str, tmp_path: Path) -> Iterator[Engine]:
    """Two workers on one port."""
    stores = Stores(redis_url=clean_redis_url, postgres_url=database_url)
    settings = {"WEB_DRAIN_NOTICE_S": "1", "WEB_DRAIN_TIMEOUT_S": str(DRAIN_TIMEOUT_S)}
    with Engine(tmp_path, stores, workers=2, settings=settings) as engine:
        yield engine


@dataclass(slots=True)
class Tally:
    """What came of all requests."""

    answers: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


async def ask_raw(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> tuple[int, bool]:
    """The status, and whether the server keeps the connection. Raises OSError or EOFError when no answer comes."""
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
    await reader.readexactly(int(fields.get(b"Content-Length", b"0")))
    return int(head.split(b" ", 2)[1]), fields.get(b"Connection") != b"close"


async def send_steadily(url: str, requests: list[bytes], tally: Tally, stop: asyncio.Event, *, keep: bool) -> None:
    """Request after request, on one connection for as long as the server keeps it, or on a fresh one each."""
    parts = urlsplit(url)
    upcoming = itertools.cycle(requests)
    while not stop.is_set():
        try:
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        except OSError as error:
            tally.failures.append(f"connecting: {error!r}")
            continue
        try:
            kept = True
            while kept and not stop.is_set():
                status, kept = await ask_raw(reader, writer, next(upcoming))
                tally.answers[status] += 1
                kept = kept and keep
        except (OSError, EOFError) as error:
            tally.failures.append(f"{'kept' if keep else 'fresh'} connection: {error!r}")
        finally:
            writer.close()


def requests_of(buyer: Buyer, sale: OnSale) -> list[bytes]:
    """A poll of the line and two orders, as bytes: a possible one, and one over the buyer's limit."""
    body = orjson.dumps({"items": [{"sku": sale.skus[0], "quantity": 1}]})
    order = (
        f"POST /v1/sales/{sale.sale_id}/orders HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {buyer.seal}\r\n"
        f"Floodgate-Pass: {buyer.passes[sale.sale_id]}\r\nIdempotency-Key: {buyer.openid}-%d\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    orders = [(order % number).encode() + body for number in range(8)]
    poll = f"GET /v1/sales/{sale.sale_id}/line HTTP/1.1\r\nHost: t\r\n\r\n".encode()
    return [part for one in orders for part in (one, poll)]


async def end_of(process: Program) -> None:
    """Wait until the process has ended."""
    async with asyncio.timeout(DRAIN_TIMEOUT_S + 5.0):
        while process.ended_with is None:  # noqa: ASYNC110 - processes end without an event of ours
            await asyncio.sleep(0.02)


async def ready_status(crowd: Crowd, admin_url: str) -> int:
    return (await crowd.ask("GET", f"{admin_url}/readyz")).status


async def test_worker_leaves_without_one_failed_request(engine: Engine) -> None:
    sale = engine.sell({"floor": 10_000})
    engine.wait_until_live(sale.sale_id)
    leaving = engine.workers[0]
    tally, stop = Tally(), asyncio.Event()
    async with engine.crowd() as crowd:
        buyers = await asyncio.gather(*(crowd.ready_buyer(sale.sale_id) for _ in range(KEEPING_COUNT + FRESH_COUNT)))
        sending = [
            asyncio.create_task(
                send_steadily(engine.public_url, requests_of(buyer, sale), tally, stop, keep=number < KEEPING_COUNT)
            )
            for number, buyer in enumerate(buyers)
        ]
        await asyncio.sleep(STEADY_S)
        leaving.say_farewell()
        await asyncio.sleep(engine.config.web.drain_notice_s / 2)
        assert await ready_status(crowd, engine.admin_urls[0]) == 503
        assert await ready_status(crowd, engine.admin_urls[1]) == 200
        await end_of(leaving)
        await asyncio.sleep(AFTER_S)
        stop.set()
        await asyncio.gather(*sending)
    assert tally.failures == []
    assert set(tally.answers) == {200, 201, 409}
    assert sum(tally.answers.values()) > 1000
    assert leaving.ended_with == 0
    assert "Traceback" not in leaving.log.read_text()
    assert engine.audit()["verdict"] == "pass"


async def test_idle_connection_may_send_one_more_request_while_its_worker_leaves(engine: Engine) -> None:
    leaving, staying = engine.workers
    staying.stop()
    parts = urlsplit(engine.public_url)
    request = b"GET /openapi.json HTTP/1.1\r\nHost: t\r\n\r\n"
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    assert await ask_raw(reader, writer, request) == (200, True)
    leaving.say_farewell()
    await asyncio.sleep(engine.config.web.drain_notice_s + 1.0)
    assert await ask_raw(reader, writer, request) == (200, False)
    assert await reader.read() == b""
    writer.close()
    await end_of(leaving)
    assert leaving.ended_with == 0


async def test_idle_connection_does_not_hold_its_worker_for_ever(engine: Engine) -> None:
    parts = urlsplit(engine.public_url)
    async with asyncio.timeout(DRAIN_TIMEOUT_S + 5.0):
        _, writer = await asyncio.open_connection(parts.hostname, parts.port)
        for worker in engine.workers:
            worker.say_farewell()
        for worker in engine.workers:
            await end_of(worker)
    writer.close()
    assert [worker.ended_with for worker in engine.workers] == [0, 0]


async def test_order_in_flight_is_answered_before_its_worker_ends(engine: Engine) -> None:
    sale = engine.sell({"floor": 10})
    engine.wait_until_live(sale.sale_id)
    engine.workers[1].stop()
    async with engine.crowd() as crowd:
        buyer = await crowd.ready_buyer(sale.sale_id)
        body = orjson.dumps({"items": [{"sku": sale.skus[0], "quantity": 1}]})
        parts = urlsplit(engine.public_url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        head, _, _ = requests_of(buyer, sale)[0].partition(b"\r\n\r\n")
        writer.write(head + b"\r\n\r\n" + body[:10])
        await asyncio.sleep(0.2)
        engine.workers[0].say_farewell()
        await asyncio.sleep(engine.config.web.drain_notice_s + 1.0)
        assert await ask_raw(reader, writer, body[10:]) == (201, False)
        writer.close()
    await end_of(engine.workers[0])
    assert engine.workers[0].ended_with == 0
    assert engine.audit()["verdict"] == "pass"
