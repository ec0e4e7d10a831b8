"""What the page calls things, in both languages: kinds of goodput, measures, processes, figures of the audit.

Whatever the lab names and this list does not know appears under its own name.
"""

from __future__ import annotations

from collections.abc import Iterable

from loadtest.recording.kinds import GOODPUTS
from loadtest.report.markup import Term

KINDS = {
    "joins": Term("Joins", "入队"),
    "polls": Term("Polls", "排队查询"),
    "passes": Term("Passes", "放行凭证"),
    "orders": Term("Orders held", "锁票订单"),
    "refusals": Term("Refusals", "明确拒绝"),
    "checkouts": Term("Checkouts", "拉起支付"),
    "payments": Term("Payments", "支付完成"),
}
KIND_MEANINGS = {
    "joins": Term("a place in the line, given or shown again", "得到或再次看到排队位置"),
    "polls": Term("the line document, or one's own place", "读取排队公告或自己的位置"),
    "passes": Term("the right to order", "得到下单资格"),
    "orders": Term(
        "acknowledged after the ledger has it; asked again, the same order again",
        "账本落库后才确认；重复请求得到同一订单",
    ),
    "refusals": Term("an order answered no, with a reason", "下单被明确告知原因地拒绝"),
    "checkouts": Term("parameters for WeChat's cashier", "得到微信收银台参数"),
    "payments": Term("orders that their buyer saw as paid", "买家已看到支付成功的订单"),
}
MEASURES = {
    "p50_ms": Term("p50", "p50"),
    "p90_ms": Term("p90", "p90"),
    "p99_ms": Term("p99", "p99"),
    "p999_ms": Term("p99.9", "p99.9"),
    "max_ms": Term("slowest", "最慢"),
    "error_share": Term("share of outages", "故障占比"),
    "per_s": Term("per second", "每秒"),
    "count": Term("count", "数量"),
}
PROCESSES = {
    "web": Term("web workers", "Web 进程"),
    "work": Term("background work", "后台任务"),
    "jobs": Term("background work", "后台任务"),
    "postgres": Term("PostgreSQL", "PostgreSQL"),
    "redis": Term("Redis", "Redis"),
    "simulator": Term("WeChat simulator", "微信模拟器"),
    "simulator_signing": Term("of that, signing", "其中：签名"),
    "generator": Term("load generator", "压测端"),
}
AUDIT = {
    "capacity": Term("units for sale", "可售数量"),
    "sold": Term("units sold", "已售数量"),
    "oversold": Term("units oversold", "超卖数量"),
    "undersold": Term("units left though wanted", "该售未售"),
    "paid_orders": Term("paid orders", "已支付订单"),
    "paid_fen": Term("worth of the paid orders, fen", "已支付订单金额，分"),
    "refunded_fen": Term("refunded, fen", "已退款，分"),
    "lost_paid": Term("payments lost", "丢失的支付"),
    "double_paid": Term("paid twice", "重复支付"),
}
STOCK = {"free": Term("free", "可售"), "held": Term("held", "锁定"), "sold": Term("sold", "已售")}
LINE = {
    "waiting": Term("waiting", "等待"),
    "called": Term("called", "已叫号"),
    "admitted": Term("passes used", "已用资格"),
}
ENDS = {
    "paid": Term("paid", "已支付"),
    "paid too late, refunded": Term("paid too late, refunded", "付款过晚，已退款"),
    "came too late to pay": Term("came too late to pay", "来不及支付"),
    "could not pay": Term("could not pay", "无法支付"),
    "cancelled": Term("cancelled", "主动取消"),
    "let the hold lapse": Term("let the hold lapse", "未支付，锁票过期"),
    "did not come when called": Term("did not come when called", "叫号未到"),
    "sold out when called": Term("sold out when called", "叫到时已售罄"),
    "sold out while in the line": Term("sold out while in the line", "排队中售罄"),
    "told: sold out": Term("told: sold out", "被告知售罄"),
    "gave up waiting": Term("gave up waiting", "放弃等待"),
    "gave up while others hold the rest": Term("gave up while others hold the rest", "余票被锁定，放弃等待"),
    "went no further than the line": Term("went no further than the line", "只排队"),
    "went no further than the order": Term("went no further than the order", "只下单"),
    "still asking at the end": Term("still asking at the end", "结束时仍在请求"),
    "met an outage too long": Term("met an outage too long", "故障过久而离开"),
}
EXTRA = {
    "breakpoint": Term("Breakpoint", "极限点"),
    "overload": Term("Overload", "过载"),
    "soak": Term("Soak", "长时间稳定性"),
}


def kind(name: str) -> Term:
    return KINDS.get(name, Term(name, name))


def named(name: str, words: dict[str, Term]) -> Term:
    """A known name in words, an unknown one as it is but without underscores."""
    plain = name.replace("_", " ")
    return words.get(name, Term(plain, plain))


def in_order(names: Iterable[str]) -> list[str]:
    """Kinds of goodput as a visit meets them; unknown ones behind."""
    return sorted(names, key=lambda name: (GOODPUTS.index(name) if name in GOODPUTS else len(GOODPUTS), name))
