"""Claims as the worker makes them, for the micro benchmarks."""

import secrets

from engine.stock.claim import BODY_DIGEST_BYTES, Claim, Item

SKU = "day1-floor"
ITEMS = (Item(SKU, 1),)


def fresh_claims(count: int) -> list[Claim]:
    """Claims of as many buyers, one unit each, none seen before."""
    return [
        Claim(
            request_id=secrets.token_bytes(16),
            body_digest=secrets.token_bytes(BODY_DIGEST_BYTES),
            buyer=secrets.token_bytes(16),
            order_no=secrets.token_hex(16),
            items=ITEMS,
        )
        for _ in range(count)
    ]
