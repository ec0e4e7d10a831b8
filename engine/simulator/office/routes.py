"""The merchant API as one table: which path and method is which call, and who decides it.

A new endpoint is one line here. Fronts read the table to find the route of a path; the office reads it to
decide. `{number}` in a path stands for exactly one segment that is not empty.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from engine.simulator.office.office import Office
from engine.simulator.pay import security
from engine.simulator.processes.authorization import Merchant
from engine.simulator.processes.calls import Call, Outcome

TRANSACTIONS = "/v3/pay/transactions/"
_REFUNDS = "/v3/refund/domestic/refunds"

Decide = Callable[[Office, Merchant, Call], Outcome | Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class Route:
    """`name` is what knobs call it; several paths may share one. `agent` demands Accept and User-Agent."""

    name: str
    method: str
    path: str
    decide: Decide
    agent: bool = False

    @property
    def key(self) -> str:
        return f"{self.method} {self.path}"


def _fapiao(method: str, path: str, decide: Decide) -> Route:
    return Route("fapiao", method, f"/v3/new-tax-control-fapiao/{path}", decide)


ROUTES = (
    Route("order", "POST", f"{TRANSACTIONS}jsapi", lambda o, m, c: o.desk.order(m, c.body)),
    Route("query", "GET", f"{TRANSACTIONS}out-trade-no/{{number}}", lambda o, m, c: o.desk.query(m, c.number, c.query)),
    Route(
        "query", "GET", f"{TRANSACTIONS}id/{{number}}", lambda o, m, c: o.desk.query_transaction(m, c.number, c.query)
    ),
    Route(
        "close",
        "POST",
        f"{TRANSACTIONS}out-trade-no/{{number}}/close",
        lambda o, m, c: o.till.close(m.mchid, c.number, lambda: o.desk.close(m, c.number, c.body)),
    ),
    Route("refund", "POST", _REFUNDS, lambda o, m, c: o.desk.refund(m, c.body), agent=True),
    Route(
        "query_refund", "GET", f"{_REFUNDS}/{{number}}", lambda o, m, c: o.desk.query_refund(m, c.number), agent=True
    ),
    Route(
        "abnormal_refund",
        "POST",
        f"{_REFUNDS}/{{number}}/apply-abnormal-refund",
        lambda o, m, c: o.desk.redirect_refund(m, c.number, c.body, serial=c.serial),
        agent=True,
    ),
    Route("bill", "GET", "/v3/bill/tradebill", lambda o, m, c: o.billing.trade(m, c.query, base_url=c.base_url)),
    Route("bill", "GET", "/v3/bill/fundflowbill", lambda o, m, c: o.billing.fund_flow(m, c.query, base_url=c.base_url)),
    Route("certificates", "GET", "/v3/certificates", security.certificates, agent=True),
    Route("echo", "POST", "/v3/security/echo", security.echo),
    Route("bill_download", "GET", "/v3/billdownload/file", lambda o, m, c: o.billing.download(m, c.query)),
    _fapiao("PATCH", "merchant/development-config", lambda o, m, c: o.fapiao_settings.configure(m, c)),
    _fapiao("GET", "merchant/development-config", lambda o, m, c: o.fapiao_settings.configuration(m, c)),
    _fapiao("GET", "merchant/tax-codes", lambda o, m, c: o.fapiao_settings.tax_codes(m, c)),
    _fapiao("GET", "merchant/base-information", lambda o, m, c: o.fapiao_settings.base_information(m, c)),
    _fapiao("POST", "card-template", lambda o, m, c: o.fapiao_settings.card_template(m, c)),
    _fapiao("GET", "user-title/title-url", lambda o, m, c: o.fapiao_titles.title_link(m, c)),
    _fapiao("GET", "user-title", lambda o, m, c: o.fapiao_titles.title(m, c)),
    _fapiao("POST", "fapiao-applications", lambda o, m, c: o.invoicing.apply(m, c)),
    _fapiao("GET", "fapiao-applications/{number}", lambda o, m, c: o.invoicing.query(m, c)),
    _fapiao("POST", "fapiao-applications/{number}/reverse", lambda o, m, c: o.invoicing.reverse(m, c)),
)
BY_KEY: Mapping[str, Route] = {route.key: route for route in ROUTES}


@dataclass(slots=True)
class _Branch:
    """One segment of the paths: what may follow, and the methods of the path that ends here."""

    below: dict[str, "_Branch"] = field(default_factory=dict)
    methods: dict[str, Route] = field(default_factory=dict)


def find(path: str) -> tuple[Mapping[str, Route], str] | None:
    """The routes of a raw path by method, and the decoded number in it; None for a path that is nobody's."""
    branch = _TREE
    number = ""
    for segment in path.split("/"):
        following = branch.below.get(segment)
        if following is None:
            following = branch.below.get("{number}")
            if following is None or not segment:
                return None
            number = segment
        branch = following
    return (branch.methods, unquote(number)) if branch.methods else None


def _tree() -> _Branch:
    root = _Branch()
    for route in ROUTES:
        branch = root
        for segment in route.path.split("/"):
            branch = branch.below.setdefault(segment, _Branch())
        branch.methods[route.method] = route
    return root


_TREE = _tree()
