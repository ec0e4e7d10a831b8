"""How a phone reaches a server: one patience, two engines (asyncio's loop and gevent's greenlets)."""
