"""What a call to WeChat Pay is about, told from its method and path.

Quotas and metrics go by endpoint, and a path is full of numbers; this is the one place that tells them apart.
"""

from __future__ import annotations

from enum import StrEnum


class Endpoint(StrEnum):
    """The values are labels of metrics."""

    ORDER = "order"
    QUERY = "query"
    CLOSE = "close"
    REFUND = "refund"
    QUERY_REFUND = "query_refund"
    REDIRECT_REFUND = "redirect_refund"
    BILL = "bill"
    CERTIFICATES = "certificates"
    ECHO = "echo"
    FAPIAO = "fapiao"
    OTHER = "other"


ORDER_PATH = "/v3/pay/transactions/jsapi"
TRADE_PATH = "/v3/pay/transactions/out-trade-no/"
REFUND_PATH = "/v3/refund/domestic/refunds"
CERTIFICATES_PATH = "/v3/certificates"
ECHO_PATH = "/v3/security/echo"

# The first row that fits; "" fits any method.
_ROWS: tuple[tuple[str, str, str, Endpoint], ...] = (
    ("POST", ORDER_PATH, "", Endpoint.ORDER),
    ("POST", TRADE_PATH, "/close", Endpoint.CLOSE),
    ("GET", "/v3/pay/transactions/", "", Endpoint.QUERY),
    ("POST", REFUND_PATH + "/", "/apply-abnormal-refund", Endpoint.REDIRECT_REFUND),
    ("POST", REFUND_PATH, "", Endpoint.REFUND),
    ("GET", REFUND_PATH + "/", "", Endpoint.QUERY_REFUND),
    ("GET", "/v3/bill", "", Endpoint.BILL),  # /v3/bill/... and /v3/billdownload/...
    ("GET", CERTIFICATES_PATH, "", Endpoint.CERTIFICATES),
    ("POST", ECHO_PATH, "", Endpoint.ECHO),
    ("", "/v3/new-tax-control-fapiao/", "", Endpoint.FAPIAO),
)


def endpoint_of(method: str, path: str) -> Endpoint:
    """`path` as it is sent, with its query."""
    bare = path.partition("?")[0]
    for verb, start, end, endpoint in _ROWS:
        if verb in ("", method) and bare.startswith(start) and bare.endswith(end):
            return endpoint
    return Endpoint.OTHER
