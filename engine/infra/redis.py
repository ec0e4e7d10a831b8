"""Redis or Valkey, one node or a Cluster: one client, one way to run a script.

A script is one file `lua/<room>/<verb>.lua`. It is sent as EVALSHA with the SHA known beforehand, and after NOSCRIPT
once more whole, which also loads it. The driver never retries by itself: a script whose answer was lost may have
run, and only its request ids make a second call safe.
"""

import contextlib
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, ReadOnlyError, RedisError

from engine.infra.outage import RedisAway
from engine.infra.redis_direct import DirectCalls

LUA = Path(__file__).resolve().parents[2] / "lua"
PACKAGED_LUA = Path(__file__).resolve().parents[1] / "_lua"  # where a wheel has them

# RuntimeError is uvloop's word for a connection that the other side closed a moment ago: nothing was sent.
AWAY = (RedisError, OSError, TimeoutError, RuntimeError)
# A server that lost its office keeps its connections, and says so on each of them; whoever has it now is found anew.
BROKEN = (ConnectionError, RedisConnectionError, RuntimeError, ReadOnlyError)

Client: TypeAlias = "Redis | RedisCluster"


@dataclass(frozen=True, slots=True)
class Script:
    """One verb in Lua. `name` is "<room>/<verb>"."""

    name: str
    source: str
    sha: str


def load_script(room: str, verb: str) -> Script:
    """Read one script from the Lua folder."""
    folder = PACKAGED_LUA if PACKAGED_LUA.is_dir() else LUA
    source = (folder / room / f"{verb}.lua").read_text(encoding="utf-8")
    return Script(f"{room}/{verb}", source, hashlib.sha1(source.encode()).hexdigest())  # noqa: S324 - Redis' own id


class RedisStore:
    """The engine's only door to Redis. Every failure is raised as RedisAway; nothing is retried behind its back."""

    def __init__(self, client: Client, direct: DirectCalls | None = None) -> None:
        """`direct`: a shorter way to the one node there is."""
        self.client = client
        self._direct = direct
        self._execute = client.execute_command if direct is None else direct.call

    async def run(self, script: Script, keys: list[str], args: list[Any]) -> Any:
        """The script's reply.

        Raises RedisAway when the outcome is unknown or Redis will not write (out of memory, read-only, busy).
        """
        try:
            try:
                return await self._execute("EVALSHA", script.sha, len(keys), *keys, *args)
            except NoScriptError:
                # Not SCRIPT LOAD and EVALSHA: the scripts may be flushed again between the two.
                return await self._execute("EVAL", script.source, len(keys), *keys, *args)
        except AWAY as error:
            if isinstance(error, BROKEN):
                await self._drop_idle()
            raise RedisAway(f"{script.name}: {type(error).__name__}: {error}") from error

    async def _drop_idle(self) -> None:
        """One connection is no good: those that lie idle are like it, and would fail one caller each, in a burst."""
        if self._direct is not None:
            with contextlib.suppress(*AWAY):
                await self._direct.drop_idle()

    async def facts(self) -> dict[str, Any]:
        """INFO of one node: version, memory policy, persistence. Raises RedisAway."""
        try:
            found = await self.client.info()
        except AWAY as error:
            raise RedisAway(f"INFO: {type(error).__name__}: {error}") from error
        if "redis_version" not in found:  # a Cluster answers node by node
            found = next(iter(found.values()))
        return dict(found)

    async def ping(self) -> None:
        """Raises RedisAway unless Redis answers."""
        try:
            await self.client.ping()
        except AWAY as error:
            raise RedisAway(f"PING: {type(error).__name__}: {error}") from error

    async def close(self) -> None:
        """Close every connection."""
        await self.client.aclose()


async def open_redis(url: str, *, connections_max: int, timeout_s: float, connect_timeout_s: float) -> RedisStore:
    """A store for this URL: a Cluster if the server says it is part of one, else one node.

    Raises RedisAway when the server cannot be asked.
    """
    options: dict[str, Any] = {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": connect_timeout_s,
        "retry": Retry(NoBackoff(), 0),
        "decode_responses": False,
    }
    # Who finds every connection busy waits for one, as long as for an answer, and is then told that Redis is away.
    pool = BlockingConnectionPool.from_url(url, max_connections=connections_max, timeout=timeout_s, **options)
    single = Redis.from_pool(pool)
    try:
        cluster = (await single.info("cluster")).get("cluster_enabled") == 1
    except AWAY as error:
        await single.aclose()
        raise RedisAway(f"{type(error).__name__}: {error}") from error
    if not cluster:
        return RedisStore(single, DirectCalls(pool, timeout_s=timeout_s))
    await single.aclose()
    return RedisStore(RedisCluster.from_url(url, max_connections=connections_max, **options))


def refuse_eviction(facts: dict[str, Any]) -> str | None:
    """The sentence that refuses this server, or None: a server that may evict keys would drop holds silently."""
    policy = facts.get("maxmemory_policy", "unknown")
    if policy == "noeviction":
        return None
    return f"Redis has maxmemory-policy {policy}; set it to noeviction, or holds can vanish without a trace"
