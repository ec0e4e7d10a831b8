"""The shapes of WeChat's identifiers and times, made from a moment and random bytes given by the caller.

Real lengths and prefixes matter: merchants size columns and write checks from them. Nothing here reads a
clock or draws randomness.
"""

import base64
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

CHINA = timezone(timedelta(hours=8))


@lru_cache(maxsize=1024)
def china_second(second: int) -> datetime:
    """A second since the epoch as China's wall clock shows it."""
    return datetime.fromtimestamp(second, UTC).astimezone(CHINA)


@lru_cache(maxsize=1024)
def _rfc3339(second: int) -> str:
    return china_second(second).isoformat()


def rfc3339(moment_ms: int) -> str:
    """`2018-06-08T10:34:56+08:00`, the only form of time WeChat Pay writes."""
    return _rfc3339(moment_ms // 1000)


def prepay_id(now_ms: int, entropy: bytes) -> str:
    """36 characters: `wx`, China time to the second, 20 lower hex digits (10 random bytes)."""
    return f"wx{china_second(now_ms // 1000):%Y%m%d%H%M%S}{entropy[:10].hex()}"


def transaction_id(now_ms: int, entropy: bytes) -> str:
    """28 digits: `4200`, 6 digits, the China date, 10 digits."""
    digits = f"{int.from_bytes(entropy[:8]) % 10**16:016}"
    return f"4200{digits[:6]}{china_second(now_ms // 1000):%Y%m%d}{digits[6:]}"


def refund_id(now_ms: int, entropy: bytes) -> str:
    """29 digits: `50`, 8 digits, the China date, 11 digits."""
    digits = f"{int.from_bytes(entropy[:9]) % 10**19:019}"
    return f"50{digits[:8]}{china_second(now_ms // 1000):%Y%m%d}{digits[8:]}"


def notice_id(entropy: bytes) -> str:
    """36 characters in the form of a UUID."""
    digits = entropy[:16].hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def request_id(entropy: bytes, number: int) -> str:
    """`08<hex>-<number>`: 0 on success, else the numeric error code."""
    return f"08{entropy[:12].hex().upper()}-{number}"


def session_key(entropy: bytes) -> str:
    """24 characters of base64, as jscode2session gives it."""
    return base64.b64encode(entropy[:16]).decode()
