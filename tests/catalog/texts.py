"""A small valid sale file, to be spoilt in one place by each test."""

from pathlib import Path

from engine.catalog.sale_file import SaleFile, parse_sale_file

PATH = Path("drop.toml")

VALID = """\
time_zone = "Asia/Shanghai"

[[events]]
id = "gig"
title = "Gig"

[[events.sessions]]
id = "sat"
title = "Saturday"
starts_at = 2027-06-12T19:30:00

[[events.sessions.skus]]
id = "floor"
title = "Floor"
price_fen = 88000
capacity = 300
per_order_max = 4

[[events.sessions.skus]]
id = "stand"
title = "Stand"
price_fen = 48000
capacity = 450
per_order_max = 4

[[sales]]
id = "drop"
title = "Drop"
skus = ["stand", "floor"]
opens_at = 2027-03-01T12:00:00
closes_at = 2027-03-08T12:00:00
hold_s = 600
per_buyer_max = 6
line_rate = 400
"""

SECOND_SALE = """
[[sales]]
id = "later"
title = "Later"
skus = ["floor"]
opens_at = 2027-03-08T12:00:00
closes_at = 2027-03-09T12:00:00
hold_s = 600
per_buyer_max = 6
line_rate = 400
"""


def spoilt(*swaps: tuple[str, str]) -> str:
    """The valid text with each old part replaced, once."""
    text = VALID + SECOND_SALE
    for old, new in swaps:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def sale_file(*swaps: tuple[str, str]) -> SaleFile:
    return parse_sale_file(spoilt(*swaps), PATH)
