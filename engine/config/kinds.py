"""The kinds of value a setting can have, each with the check that refuses what it is not."""

import json
import urllib.parse
from ipaddress import ip_address
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr


def is_loopback(host: str | None) -> bool:
    if host is None:
        return False
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _url(*schemes: str) -> AfterValidator:
    def check(text: str) -> str:
        try:
            parts = urllib.parse.urlsplit(text)
            _ = "," in parts.netloc or parts.port  # several hosts are PostgreSQL's way of naming a standby
        except ValueError as error:
            raise ValueError(f"is not a URL: {error}") from None
        if parts.scheme not in schemes:
            raise ValueError(f"must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
        if schemes[0].startswith("http") and not parts.hostname:
            raise ValueError("names no host")
        return text

    return AfterValidator(check)


def _database(text: str) -> str:
    if not urllib.parse.urlsplit(text).path.strip("/"):
        raise ValueError("names no database: postgresql://user:password@host/database")
    return text


def _redis_place(text: str) -> str:
    parts = urllib.parse.urlsplit(text)
    if not (parts.path.strip("/") if parts.scheme == "unix" else parts.hostname):
        raise ValueError("names no server: redis://host:6379/0 or unix:///path/to/redis.sock")
    return text


def hex_key(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if len(text) != 64 or set(text) - set("0123456789abcdefABCDEF"):
        raise ValueError("must be 32 bytes written as 64 hexadecimal digits")
    return secret


def decoded(value: object) -> object:
    """The environment can hold a mapping or a list only as JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        raise ValueError('must be JSON in the environment, as in {"0": "a text"} or [1, 2]') from None


def lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


LongSecret = Annotated[SecretStr, Field(min_length=32)]
Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]
KeyId = Annotated[int, Field(ge=0, le=255)]
Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[0-9A-Za-z_-]+$")]
HttpUrl = Annotated[str, _url("http", "https")]
# Kept out of `repr`, for the password inside.
RedisUrl = Annotated[str, _url("redis", "rediss", "unix"), AfterValidator(_redis_place), Field(repr=False)]
PostgresUrl = Annotated[str, _url("postgresql", "postgres"), AfterValidator(_database), Field(repr=False)]
