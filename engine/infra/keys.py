"""Every key name in Redis, here and nowhere else. Lua receives keys and builds none.

All keys of a sale share the hash tag {sale}: a sale lives in one slot, so every script is safe on a Cluster.
"""

from dataclasses import dataclass

# The roster is spread over so many hashes: at a million people 61 in each, and a hash of at most 128 short fields is
# kept as one compact list, at a fifth of the memory of a table.
ROSTER_BUCKETS = 16_384


@dataclass(frozen=True, slots=True)
class SaleKeys:
    """The keys of one sale. `n` is the ordinal of a lane.

    control    hash    epoch, cleared_in, run, opens_ms, closes_ms, hold_ms, buyer_max, paused, round
    stock      hash    capacity:<sku>, free:<sku>, held:<sku>, sold:<sku>, all in units; of each lane used:n, the units
                       held and sold through it, and quota:n, how many that may be, where there is a bound
    buyers     hash    buyer -> units held and sold
    requests   hash    request id -> body digest (8 bytes) and order number
    claims     hash    order number -> the claim as it was packed by the worker, less what was returned since
    deadlines  zset    order number -> deadline_ms; a claim that is missing here is sold
    claimants  list    buyers that won an order in this epoch, append-only
    line       hash    of the sale: tick, ticked_ms, serving_ms (time spent serving: it stands still while paused),
                       drawn, final, pace (what the pacing remembers, opaque), dry_ms (when all that was left of some
                       SKU was last seen in the hands of others, in serving_ms);
                       of each lane: lobby:n (people in the lobby; the N of the draw), enrolled:n (how many of them
                       are in the roster: while any is missing nobody joins live), tail:n (next live index),
                       ceiling:n, head:n (positions below it are called), gap_from:n and gap_to:n (live indexes that
                       may have no owner, after a loss), seed:n, root:n, called:n, shown:n, taken:n, lapsed:n
    checkpoints list   the claim window's memory, oldest first, about 20 entries: msgpack [serving_ms, [head of each
                       lane], shown], where shown counts first claims of people called between this entry and the next
    passes     hash    buyer -> nonce (8 bytes), the pass' end in serving_ms (decimal), and one last digit: the lane
    admitted   zset    buyer -> the pass' end in serving_ms; who has a pass and has not used it
    claimers   zset    buyer -> rank; who was called, came, and waits for room
    seen       hash    buyer -> when a claimer last asked, in serving_ms: nobody is forgotten during a pause
    turns      hash    buyer -> of the buyer's last pass: its end in serving_ms, the units the buyer held and had bought
                       when it was given, and how many passes had come to nothing before it; blanks between.
                       buyer and a plus sign -> 1: an order has used that pass
    """

    control: str
    stock: str
    buyers: str
    requests: str
    claims: str
    deadlines: str
    claimants: str
    line: str
    checkpoints: str
    passes: str
    admitted: str
    claimers: str
    seen: str
    turns: str

    @classmethod
    def of(cls, sale_id: str) -> "SaleKeys":
        """The keys of the sale with this id."""
        tag = f"fg:{{{sale_id}}}:"
        return cls(*(tag + name for name in cls.__slots__))

    def all(self) -> list[str]:
        """Every key but the roster's, in the order of the fields."""
        return [getattr(self, name) for name in self.__slots__]


def roster_key(sale_id: str, epoch: int, bucket: int) -> str:
    """One bucket of the roster (hash: 8 bytes of a keyed hash of the buyer -> packed place). Another epoch has
    another roster, so that nothing an older one left behind is ever read."""
    return f"fg:{{{sale_id}}}:roster:{epoch}:{bucket}"


def quota_key(mchid: str, budget: str) -> str:
    """The tokens that a merchant account has left of one quota at WeChat Pay (hash: tokens, at_us)."""
    return f"fg:quota:{{{mchid}}}:{budget}"
