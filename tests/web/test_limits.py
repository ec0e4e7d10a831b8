"""Nobody gets more of a worker than their share: bytes of a body, seconds of a head, seconds of a body."""

import asyncio
import contextlib
import gzip
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import pytest

from tests.support.buyer import Buyer, Crowd
from tests.support.engine import Engine, OnSale
from tests.web import raw

BODY_BYTES_MAX = 16_384
SLACK_S = 3.0  # deadlines are kept to this, on a machine that does other things


def resident_bytes(pid: int) -> int:
    """The worker's memory now (Linux)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def padded_login(size: int) -> bytes:
    start = b'{"code":"unknown","padding":"'
    return start + b"x" * (size - len(start) - 2) + b'"}'


async def test_body_of_the_largest_size_is_read(crowd: Crowd) -> None:
    answer = await crowd.ask("POST", "/v1/login", raw=padded_login(BODY_BYTES_MAX))
    assert (answer.status, answer.code) == (401, "LOGIN_REFUSED")


async def test_body_one_byte_over_the_limit_is_413(crowd: Crowd) -> None:
    answer = await crowd.ask("POST", "/v1/login", raw=padded_login(BODY_BYTES_MAX + 1))
    assert (answer.status, answer.code) == (413, "BODY_TOO_LARGE")


async def test_body_that_is_announced_too_large_is_413_before_it_is_sent(engine: Engine) -> None:
    found = await raw.send(engine.public_url, raw.head("POST", "/v1/login", "Content-Length: 99999999999"))
    assert (found.status, found.code) == (413, "BODY_TOO_LARGE")


async def test_chunked_body_over_the_limit_is_413(engine: Engine) -> None:
    body = padded_login(BODY_BYTES_MAX + 1)
    chunk = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
    found = await raw.send(engine.public_url, raw.head("POST", "/v1/login", "Transfer-Encoding: chunked"), chunk)
    assert (found.status, found.code) == (413, "BODY_TOO_LARGE")


async def test_compressed_body_is_400(crowd: Crowd, buyer: Buyer, sale: OnSale) -> None:
    body = {"items": [{"sku": sale.skus[0], "quantity": 1}]}
    headers = {
        "Content-Encoding": "gzip",
        "Floodgate-Pass": buyer.passes[sale.sale_id],
        "Idempotency-Key": "compressed",
    }
    squeezed = gzip.compress(orjson.dumps(body))
    answer = await buyer.ask("POST", f"/v1/sales/{sale.sale_id}/orders", raw=squeezed, headers=headers)
    assert (answer.status, answer.code) == (400, "BODY_INVALID")


async def test_endless_chunked_body_is_cut_off_in_flat_memory(engine: Engine) -> None:
    pid = engine.workers[0].pid
    before = resident_bytes(pid)
    piece = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    began = time.monotonic()
    poured = 0
    async with raw.connection(engine.public_url) as (reader, writer):
        writer.write(raw.head("POST", "/v1/login", "Transfer-Encoding: chunked"))

        async def pour() -> None:
            nonlocal poured
            with contextlib.suppress(ConnectionError):
                while True:
                    writer.write(piece)
                    await writer.drain()
                    poured += len(piece)

        pouring = asyncio.create_task(pour())
        found = await raw.read_to_end(reader)
        pouring.cancel()
        await asyncio.gather(pouring, return_exceptions=True)
    assert (found.status, found.code) == (413, "BODY_TOO_LARGE")
    assert time.monotonic() - began < 1.0 + SLACK_S
    assert poured > 2**20
    assert resident_bytes(pid) - before < 16 * 2**20


async def trickle(engine: Engine, start: bytes, drop: bytes) -> tuple[raw.Raw, float]:
    """Send `start`, then `drop` five times a second, until the server ends it; the answer and the seconds."""
    began = time.monotonic()
    async with raw.connection(engine.public_url) as (reader, writer):
        writer.write(start)

        async def drip() -> None:
            with contextlib.suppress(ConnectionError):
                while True:
                    await asyncio.sleep(0.2)
                    writer.write(drop)
                    await writer.drain()

        dripping = asyncio.create_task(drip())
        found = await raw.read_to_end(reader)
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)
    return found, time.monotonic() - began


async def test_slow_head_is_cut_off(engine: Engine) -> None:
    found, took_s = await trickle(engine, b"GET /v1/orders HTTP/1.1\r\nHost: t\r\n", b"X: y\r\n")
    assert found.sent == b""
    assert took_s < engine.config.web.head_timeout_s + SLACK_S


async def test_slow_second_head_is_cut_off(engine: Engine) -> None:
    first = b"GET /v1/orders HTTP/1.1\r\nHost: t\r\n\r\n"
    found, took_s = await trickle(engine, first + b"GET /v1/orders HTTP/1.1\r\n", b"X: y\r\n")
    assert found.count == 1
    assert took_s < engine.config.web.head_timeout_s + SLACK_S


async def test_silent_connection_is_cut_off(engine: Engine) -> None:
    began = time.monotonic()
    assert (await raw.send(engine.public_url)).sent == b""
    assert time.monotonic() - began < engine.config.web.head_timeout_s + SLACK_S


@pytest.mark.parametrize(
    ("path", "fields", "drop"),
    [
        ("/v1/login", "Content-Length: 1000", b"x"),
        ("/v1/login", "Transfer-Encoding: chunked", b"1\r\nx\r\n"),
        ("/wechatpay/notify", "Content-Length: 1000", b"x"),
    ],
)
async def test_slow_body_is_cut_off(engine: Engine, path: str, fields: str, drop: bytes) -> None:
    found, took_s = await trickle(engine, raw.head("POST", path, fields), drop)
    assert found.status == (400 if "wechat" in path else 408)
    assert took_s < engine.config.web.body_timeout_s + 1.0 + SLACK_S


async def test_slow_body_that_nobody_asked_for_is_cut_off(engine: Engine) -> None:
    found, took_s = await trickle(engine, b"GET /v1/orders HTTP/1.1\r\nHost: t\r\nContent-Length: 1000\r\n\r\n", b"x")
    assert found.status == 401
    assert took_s < 1.0 + SLACK_S


async def test_slow_clients_do_not_slow_the_others(engine: Engine, crowd: Crowd, sale: OnSale) -> None:
    async with contextlib.AsyncExitStack() as held:
        for _ in range(300):
            _, writer = await held.enter_async_context(raw.connection(engine.public_url))
            writer.write(b"POST /v1/login HTTP/1.1\r\nHost: t\r\nContent-Length: 100\r\n\r\n{")
        began = time.monotonic()
        for _ in range(20):
            assert (await crowd.ask("GET", f"/v1/sales/{sale.sale_id}/line")).status == 200
        assert time.monotonic() - began < SLACK_S


async def test_body_is_asked_for_when_the_client_waits_to_be_asked(engine: Engine) -> None:
    async with raw.connection(engine.public_url) as (reader, writer):
        writer.write(raw.head("POST", "/v1/login", "Content-Length: 2", "Expect: 100-continue"))
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"{}")
        assert (await raw.read_to_end(reader)).code == "BODY_INVALID"


async def test_body_that_is_too_large_is_not_asked_for(engine: Engine) -> None:
    fields = ("Content-Length: 99999999", "Expect: 100-continue")
    assert (await raw.send(engine.public_url, raw.head("POST", "/v1/login", *fields))).status == 413


async def flood_without_reading(url: str) -> None:
    """Ask for large answers and take none of them, until the server ends it with an OSError."""
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        await loop.sock_connect(sock, (parts.hostname, parts.port))
        while True:
            await loop.sock_sendall(sock, b"GET /openapi.json HTTP/1.1\r\nHost: t\r\n\r\n" * 100)


async def test_client_that_does_not_read_its_answers_is_cut_off(engine: Engine) -> None:
    patience_s = engine.config.web.request_timeout_s
    began = time.monotonic()
    with pytest.raises(ConnectionError):
        await asyncio.wait_for(flood_without_reading(engine.public_url), patience_s + 2 * SLACK_S)
    assert time.monotonic() - began > patience_s - 1.0
