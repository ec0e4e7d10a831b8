"""Buyers: who is asking, and how an openid is kept.

Everywhere but here a buyer is a 16-byte keyed digest of the openid. The openid itself lies encrypted in PostgreSQL,
because WeChat Pay asks for it; erasing that row makes the digest meaningless.
"""

from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from engine.infra.batcher import Batcher
from engine.infra.postgres import connection, load_queries
from engine.infra.seals import Opened, Purpose, SealKeys
from engine.web.http import Request

if TYPE_CHECKING:
    from engine.infra.postgres import Pool

NONCE_BYTES = 12
BEARER = "Bearer "
KEEP_COUNT_MAX = 200  # logins written down in one transaction
KEEP_QUEUE_COUNT_MAX = 20_000
KEEP_SPACING_S = 0.01


class Privacy:
    """Turns openids into digests and sealed bytes, and back."""

    def __init__(self, digest_key: bytes, openid_key: bytes) -> None:
        self._digest_key = blake2b(digest_key, digest_size=32).digest()
        self._cipher = AESGCM(openid_key)

    def buyer_of(self, openid: str) -> bytes:
        """The buyer behind an openid."""
        return blake2b(openid.encode(), key=self._digest_key, digest_size=16, person=b"buyer").digest()

    def seal_openid(self, openid: str, nonce: bytes) -> bytes:
        """The openid, encrypted and bound to its buyer. The nonce must be fresh: 12 random bytes."""
        return nonce + self._cipher.encrypt(nonce, openid.encode(), self.buyer_of(openid))

    def seal_phone(self, phone: str, nonce: bytes, buyer: bytes) -> bytes:
        """A phone number, encrypted and bound to its buyer; never to be taken for an openid."""
        return nonce + self._cipher.encrypt(nonce, phone.encode(), b"phone" + buyer)

    def open_phone(self, sealed: bytes, buyer: bytes) -> str:
        """The phone number of this buyer. Raises InvalidTag for anybody else's."""
        return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], b"phone" + buyer).decode()

    def open_openid(self, sealed: bytes, buyer: bytes) -> str:
        """The openid of this buyer. Raises InvalidTag for anybody else's."""
        return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], buyer).decode()

    def seal_bytes(self, plain: bytes, nonce: bytes, *, bound_to: bytes) -> bytes:
        """Anything else that is personal, encrypted and bound to its place. Needs a fresh nonce: 12 random bytes."""
        return nonce + self._cipher.encrypt(nonce, plain, bound_to)

    def open_bytes(self, sealed: bytes, *, bound_to: bytes) -> bytes:
        """What was sealed for this place. Raises InvalidTag for any other."""
        return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound_to)


class Buyers:
    """The door: seals for logged-in buyers, and the table of their openids."""

    def __init__(self, pool: "Pool", keys: SealKeys, privacy: Privacy) -> None:
        self._pool = pool
        self._keys = keys
        self._batcher: Batcher[tuple[bytes, bytes], None] = Batcher(
            self._keep_all,
            batch_count_max=KEEP_COUNT_MAX,
            queue_count_max=KEEP_QUEUE_COUNT_MAX,
            spacing_s=KEEP_SPACING_S,
        )
        self._sql = load_queries(Path(__file__).with_name("queries.sql"))
        self.privacy = privacy

    async def remember(self, openid: str, nonce: bytes) -> bytes:
        """The buyer, written down. Raises PostgresAway."""
        buyer = self.privacy.buyer_of(openid)
        await self._batcher.submit((buyer, self.privacy.seal_openid(openid, nonce)))
        return buyer

    async def _keep_all(self, kept: list[tuple[bytes, bytes]]) -> list[None]:
        once = dict(kept)  # somebody may log in on two phones at once
        async with connection(self._pool) as conn:
            await conn.execute(self._sql.keep_buyers, list(once), list(once.values()))
        return [None] * len(kept)

    def seal(self, buyer: bytes, *, expires_s: int) -> str:
        """What the buyer shows from now on."""
        return self._keys.seal(Purpose.BUYER, buyer, expires_s=expires_s)

    def of(self, request: Request, *, now_s: int) -> bytes | None:
        """The buyer who is asking, or None."""
        shown = request.headers.get("Authorization", "")
        if not shown.startswith(BEARER):
            return None
        opened = self._keys.open(Purpose.BUYER, shown[len(BEARER) :], now_s=now_s)
        return opened.payload if isinstance(opened, Opened) else None
