"""Every metric of Floodgate, under one prefix, without ids in labels.

Hot-path metrics are counted per batch or through children bound once, so that they cost next to nothing.
"""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

FAST_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
COUNTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)

REQUESTS_RUNNING = Gauge("floodgate_http_requests_running", "Requests being worked on in this worker.")

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
INBOX_OPEN = Gauge("floodgate_inbox_open", "Notices that wait for a decision")
INBOX_OLDEST_S = Gauge("floodgate_inbox_oldest_seconds", "How long the oldest open notice has waited")
WECHATPAY_SECONDS = Histogram(
    "floodgate_wechatpay_seconds",
    "One request to WeChat Pay, by endpoint and by HTTP status or the kind of silence.",
    ["endpoint", "outcome"],
    buckets=FAST_S,
)
MINIPROGRAM_CALLS = Counter("floodgate_miniprogram_calls", "Calls to the mini program's API.", ["call", "result"])
DUTIES = Counter("floodgate_duties", "What was owed after money moved, and what became of it.", ["kind", "outcome"])
SHIPPING_DUE = Gauge("floodgate_shipping_due", "Paid orders that WeChat was not yet told are delivered: money frozen.")
SHIPPING_OLDEST_S = Gauge("floodgate_shipping_oldest_seconds", "How long the oldest of them has waited.")
CERTIFICATE_DOWNLOADS = Counter(
    "floodgate_certificate_downloads", "Downloads of WeChat Pay's platform certificates, by outcome.", ["outcome"]
)
NOTIFICATIONS_REFUSED = Counter("floodgate_notifications_refused", "Notifications not accepted.", ["reason"])
REFUNDS = Counter("floodgate_refunds", "Refunds, by state reached.", ["state"])
REFUNDS_OPEN = Gauge("floodgate_refunds_open", "Refunds that are not done, by state.", ["state"])
REFUNDS_OLDEST_S = Gauge(
    "floodgate_refunds_oldest_seconds", "How long the oldest of them has waited, by state.", ["state"]
)
SESSION_REFUNDS = Counter("floodgate_session_refunds_decided", "Refunds decided because a session was cancelled.")
FAPIAOS = Counter("floodgate_fapiaos", "E-fapiao, by state reached.", ["state"])
BILL_DAYS = Counter("floodgate_bill_days", "Days compared with WeChat's bills, by outcome.", ["outcome"])
BILL_DAYS_OPEN = Gauge("floodgate_bill_days_open", "Days that were begun and are not yet reconciled.")
BILL_DIFFERENCES = Counter(
    "floodgate_bill_differences", "Differences to WeChat's bills, by class and subject.", ["kind", "subject"]
)
ALARMS = Counter("floodgate_alarms", "Things a person should look at.", ["kind"])

SALE_FENCED = Gauge("floodgate_sales_fenced", "Sales that this process finds fenced.")
REBUILDS = Counter("floodgate_rebuilds", "Sales rebuilt from PostgreSQL.")
REBUILD_SECONDS = Histogram("floodgate_rebuild_seconds", "One rebuild, from raising the epoch to selling again.")
REPAIRS = Counter("floodgate_audit_repairs", "Differences the auditor put right, by kind.", ["kind"])
AUDIT_DIFFERENCES = Gauge("floodgate_audit_differences", "Differences in the last audit, by kind.", ["kind"])
SHELF_UNITS = Gauge("floodgate_units", "Units of all SKUs of live sales, by kind.", ["kind"])

LINE_PEOPLE = Gauge(
    "floodgate_line_people",
    "People of all lines: waiting, called, with a pass, and how many may be let in.",
    ["kind"],
)
LINE_SHARES = Gauge(
    "floodgate_line_shares",
    "What the line with most people at the till reckons with.",
    ["kind"],
)
LINE_STREAMS = Gauge("floodgate_line_streams", "Clients that follow a line as a stream at this worker.")


class _Answers(Collector):
    """Requests and refusals, counted in plain integers: a locked counter and a histogram per request would cost as
    much as checking a seal. Prometheus reads them at scrape time."""

    def __init__(self) -> None:
        self.statuses: dict[tuple[str, int], int] = {}
        self.buckets: dict[str, list[int]] = {}
        self.seconds: dict[str, float] = {}
        self.refusals: dict[str, int] = {}

    def collect(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "floodgate_http_requests", "Requests answered, by route and status.", labels=["route", "status"]
        )
        for (route, status), count in list(self.statuses.items()):
            requests.add_metric([route, str(status)], count)
        yield requests
        seconds = HistogramMetricFamily(
            "floodgate_http_request_seconds", "Time from reading a request to its answer.", labels=["route"]
        )
        for route, counts in list(self.buckets.items()):
            bounds = [*map(str, FAST_S), "+Inf"]
            seconds.add_metric([route], list(zip(bounds, accumulate(counts), strict=True)), self.seconds[route])
        yield seconds
        refusals = CounterMetricFamily("floodgate_refusals", "Refusals told to buyers, by code.", labels=["code"])
        for code, count in list(self.refusals.items()):
            refusals.add_metric([code], count)
        yield refusals


_answers = _Answers()
REGISTRY.register(_answers)


def answered(route: str, status: int, took_s: float) -> None:
    """Count one answered request."""
    key = (route, status)
    statuses = _answers.statuses
    statuses[key] = statuses.get(key, 0) + 1
    buckets = _answers.buckets.get(route)
    if buckets is None:
        buckets = _answers.buckets[route] = [0] * (len(FAST_S) + 1)
        _answers.seconds[route] = 0.0
    buckets[bisect_left(FAST_S, took_s)] += 1
    _answers.seconds[route] += took_s


def refused(code: str) -> None:
    """Count one refusal."""
    _answers.refusals[code] = _answers.refusals.get(code, 0) + 1
