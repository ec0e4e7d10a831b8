"""The pages of the mini program: WeChat's own calls, the buyer's taps that come before them, and what a drill sees."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from engine.simulator.office.office import Office
from engine.simulator.office.pages import Door, Serve, invalid, parsed_object, plain, weixin
from engine.simulator.pay import forms
from engine.simulator.processes.calls import Page, Visit
from engine.simulator.weixin import keywords

CALLS = (
    "/wxa/business/getuserphonenumber",
    "/cgi-bin/message/subscribe/send",
    "/wxa/getwxacodeunlimit",
    "/wxa/generate_urllink",
    "/wxa/msg_sec_check",
    "/wxa/sec/order/upload_shipping_info",
)


def _session(office: Office, visit: Visit) -> Page:
    return weixin(office.mini_program.session(visit.query))


def _token(office: Office, visit: Visit) -> Page:
    return weixin(office.mini_program.token(visit.body))


def _call(office: Office, visit: Visit) -> Page:
    told = office.mini_program.call(visit.path, visit.query.get("access_token", ""), visit.body)
    return Page(200, told, "image/png") if isinstance(told, bytes) else weixin(told)


def _wrong_method(_office: Office, _visit: Visit) -> Page:
    return weixin({"errcode": 43002, "errmsg": "require POST method"})


def _fated(answer: Callable[[Office, Visit], Page]) -> Serve:
    """The same answer, with luck on its way: it may come late, or be lost after it had its effect."""

    async def late(office: Office, visit: Visit, wait_s: float, lost: bool) -> Page:
        await asyncio.sleep(wait_s)
        return replace(answer(office, visit), lost=lost)

    def serve(office: Office, visit: Visit) -> Page | Awaitable[Page]:
        wait_s, lost = office.mini_program.fate()
        if wait_s:
            return late(office, visit, wait_s, lost)
        page = answer(office, visit)
        return replace(page, lost=True) if lost else page

    return serve


# The buyer's phone


def _phone(office: Office, visit: Visit) -> Page:
    """The buyer lets the mini program have the phone number."""
    openid = parsed_object(visit).get("openid")
    if not isinstance(openid, str) or not forms.OPENID.fullmatch(openid):
        return invalid("openid", "must be an o followed by 27 of 0-9 A-Z a-z _ -")
    return plain({"code": office.mini_program.phone_code(openid)})


def _subscribe(office: Office, visit: Visit) -> Page:
    """wx.requestSubscribeMessage: the buyer accepts each template once more, or refuses with `accept: false`."""
    document = parsed_object(visit)
    openid, template_ids = document.get("openid"), document.get("template_ids")
    if not isinstance(openid, str) or not forms.OPENID.fullmatch(openid):
        return invalid("openid", "must be an o followed by 27 of 0-9 A-Z a-z _ -")
    if not isinstance(template_ids, list) or not template_ids:
        return invalid("template_ids", "must be a list of texts")
    known = office.mini_program.messages.templates()
    foreign = [str(template_id) for template_id in template_ids if template_id not in known]
    if foreign:
        return invalid("template_ids", f"PUT /_admin/templates first for {', '.join(foreign)}")
    accepted = document.get("accept", True) is True
    if accepted:
        for template_id in template_ids:
            office.mini_program.messages.accept(openid, template_id)
    answer = "accept" if accepted else "reject"
    return plain({"errMsg": "requestSubscribeMessage:ok"} | dict.fromkeys(template_ids, answer))


# The person who runs the drill


def _show_templates(office: Office, _visit: Visit) -> Page:
    return plain({"templates": office.mini_program.messages.templates()})


def _register(office: Office, visit: Visit) -> Page:
    """`{template_id: [keyword, ...], ...}`: these templates are in force, others stay."""
    document = parsed_object(visit)
    for template_id, names in document.items():
        right = isinstance(names, list) and names and all(isinstance(name, str) for name in names)
        if not right or not all(keywords.is_keyword(name) for name in names):
            return invalid(template_id, "must be a list of keywords such as thing1, time2, amount3")
    if not document:
        return invalid("template_id", "name at least one")
    for template_id, names in document.items():
        office.mini_program.messages.register(template_id, names)
    return _show_templates(office, visit)


def _show_messages(office: Office, _visit: Visit) -> Page:
    messages = office.mini_program.messages
    return plain({"sent": messages.sent(), "accepted": messages.waiting()})


def _show_shipping(office: Office, _visit: Visit) -> Page:
    return plain({"orders": office.mini_program.shipping.all()})


DOORS = (
    Door("GET", "/sns/jscode2session", _fated(_session)),
    Door("POST", "/cgi-bin/stable_token", _fated(_token)),
    *(Door("POST", path, _fated(_call)) for path in CALLS),
    *(Door("GET", path, _wrong_method) for path in ("/cgi-bin/stable_token", *CALLS)),
    Door("POST", "/_buyer/phone", _phone),
    Door("POST", "/_buyer/subscribe", _subscribe),
    Door("GET", "/_admin/templates", _show_templates),
    Door("PUT", "/_admin/templates", _register),
    Door("GET", "/_admin/messages", _show_messages),
    Door("GET", "/_admin/shipping", _show_shipping),
)
