"""Workers on one port: how one of them leaves it."""

import asyncio
import contextlib
import socket
import sys

from engine.web.listening import listen, refuse_newcomers

NEWCOMERS_COUNT = 32

ON_LINUX = sys.platform == "linux"


async def connect(port: int) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()


def take_all(sock: socket.socket) -> int:
    """How many waited in the queue."""
    count = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            sock.accept()[0].close()
            count += 1
    return count


async def test_only_linux_filters_newcomers() -> None:
    with listen("127.0.0.1", 0, shared=True) as leaving:
        assert refuse_newcomers(leaving) is ON_LINUX


async def test_newcomers_turn_to_the_neighbour_of_a_socket_that_refuses_them() -> None:
    with listen("127.0.0.1", 0, shared=True) as leaving:
        port = leaving.getsockname()[1]
        with listen("127.0.0.1", port, shared=True) as staying:
            refuse_newcomers(leaving)
            coming = [asyncio.create_task(connect(port)) for _ in range(NEWCOMERS_COUNT)]
            await asyncio.sleep(0.3)
            missed = take_all(leaving)
            leaving.close()
            await asyncio.gather(*coming)
            assert missed + take_all(staying) == NEWCOMERS_COUNT
            assert missed == 0 or not ON_LINUX


async def test_who_came_before_is_still_taken_in() -> None:
    with listen("127.0.0.1", 0, shared=True) as leaving:
        reader, writer = await asyncio.open_connection("127.0.0.1", leaving.getsockname()[1])
        refuse_newcomers(leaving)
        taken, _ = leaving.accept()
        with taken:
            taken.sendall(b"hello")
            assert await reader.readexactly(5) == b"hello"
            writer.write(b"world")
            await writer.drain()
            assert taken.recv(5) == b"world"
        writer.close()


def test_socket_that_nobody_shares_refuses_nobody() -> None:
    with listen("127.0.0.1", 0, shared=False) as alone:
        assert not refuse_newcomers(alone)
        with socket.create_connection(alone.getsockname()):
            pass
