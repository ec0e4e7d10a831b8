"""The buyer who fills in the title of a fapiao, and every application for whoever runs a drill."""

from engine.simulator.office.office import Office
from engine.simulator.office.pages import Door, invalid, parsed_object, plain
from engine.simulator.pay import forms
from engine.simulator.processes.calls import Page, Visit


def _fill_in(office: Office, visit: Visit) -> Page:
    """`{fapiao_apply_id, openid, title{type, name, ...}}`; `mchid` too when there are several merchants."""
    document = parsed_object(visit)
    mchid = document.get("mchid", next(iter(office.merchants)))
    merchant = office.merchants.get(mchid) if isinstance(mchid, str) else None
    if merchant is None:
        return invalid("mchid", "no such merchant")
    apply_id, openid, title = (document.get(name) for name in ("fapiao_apply_id", "openid", "title"))
    if not isinstance(apply_id, str) or not apply_id:
        return invalid("fapiao_apply_id", "must be a text")
    if not isinstance(openid, str) or not forms.OPENID.fullmatch(openid):
        return invalid("openid", "must be an o followed by 27 of 0-9 A-Z a-z _ -")
    if not isinstance(title, dict):
        return invalid("title", "must be an object")
    problem = office.fapiao_titles.fill_in(merchant, apply_id, openid, title)
    return plain({"result": "ok"}) if problem is None else plain({"problems": [problem]}, status=400)


def _show(office: Office, _visit: Visit) -> Page:
    return plain({"applications": office.invoicing.all()})


DOORS = (
    Door("POST", "/_buyer/fapiao-title", _fill_in),
    Door("GET", "/_admin/fapiao", _show),
)
