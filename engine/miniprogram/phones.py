"""Phone numbers that buyers chose to give: sealed at rest, bound to their buyer, erased on request.

A number is never logged and never leaves whole: the buyer sees its last digits. Raises PostgresAway, ProviderAway.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag

from engine.infra.postgres import connection
from engine.miniprogram.client import MiniProgramApi, Phone
from engine.miniprogram.errcodes import Refusal, Refused
from engine.miniprogram.queries import QUERIES
from engine.miniprogram.wire import NotReached
from engine.web.buyers import Privacy

if TYPE_CHECKING:
    from engine.infra.postgres import Pool

ENDING_DIGITS = 4


@dataclass(frozen=True, slots=True)
class PhoneEnding:
    """As much of a number as its buyer needs to recognise it."""

    country_code: str
    ending: str


class Phones:
    """`nonce` gives 12 random bytes."""

    def __init__(self, pool: Pool, api: MiniProgramApi, privacy: Privacy, nonce: Callable[[], bytes]) -> None:
        self._pool = pool
        self._api = api
        self._privacy = privacy
        self._nonce = nonce

    async def take(self, code: str, buyer: bytes) -> PhoneEnding | Refused | None:
        """Exchange the code of the phone button and keep the number. The code is spent by this call.

        None when the buyer is not known, or was erased.
        """
        async with connection(self._pool) as conn:
            sealed = await conn.fetchval(QUERIES.read_openid, buyer)
        if sealed is None:
            return None
        found = await self._api.phone_of(code, self._privacy.open_openid(sealed, buyer))
        if isinstance(found, Refused):
            if found.refusal in (Refusal.CODE_INVALID, Refusal.OPENID_INVALID):
                return found
            raise NotReached(f"getuserphonenumber: errcode {found.errcode}")
        kept = self._privacy.seal_phone(f"{found.country_code} {found.number}", self._nonce(), buyer)
        async with connection(self._pool) as conn:
            await conn.execute(QUERIES.keep_phone, buyer, kept)
        return _ending(found)

    async def read(self, buyer: bytes) -> PhoneEnding | None:
        """The kept number's ending; none if there is none, or if it was sealed under another key."""
        async with connection(self._pool) as conn:
            sealed = await conn.fetchval(QUERIES.read_phone, buyer)
        if sealed is None:
            return None
        try:
            country_code, _, number = self._privacy.open_phone(sealed, buyer).partition(" ")
        except InvalidTag:
            return None
        return _ending(Phone(number, country_code))

    async def erase(self, buyer: bytes) -> None:
        """Forget the number. Repeating it is harmless."""
        async with connection(self._pool) as conn:
            await conn.execute(QUERIES.erase_phone, buyer)


def _ending(phone: Phone) -> PhoneEnding:
    return PhoneEnding(phone.country_code, phone.number[-ENDING_DIGITS:])
