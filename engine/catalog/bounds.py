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

# People let through a second, and at the till at once. Both are far beyond what one sale's stock serves; whoever is at
# the till costs Redis some hundred bytes.
LINE_RATE_MAX = 1_000_000
LINE_CONCURRENCY_MAX = 1_000_000

# Each lane has a dozen numbers in the control of the line that every worker reads four times a second, and a buyer
# has to understand the choice.
LANES_MAX = 8

# Nobody sees a finer share than one in a thousand.
LANE_WEIGHT_MAX = 1000

# Lanes that are open to everyone have this share of all weights, at least: however many privileged people come,
# somebody from the public is let through all the time.
PUBLIC_SHARE_MIN_PERCENT = 10

# A presale code is read from a message and typed by hand; a page of text is none.
CODE_CHARACTERS_MAX = 64

# Where a beacon's rounds are, as drand serves them: the engine asks {url}/public/{round}.
BEACON_URL_PATTERN = r"^https?://[^\s/?#]+(/[^\s/?#]+)*$"
BEACON_URL_CHARACTERS_MAX = 300
BEACON_ROUND_MAX = 2**63 - 1

# One reserve call names the keys of every SKU of the sale.
SKUS_PER_SALE_MAX = 100

assert PRICE_FEN_MAX * PER_BUYER_MAX <= AMOUNT_FEN_MAX, "no order of valid size may overflow its amount"
