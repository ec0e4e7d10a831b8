"""Commands to one Redis node on connections that are kept in hand.

The driver's pool, its retries and its timeout around each half of a call cost a worker about 90 microseconds a call,
shared by the batch that makes it. A script of the hot path needs none of that: it takes a connection that lies ready,
sends, and reads, under one timeout. The connections are the driver's own, with everything it knows of TLS, passwords
and reconnecting; half of the pool at most is kept here, so that whoever asks the pool finds some, too.
"""

import asyncio
import contextlib
from typing import Any

from hiredis import pack_command  # what the driver's extra brings; its own packing takes six times as long
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.connection import AbstractConnection


class DirectCalls:
    """Calls over the connections of one pool. What goes wrong is raised as the driver and asyncio raise it."""

    def __init__(self, pool: BlockingConnectionPool, *, timeout_s: float) -> None:
        self._pool = pool
        self._timeout_s = timeout_s
        self._idle: list[AbstractConnection] = []
        self._idle_count_max = pool.max_connections // 2
        self._waiting_count = 0  # calls that wait for the pool

    async def call(self, *command: Any) -> Any:
        """The reply. Raises TimeoutError, OSError or RedisError; after any but a ResponseError it may have run."""
        connection = self._idle.pop() if self._idle else await self._borrow()
        try:
            async with asyncio.timeout(self._timeout_s):
                # One that could not connect has no stream to look into, and would be refused for ever.
                if connection.is_connected and await connection.can_read():
                    # The server has closed it, or what it says answers nobody.
                    await connection.disconnect(nowait=True)
                await connection.send_packed_command(pack_command(command), check_health=False)
                # Reading has the same time for itself: were this one over just as the command had been sent, the driver
                # would swallow the sign, and a server that answers no more would be waited for without an end.
                return await connection.read_response()
        finally:
            # A connection on which something broke was closed by the driver and will connect again.
            if not self._waiting_count and len(self._idle) < self._idle_count_max:
                self._idle.append(connection)
            else:
                await self._pool.release(connection)

    async def _borrow(self) -> AbstractConnection:
        self._waiting_count += 1
        try:
            found: AbstractConnection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
            return found
        finally:
            self._waiting_count -= 1

    async def drop_idle(self) -> None:
        """Close the connections that lie ready here and in the pool; they connect again when they are used."""
        for connection in list(self._idle):
            with contextlib.suppress(OSError):
                await connection.disconnect(nowait=True)
        await self._pool.disconnect(inuse_connections=False)
