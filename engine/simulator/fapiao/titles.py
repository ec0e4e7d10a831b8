"""The title of a fapiao: the link the merchant asks for, what the buyer fills in, and reading it.

Two ways lead to a title: the link (good for 30 minutes), or the entry on the payment's receipt, once the merchant
shows it. Phone and mail are kept only as the merchant's own key can read them.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from engine.simulator.fapiao import forms as fapiao_forms
from engine.simulator.fapiao.book import TITLE, Book, json, key_of, whole
from engine.simulator.keys.sealed_fields import seal_field
from engine.simulator.pay import forms, shapes
from engine.simulator.pay.refusals import APPID_MISMATCH, FAPIAO_NO_TITLE, parameter
from engine.simulator.processes.authorization import Merchant
from engine.simulator.processes.calls import Call, Outcome

LINK_MS = 30 * 60_000


class Titles:
    def __init__(self, book: Book) -> None:
        self._book = book

    def title_link(self, merchant: Merchant, call: Call) -> Outcome:
        """GET user-title/title-url: where this buyer fills in the title, good for 30 minutes."""
        closed = self._book.closed()
        if closed is not None:
            return closed
        query = call.query
        apply_id, source, total = (
            query.get("fapiao_apply_id", ""),
            query.get("source", ""),
            query.get("total_amount", ""),
        )
        if not fapiao_forms.APPLY_ID.fullmatch(apply_id):
            return parameter("fapiao_apply_id", apply_id, "format is invalid", location="query")
        if source not in fapiao_forms.SOURCES:
            return parameter("source", source, f"must be one of {fapiao_forms.SOURCES}", location="query")
        if query.get("appid") not in merchant.appids:
            return APPID_MISMATCH
        openid, total_fen = query.get("openid", ""), whole(total)
        if not forms.OPENID.fullmatch(openid):
            return parameter("openid", openid, "format is invalid", location="query")
        if not total_fen:
            return parameter("total_amount", total, "must be at least 1", location="query")
        known = self._book.title(merchant.mchid, apply_id) or {}
        link = {
            "openid": openid,
            "total_fen": total_fen,
            "link_ends_ms": self._book.now_ms() + LINK_MS,
            "title": known.get("title"),
        }
        self._book.keep(TITLE, key_of(merchant.mchid, apply_id), link)
        if source == "WEB":
            return json({"title_url": f"https://pay.weixin.qq.com/fapiao/title?apply_id={quote(apply_id)}"})
        path = f"pages/title/title?apply_id={quote(apply_id)}"
        told = {"miniprogram_appid": "wx" + "0" * 16, "miniprogram_path": path, "miniprogram_user_name": "gh_fapiao"}
        return json(told)

    def fill_in(self, merchant: Merchant, apply_id: str, openid: str, title: Mapping[str, Any]) -> str | None:
        """The buyer fills in a title; why the phone would not let them, or None. The merchant is told."""
        problem = _title_problem(title)
        if problem is not None:
            return problem
        now_ms = self._book.now_ms()
        known = self._book.title(merchant.mchid, apply_id)
        if known is None or now_ms >= known.get("link_ends_ms", 0):
            order = self._book.order(merchant.mchid, apply_id)
            shown = self._book.config(merchant.mchid).get("show_fapiao_cell", False)
            if order is None or not shown:
                return "fapiao_apply_id: no living link and no receipt with an entry for fapiao has this number"
            known = {"openid": order.openid, "total_fen": order.total_fen}
        if openid != known["openid"]:
            return "openid: another buyer's"
        secrets = {name: seal_field(merchant.public_key, title[name]) for name in ("phone", "email") if name in title}
        kept = dict(known) | {"title": dict(title) | secrets}
        notice = self._book.notice(
            merchant.mchid,
            apply_id,
            ("FAPIAO.USER_APPLIED", "用户发票抬头填写完成"),
            {"apply_time": shapes.rfc3339(now_ms)},
            subject=apply_id,
        )
        self._book.keep(TITLE, key_of(merchant.mchid, apply_id), kept, notice)
        return None

    def title(self, merchant: Merchant, call: Call) -> Outcome:
        """GET user-title: what the buyer filled in."""
        closed = self._book.closed()
        if closed is not None:
            return closed
        scene = call.query.get("scene", "")
        if scene not in fapiao_forms.SCENES:
            return parameter("scene", scene, f"must be one of {fapiao_forms.SCENES}", location="query")
        known = self._book.title(merchant.mchid, call.query.get("fapiao_apply_id", ""))
        return FAPIAO_NO_TITLE if known is None or known.get("title") is None else json(known["title"])


def _title_problem(title: Mapping[str, Any]) -> str | None:
    found = fapiao_forms.TITLE.fault(title, "")
    if found is not None:
        detail = found.detail or {}
        return f"title{detail.get('field', '')}: {detail.get('issue', found.message)}"
    if title["type"] == "ORGANIZATION" and "taxpayer_id" not in title:
        return "title/taxpayer_id: is required for ORGANIZATION"
    return None
