"""Is this machine ready? Every check looks by itself and says in one line what to do.

A doctor changes nothing: it opens one connection to each store, reads, and closes it again, and asks WeChat Pay for
an echo.
"""

import asyncio
import sys
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import Any

import asyncpg
import redis.asyncio
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from redis.exceptions import RedisError

from engine.cli.doctor_miniprogram import check_miniprogram
from engine.cli.doctor_wechat import check_wechat
from engine.cli.findings import Finding, fail, ok, warning
from engine.cli.migrations import versions
from engine.cli.terminal import Stop
from engine.config import Config, shown_url

PYTHON_MIN = (3, 11)
REDIS_MIN = (7, 0)
POSTGRES_MIN = 15


def check_python(version: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    text = ".".join(map(str, version))
    if version < PYTHON_MIN:
        return fail("python", f"{text} is too old; use {'.'.join(map(str, PYTHON_MIN))} or newer")
    return ok("python", text)


async def examine(config: Config, migrations: Path) -> tuple[Finding, ...]:
    """All checks that need a config, whoever is asked side by side; each at most its own timeout."""
    redis_found, postgres_found, wechat_found, miniprogram_found = await asyncio.gather(
        _or_failed("redis", check_redis(config)),
        _or_failed("postgres", check_postgres(config, migrations)),
        check_wechat(config.wechat),
        check_miniprogram(config),
    )
    return (*redis_found, *postgres_found, *check_wechat_keys(config), *wechat_found, *miniprogram_found)


async def _or_failed(subject: str, check: Awaitable[tuple[Finding, ...]]) -> tuple[Finding, ...]:
    try:
        return await check
    except (RedisError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, Stop) as error:
        reason = str(error) or type(error).__name__
        return (fail(subject, f"{reason}; start it, or correct {subject}.url"),)


async def check_redis(config: Config) -> tuple[Finding, ...]:
    client = redis.asyncio.Redis.from_url(
        config.redis.url,
        socket_timeout=config.redis.timeout_s,
        socket_connect_timeout=config.redis.connect_timeout_s,
    )
    async with client:
        return judge_redis(await client.info(), shown_url(config.redis.url))


def judge_redis(about: Mapping[str, Any], url: str) -> tuple[Finding, ...]:
    """`about` is the answer of INFO. Valkey also names the Redis version that it speaks."""
    name = str(about.get("server_name", "redis"))
    version = str(about.get(f"{name}_version", about["redis_version"]))
    spoken = tuple(int(part) for part in str(about["redis_version"]).split(".")[:2])
    findings = [ok("redis", f"{name} {version} at {url}")]
    if spoken < REDIS_MIN:
        findings = [fail("redis", f"{name} {version} at {url} is too old; use Redis 7.0 or Valkey 7.2, or newer")]
    policy = about.get("maxmemory_policy")
    if policy != "noeviction":
        advice = "set `maxmemory-policy noeviction`: an evicted key is a forgotten hold"
        findings.append(fail("redis memory", f"the policy is {policy}; {advice}"))
    else:
        findings.append(ok("redis memory", "noeviction"))
    if about.get("aof_enabled"):
        findings.append(ok("redis persistence", "append-only file is on"))
    else:
        advice = "with `appendonly yes` a restart is quick; without it every sale is rebuilt from PostgreSQL"
        findings.append(warning("redis persistence", f"append-only file is off; {advice}"))
    return tuple(findings)


async def check_postgres(config: Config, migrations: Path) -> tuple[Finding, ...]:
    conn = await asyncpg.connect(config.postgres.url, timeout=config.postgres.connect_timeout_s)
    try:
        version = conn.get_server_version()
        exists = await conn.fetchval("select to_regclass('schema_migrations') is not null")
        rows = await conn.fetch("select version from schema_migrations") if exists else []
        durable = {
            setting: await conn.fetchval("select current_setting($1)", setting)
            for setting in ("fsync", "synchronous_commit", "full_page_writes")
        }
    finally:
        await conn.close()
    applied = frozenset(str(row["version"]) for row in rows)
    place = shown_url(config.postgres.url)
    return judge_postgres(version.major, place, applied, versions(migrations), durable)


def judge_postgres(
    major: int,
    url: str,
    applied: frozenset[str],
    wanted: tuple[str, ...],
    durable: Mapping[str, str],
) -> tuple[Finding, ...]:
    findings = [ok("postgres", f"{major} at {url}")]
    if major < POSTGRES_MIN:
        findings = [fail("postgres", f"{major} at {url} is too old; use {POSTGRES_MIN} or newer")]
    if missing := [version for version in wanted if version not in applied]:
        findings.append(fail("postgres schema", f"{len(missing)} migrations are not applied; run: floodgate migrate"))
    else:
        findings.append(ok("postgres schema", f"migrated to {wanted[-1]}"))
    if off := [setting for setting, value in durable.items() if value == "off"]:
        advice = "turn it on, or an acknowledged order can be lost in a power cut"
        findings.append(warning("postgres durability", f"{', '.join(off)} is off; {advice}"))
    return tuple(findings)


def check_wechat_keys(config: Config) -> tuple[Finding, ...]:
    """The key files of every merchant. A further merchant's subjects carry its number."""
    findings = []
    for number, account in enumerate(config.wechat.accounts):
        whose, section = ("", "wechat") if number == 0 else (f" {account.mchid}", "wechat.merchants")
        findings.append(
            _key(f"wechat private key{whose}", f"{section}.private_key_file", account.private_key_file, RSAPrivateKey)
        )
        if account.public_key_file is not None:
            subject = f"wechat public key{whose}"
            findings.append(_key(subject, f"{section}.public_key_file", account.public_key_file, RSAPublicKey))
    return tuple(findings)


def _key(subject: str, setting: str, path: Path, kind: type) -> Finding:
    try:
        pem = path.read_bytes()
    except OSError as error:
        return fail(subject, f"{path} cannot be read ({error.strerror}); correct {setting} or the file's rights")
    try:
        key: object = (
            serialization.load_pem_private_key(pem, password=None)
            if kind is RSAPrivateKey
            else serialization.load_pem_public_key(pem)
        )
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, kind):
        return fail(subject, f"{path} holds no such RSA key in PEM; download it again from pay.weixin.qq.com")
    return ok(subject, str(path))
