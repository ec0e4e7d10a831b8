"""Every bound of the catalog, once, with its reason."""

# An id stands in URLs, Redis keys and log lines, and is read out on the telephone.
ID_PATTERN = r"^[a-z0-9][a-z0-9-]{0,47}$"

TITLE_CHARACTERS_MAX = 120

# Nothing is a price: such a ticket is free, and no payment is asked for. Ten million fen is WeChat Pay's usual limit
# for one payment.
PRICE_FEN_MIN = 0
PRICE_FEN_MAX = 10_000_000

# Zero is a capacity: it withdraws a SKU that has sold nothing. The upper bound is many stadiums.
CAPACITY_MAX = 5_000_000

PER_ORDER_MAX = 100
PER_BUYER_MAX = 200

# The ledger and WeChat Pay hold an order's amount in 32 bits.
AMOUNT_FEN_MAX = 2**31 - 1

# WeChat Pay refunds for a year. A policy of more steps than this is one that nobody reads.
DAYS_BEFORE_MAX = 365
REFUND_TIERS_MAX = 20

# A merchant account of WeChat Pay.
MCHID_PATTERN = r"^[0-9]{8,10}$"

HOLD_S_MAX = 7200
LINE_RATE_MAX = 1_000_000

# One reserve call names the keys of every SKU of the sale.
SKUS_PER_SALE_MAX = 100

assert PRICE_FEN_MAX * PER_BUYER_MAX <= AMOUNT_FEN_MAX, "no order of valid size may overflow its amount"
