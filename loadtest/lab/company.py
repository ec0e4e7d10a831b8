"""A piece of work and what goes on beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Sequence
from typing import Any


async def accompanied(work: Awaitable[None], company: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Until the work is done. A companion that fails ends it, with its own exception; none outlives it."""
    main = asyncio.ensure_future(work)
    companions = [asyncio.create_task(one) for one in company]
    try:
        while not main.done():
            running = [companion for companion in companions if not companion.done()]
            await asyncio.wait([main, *running], return_when=asyncio.FIRST_COMPLETED)
            for companion in running:
                if companion.done():
                    companion.result()
        main.result()
    finally:
        for task in (main, *companions):
            task.cancel()
        await asyncio.gather(main, *companions, return_exceptions=True)
