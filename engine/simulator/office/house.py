"""Everything that is not the merchant API, as one table: login, the buyer's phone, and who runs a drill.

`/sns/jscode2session` is WeChat's; `/_buyer/*` stands for what happens inside the buyer's WeChat app, `/_admin/*`
shows the truth and changes the luck. The last two are open to whoever reaches the port, which is why the
simulator listens on loopback unless told otherwise. A new page is one line in the table.
"""

import inspect
from collections.abc import Awaitable
from dataclasses import asdict

from engine.simulator.bills import pages as bill_pages
from engine.simulator.fapiao import pages as fapiao_pages
from engine.simulator.keys import costs
from engine.simulator.luck import faults
from engine.simulator.office.office import Office
from engine.simulator.office.pages import Door, Serve, invalid, parsed, parsed_object, plain
from engine.simulator.office.till import Told
from engine.simulator.pay import buyer, forms
from engine.simulator.processes.calls import Page, Visit
from engine.simulator.weixin import pages as weixin_pages

_CALL_FIELDS = ("openid", "timeStamp", "nonceStr", "package", "signType", "paySign")


# The buyer's phone


def _login(office: Office, visit: Visit) -> Page:
    openid = parsed_object(visit).get("openid")
    if not isinstance(openid, str) or not forms.OPENID.fullmatch(openid):
        return invalid("openid", "must be an o followed by 27 of 0-9 A-Z a-z _ -")
    return plain({"code": office.logins.code(openid, now_ms=office.now_ms())})


def _tap(office: Office, visit: Visit) -> Page | Awaitable[Page]:
    document = parsed_object(visit)
    values = [value for name in _CALL_FIELDS if isinstance(value := document.get(name), str)]
    if len(values) != len(_CALL_FIELDS):
        return invalid(", ".join(_CALL_FIELDS), "must all be texts")
    try:
        behaviour = buyer.Behaviour(document["behaviour"]) if "behaviour" in document else None
    except ValueError:
        return invalid("behaviour", f"must be one of {', '.join(buyer.Behaviour)}")
    told = office.till.tap(buyer.PaymentCall(*values), behaviour)
    return _hear_later(told) if inspect.isawaitable(told) else _hear(told)


async def _hear_later(told: Awaitable[Told]) -> Page:
    return _hear(await told)


def _hear(told: Told) -> Page:
    """What the mini program hears, and for the test what only WeChat knows."""
    result, transaction_id = told
    if transaction_id is None:
        return plain({"result": result})
    return plain({"result": result, "transaction_id": transaction_id})


# The person who runs the drill


def _livez(_office: Office, _visit: Visit) -> Page:
    return plain({"status": "ok"})


def _show_ledger(office: Office, _visit: Visit) -> Page:
    return plain({"orders": office.desk.statement()})


def _show_callbacks(office: Office, _visit: Visit) -> Page:
    return plain(asdict(office.callbacks.tally))


def _show_faults(office: Office, _visit: Visit) -> Page:
    return plain(office.faults.document())


def _change_faults(office: Office, visit: Visit) -> Page:
    """Knobs that are named change, the others stay; answers all that are in force."""
    try:
        office.change_faults(faults.read(parsed(visit), office.faults))
    except faults.FaultsError as error:
        return plain({"problems": error.problems}, status=400)
    return plain(office.faults.document())


def _show_processes(office: Office, _visit: Visit) -> Page:
    return plain(office.processes())


async def _show_costs(office: Office, _visit: Visit) -> Page:
    return plain(costs.document(await office.costs()))


def _reset(office: Office, _visit: Visit) -> Page:
    office.reset()
    return plain({"result": "ok"})


def _pay_anyway(office: Office, visit: Visit) -> Page:
    out_trade_no = parsed_object(visit).get("out_trade_no")
    paid = office.till.pay_anyway(out_trade_no) if isinstance(out_trade_no, str) else None
    if paid is None:
        return plain({"problems": ["out_trade_no: nobody placed this order"]}, status=404)
    return plain({"result": "ok", "transaction_id": paid.transaction_id})


DOORS = (
    Door("GET", "/livez", _livez),
    Door("POST", "/_buyer/login", _login),
    Door("POST", "/_buyer/pay", _tap),
    Door("GET", "/_admin/ledger", _show_ledger),
    Door("GET", "/_admin/callbacks", _show_callbacks),
    Door("GET", "/_admin/faults", _show_faults),
    Door("PUT", "/_admin/faults", _change_faults),
    Door("POST", "/_admin/pay", _pay_anyway),
    Door("GET", "/_admin/processes", _show_processes),
    Door("GET", "/_admin/costs", _show_costs),
    Door("POST", "/_admin/reset", _reset),
    *bill_pages.DOORS,
    *weixin_pages.DOORS,
    *fapiao_pages.DOORS,
)
_BY_PATH: dict[str, dict[str, Serve]] = {}
for _door in DOORS:
    _BY_PATH.setdefault(_door.path, {})[_door.method] = _door.serve


def serve(office: Office, visit: Visit) -> Page | Awaitable[Page]:
    """Find the door of a visit and let it answer, at once if it can; 404 and 405 have empty bodies."""
    methods = _BY_PATH.get(visit.path)
    if methods is None:
        return Page(404, b"")
    found = methods.get(visit.method)
    return Page(405, b"") if found is None else found(office, visit)
