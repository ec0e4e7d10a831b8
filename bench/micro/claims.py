"""Claims as the worker makes them, and the passes that they show."""

import secrets
from collections.abc import Sequence

from bench.passes import written
from engine.infra.keys import SaleKeys
from engine.infra.redis import RedisStore
from engine.line.place import BUYER_BYTES, NONCE_BYTES
from engine.stock.claim import BODY_DIGEST_BYTES, Claim, Item

SKU = "day1-floor"
ITEMS = (Item(SKU, 1),)


def fresh_claims(count: int) -> list[Claim]:
    """Claims of as many buyers, one unit each, none seen before."""
    return [
        Claim(
            request_id=secrets.token_bytes(16),
            body_digest=secrets.token_bytes(BODY_DIGEST_BYTES),
            buyer=secrets.token_bytes(BUYER_BYTES),
            order_no=secrets.token_hex(16),
            items=ITEMS,
            nonce=secrets.token_bytes(NONCE_BYTES),
        )
        for _ in range(count)
    ]


async def let_through(store: RedisStore, keys: SaleKeys, claims: Sequence[Claim]) -> None:
    """Give the buyers of these claims the passes that the claims show."""
    for command in written(keys, [(claim.buyer, claim.nonce) for claim in claims]):
        await store.client.execute_command(*command)
