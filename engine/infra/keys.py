"""Every key name in Redis, here and nowhere else. Lua receives keys and builds none.

All keys of a sale share the hash tag {sale}: a sale lives in one slot, so every script is safe on a Cluster.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SaleKeys:
    """The keys of one sale.

    control    hash    epoch, cleared_in, run, opens_ms, closes_ms, hold_ms, buyer_max, paused
    stock      hash    capacity:<sku>, free:<sku>, held:<sku>, sold:<sku>   (units)
    buyers     hash    buyer -> units held and sold
    requests   hash    request id -> body digest (8 bytes) and order number
    claims     hash    order number -> the claim as it was packed by the worker, less what was returned since
    deadlines  zset    order number -> deadline_ms; a claim that is missing here is sold
    claimants  list    buyers that won an order in this epoch, append-only
    line       hash    head, tail, ceiling, rate, burst, ticked_ms
    places     hash    buyer -> index in the line
    """

    control: str
    stock: str
    buyers: str
    requests: str
    claims: str
    deadlines: str
    claimants: str
    line: str
    places: str

    @classmethod
    def of(cls, sale_id: str) -> "SaleKeys":
        """The keys of the sale with this id."""
        tag = f"fg:{{{sale_id}}}:"
        return cls(*(tag + name for name in cls.__slots__))

    def all(self) -> list[str]:
        """Every key, in the order of the fields."""
        return [getattr(self, name) for name in self.__slots__]


def quota_key(mchid: str, budget: str) -> str:
    """The tokens that a merchant account has left of one quota at WeChat Pay (hash: tokens, at_us)."""
    return f"fg:quota:{{{mchid}}}:{budget}"
