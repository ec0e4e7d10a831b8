"""A piece of work and what goes on beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Sequence
from typing import Any


async def accompanied(work: Awaitable[None], company: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Until the work is done. A companion that fails ends it, with its own exception; none outlives it."""
    main = asyncio.ensure_future(work)
    helpers = [asyncio.create_task(one) for one in company]
    try:
        while not main.done():
            running = [helper for helper in helpers if not helper.done()]
            await asyncio.wait([main, *running], return_when=asyncio.FIRST_COMPLETED)
            for helper in running:
                if helper.done():
                    helper.result()
        main.result()
    finally:
        for task in (main, *helpers):
            task.cancel()
        await asyncio.gather(main, *helpers, return_exceptions=True)
