"""A public beacon, in the HTTP format of drand: GET {url}/public/{round}.

What it answers is checked as far as anybody can without its keys: the round is the one that was asked for and the
randomness is the hash of the signature. Whether the signature is the beacon's own is for those who verify a draw: they
compare the record with what the beacon itself publishes. A round that is not there yet is no failure: it is asked for
again, and until then the sale waits with its lobby closed.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import aiohttp
import orjson

from engine.line.draw.records import BeaconRecord

BODY_BYTES_MAX = 16_384  # a round takes about 500
TIMEOUT_S = 4.0


class Beacon:
    """Asks beacons over a session of the process."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)

    async def record(self, url: str, number: int) -> BeaconRecord | str:
        """The round with this number, or the sentence that says why it is not there."""
        address = f"{url.rstrip('/')}/public/{number}"
        try:
            async with self._session.get(address, timeout=self._timeout, allow_redirects=False) as response:
                body = await response.content.read(BODY_BYTES_MAX)
                status = response.status
        except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as error:
            return f"{address}: {type(error).__name__}: {error}"
        if status != 200:
            return f"{address}: status {status}"
        return read_record(body, number)


def read_record(body: bytes, number: int) -> BeaconRecord | str:
    """What a beacon answered for the round `number`, or why it is not taken."""
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return "the beacon's answer is not JSON"
    if not isinstance(content, dict):
        return "the beacon's answer is not an object"
    randomness, signature = _bytes(content, "randomness"), _bytes(content, "signature")
    if content.get("round") != number or randomness is None or signature is None:
        return f"the beacon's answer lacks the round {number}, its randomness or its signature"
    if sha256(signature).digest() != randomness:
        return "the beacon's randomness is not the hash of its signature"
    return BeaconRecord(number, randomness, signature)


def _bytes(content: Mapping[str, Any], name: str) -> bytes | None:
    value = content.get(name)
    try:
        return bytes.fromhex(value) if isinstance(value, str) and value else None
    except ValueError:
        return None
