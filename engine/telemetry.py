"""Every metric of Floodgate, under one prefix, without ids in labels.

Hot-path metrics are counted per batch or through children bound once, so that they cost next to nothing.
"""

from prometheus_client import Counter, Gauge, Histogram

FAST_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
COUNTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)

REQUESTS = Counter("floodgate_http_requests", "Requests answered, by route and status.", ["route", "status"])
REQUEST_SECONDS = Histogram(
    "floodgate_http_request_seconds", "Time from reading a request to its answer.", ["route"], buckets=FAST_S
)
REQUESTS_RUNNING = Gauge("floodgate_http_requests_running", "Requests being worked on in this worker.")
REFUSALS = Counter("floodgate_refusals", "Refusals told to buyers, by code.", ["code"])

RESERVE_SECONDS = Histogram("floodgate_reserve_seconds", "One batch of reservations in Redis.", buckets=FAST_S)
RESERVE_CLAIMS = Histogram("floodgate_reserve_claims", "Claims in one batch of reservations.", buckets=COUNTS)
COMMIT_SECONDS = Histogram("floodgate_commit_seconds", "One group commit of orders.", buckets=FAST_S)
COMMIT_ORDERS = Histogram("floodgate_commit_orders", "Orders in one group commit.", buckets=COUNTS)
COMMIT_RETRIES = Counter("floodgate_commit_retries", "Group commits whose outcome was unknown and that ran again.")
GUARD_REFUSALS = Counter("floodgate_guard_refusals", "Orders that Redis gave units and PostgreSQL refused.")

ORDERS_RELEASED = Counter("floodgate_orders_released", "Orders released, by reason.", ["reason"])
ORPHANS_RELEASED = Counter("floodgate_orphan_holds_released", "Holds without an order that went back to sale.")
PAYMENTS = Counter("floodgate_payments", "Payments learned, by how and what became of them.", ["by", "outcome"])
PROVIDER_CALLS = Counter("floodgate_provider_calls", "Calls to WeChat Pay, by verb and result.", ["verb", "result"])
NOTIFICATIONS_REFUSED = Counter("floodgate_notifications_refused", "Notifications not accepted.", ["reason"])
REFUNDS = Counter("floodgate_refunds", "Refunds, by state reached.", ["state"])
ALARMS = Counter("floodgate_alarms", "Things a person should look at.", ["kind"])

SALE_FENCED = Gauge("floodgate_sales_fenced", "Sales that this process finds fenced.")
REBUILDS = Counter("floodgate_rebuilds", "Sales rebuilt from PostgreSQL.")
REBUILD_SECONDS = Histogram("floodgate_rebuild_seconds", "One rebuild, from raising the epoch to selling again.")
REPAIRS = Counter("floodgate_audit_repairs", "Differences the auditor put right, by kind.", ["kind"])
AUDIT_DIFFERENCES = Gauge("floodgate_audit_differences", "Differences in the last audit, by kind.", ["kind"])
SHELF_UNITS = Gauge("floodgate_units", "Units of all SKUs of live sales, by kind.", ["kind"])


class _Answers:
    """Children bound once: a label lookup per request would cost more than the count."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, int], Counter] = {}
        self.seconds: dict[str, Histogram] = {}
        self.refusals: dict[str, Counter] = {}


_bound = _Answers()


def answered(route: str, status: int, took_s: float) -> None:
    """Count one answered request."""
    count = _bound.counts.get((route, status))
    if count is None:
        count = _bound.counts[route, status] = REQUESTS.labels(route, str(status))
        _bound.seconds.setdefault(route, REQUEST_SECONDS.labels(route))
    count.inc()
    _bound.seconds[route].observe(took_s)


def refused(code: str) -> None:
    """Count one refusal."""
    count = _bound.refusals.get(code)
    if count is None:
        count = _bound.refusals[code] = REFUSALS.labels(code)
    count.inc()
