"""Whether the books agree: the audit, every answer counted, the other generator's opinion, and how it ended."""

from __future__ import annotations

from loadtest.report.canvas import nothing
from loadtest.report.figures import figure, share
from loadtest.report.markup import Content, Term, element
from loadtest.report.model import Report
from loadtest.report.sections.common import Section, bar, bullets, mark, silence, table
from loadtest.report.words import AUDIT, ENDS, named

_ALARMING = frozenset({"oversold", "undersold", "lost_paid", "double_paid"})
"""Figures that must be 0."""


def audit(report: Report) -> Section:
    found = report.audit
    verdict = mark(found.holds, Term("the books agree", "账目相符"), Term("the books disagree", "账目不符"))
    content = [element("p", verdict, class_="big")]
    if found.reasons:
        content.append(element("h3", Term("Every disagreement", "全部不符之处")))
        content.append(bullets(found.reasons, class_="reasons"))
    rows: list[list[Content]] = []
    for name, value in found.figures.items():
        alarming = name in _ALARMING and value != 0
        rows.append([named(name, AUDIT), element("b", f"{value:,}", class_="no") if alarming else f"{value:,}"])
    if rows:
        content.append(table((Term("figure", "项目"), Term("count", "数值")), rows, class_="slim"))
    if found.checked:
        content.append(element("h3", Term("What was compared", "核对了什么")))
        content.append(bullets(found.checked))
    return Section(
        "audit",
        Term("Audit", "审计"),
        content,
        Term(
            "After the last buyer, the ledger, Redis, WeChat's books and what every buyer was told are held against "
            "each other.",
            "最后一位买家离开后，将账本、Redis、微信账单与每位买家被告知的结果互相核对。",
        ),
    )


def outcomes(report: Report) -> Section:
    title = Term("Every answer", "全部应答")
    lead = Term(
        "By kind of request: what came back, how often. A refusal is an answer; an outage is none.",
        "按请求类别统计返回结果与次数。拒绝也是应答，故障则不是。",
    )
    if not report.outcomes:
        return Section("outcomes", title, [nothing(silence([]))], lead)
    rows: list[list[Content]] = []
    for name in sorted(report.outcomes):
        counts = report.outcomes[name]
        total = sum(counts.values()) or 1
        for n, (outcome, count) in enumerate(sorted(counts.items(), key=lambda item: -item[1])):
            outage = outcome.startswith("outage:")
            rows.append(
                [
                    element("b", name) if n == 0 else "",
                    element("code", outcome, class_="no" if outage else None),
                    f"{count:,}",
                    share(count / total),
                    bar(count / total, class_="over" if outage else ""),
                ]
            )
    head = (Term("request", "请求"), Term("outcome", "结果"), Term("count", "次数"), Term("share", "占比"), "")
    return Section("outcomes", title, [table(head, rows, words=(0, 1), class_="outcomes")], lead)


def cross_checks(report: Report) -> Section:
    title = Term("Cross-check", "交叉验证")
    lead = Term(
        "The same reads by another generator, in turns with ours.",
        "由另一个压测工具轮流执行同样的读取。",
    )
    if not report.cross_checks:
        return Section("cross-checks", title, [nothing(Term("None in this run.", "本次运行未做。"))], lead)
    rows: list[list[Content]] = []
    for check in report.cross_checks:
        measures = list(dict.fromkeys([*check.ours, *check.theirs]))
        for n, measure in enumerate(measures):
            ours, theirs = check.ours.get(measure), check.theirs.get(measure)
            ratio = theirs / ours if ours and theirs is not None else None
            rows.append(
                [
                    [element("code", check.path), " ", check.tool] if n == 0 else "",
                    named(measure, {}) if measure != "per_s" else Term("per second", "每秒"),
                    f"{figure(check.rate_per_s)} /s" if check.rate_per_s else Term("flat out", "全速"),
                    figure(ours),
                    figure(theirs),
                    figure(ratio),
                ]
            )
    head = (
        Term("path", "路径"),
        Term("measure", "指标"),
        Term("asked for", "给定速率"),
        Term("ours", "本工具"),
        Term("theirs", "对方"),
        Term("theirs / ours", "对方 / 本工具"),
    )
    agreed = mark
    words = [
        element(
            "li",
            agreed(check.agree, Term("agree", "一致"), Term("disagree", "不一致")),
            " ",
            element("code", check.path),
            " ",
            check.tool,
            ": ",
            check.words,
        )
        for check in report.cross_checks
    ]
    return Section("cross-checks", title, [table(head, rows, words=(0, 1)), element("ul", *words)], lead)


def ended(report: Report) -> Section:
    title = Term("How it ended for the people", "每个人的结局")
    if not report.ended:
        return Section("ended", title, [nothing(silence([]))])
    total = sum(report.ended.values()) or 1
    rows: list[list[Content]] = [
        [named(name, ENDS), f"{count:,}", share(count / total), bar(count / total)]
        for name, count in sorted(report.ended.items(), key=lambda item: -item[1])
    ]
    head = (Term("end", "结局"), Term("people", "人数"), Term("share", "占比"), "")
    return Section("ended", title, [table(head, rows)])
