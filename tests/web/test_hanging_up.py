"""Buyers who hang up or ask twice in one breath: an order is there once or not at all, and a repetition finds it."""

import asyncio
import socket
import struct

import orjson
import pytest

from tests.support.buyer import Buyer, Crowd
from tests.support.engine import Engine, OnSale
from tests.web import raw

COUNT = 10
KEY = "the-same-key"
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: what is on its way is thrown away


def order_of(buyer: Buyer, sale: OnSale) -> bytes:
    body = orjson.dumps({"items": [{"sku": sale.skus[0], "quantity": 1}]})
    fields = (
        f"POST /v1/sales/{sale.sale_id}/orders HTTP/1.1",
        "Host: t",
        f"Authorization: Bearer {buyer.seal}",
        f"Floodgate-Pass: {buyer.passes[sale.sale_id]}",
        f"Idempotency-Key: {KEY}",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join((*fields, "", "")).encode() + body


async def ask_and_leave(engine: Engine, buyer: Buyer, sale: OnSale, *, how: str) -> None:
    async with raw.connection(engine.public_url) as (_, writer):
        if how == "reset":
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        writer.write(order_of(buyer, sale))
        await writer.drain()
        if how == "half":
            writer.write_eof()


@pytest.mark.parametrize("how", ["close", "reset", "half"])
async def test_whoever_hangs_up_on_an_order_gets_that_one_order_by_asking_again(
    engine: Engine, crowd: Crowd, sale: OnSale, how: str
) -> None:
    buyers = await asyncio.gather(*(crowd.ready_buyer(sale.sale_id) for _ in range(COUNT)))
    await asyncio.gather(*(ask_and_leave(engine, buyer, sale, how=how) for buyer in buyers))
    told = await asyncio.gather(*(buyer.order(sale.sale_id, {sale.skus[0]: 1}, key=KEY) for buyer in buyers))
    kept = await asyncio.gather(*(buyer.ask("GET", "/v1/orders") for buyer in buyers))
    assert [answer.status for answer in told] == [201] * COUNT
    assert [[one["order_no"] for one in found.json["orders"]] for found in kept] == [
        [answer.json["order_no"]] for answer in told
    ]


async def test_an_order_sent_again_behind_itself_is_answered_each_time_with_the_same_order(
    engine: Engine, buyer: Buyer, sale: OnSale
) -> None:
    async with raw.connection(engine.public_url) as (reader, writer):
        writer.write(order_of(buyer, sale) * COUNT)
        async with asyncio.timeout(raw.PATIENCE_S):
            told = []
            for _ in range(COUNT):
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 201 ")
                length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
                told.append(await reader.readexactly(length))
    assert len(set(told)) == 1
