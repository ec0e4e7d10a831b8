"""The first thing a reader sees: did it hold, and why."""

from __future__ import annotations

from loadtest.report.figures import figure, milliseconds, share, spoken
from loadtest.report.markup import Content, Html, Term, element
from loadtest.report.model import Report, SloResult
from loadtest.report.sections.common import Section, bar, mark, table
from loadtest.report.words import MEASURES, kind, named


def banner(report: Report) -> Html:
    """The verdict, large."""
    word = Term("PASS", "通过") if report.passed else Term("FAIL", "未通过")
    return element(
        "div",
        element("p", element("span", "✓ " if report.passed else "✗ ", aria_hidden="true"), word, class_="word"),
        element("p", Term(report.headline, _headline_zh(report)), class_="headline"),
        class_=f"verdict {'pass' if report.passed else 'fail'}",
    )


def glance(report: Report) -> Html:
    """The figures that one would be asked for first."""
    orders, audit = report.kinds.get("orders"), report.audit.figures
    tiles: list[tuple[Content, Content, Content]] = [
        (
            Term("people who came", "到场人数"),
            f"{report.arrived.intended:,}",
            Term(f"in {spoken(report.duration_s)}", f"历时 {spoken(report.duration_s)}"),
        )
    ]
    if {"sold", "capacity"} <= audit.keys():
        over = audit.get("oversold", 0)
        tiles.append(
            (
                Term("units sold", "售出"),
                f"{audit['sold']:,}",
                Term(f"of {audit['capacity']:,}, {over:,} oversold", f"共 {audit['capacity']:,}，超卖 {over:,}"),
            )
        )
    if orders is not None and orders.count:
        tiles += [
            (
                Term("orders held", "锁票订单"),
                f"{orders.count:,}",
                Term(f"best second {figure(orders.per_s_best)}", f"峰值 {figure(orders.per_s_best)}/秒"),
            ),
            (
                Term("order p99", "下单 p99"),
                milliseconds(orders.p99_ms),
                Term(f"p50 {milliseconds(orders.p50_ms)}", f"p50 {milliseconds(orders.p50_ms)}"),
            ),
        ]
    holding = sum(slo.holds for slo in report.slos)
    tiles.append((Term("SLOs that hold", "SLO 达标"), f"{holding} / {len(report.slos)}", None))
    tiles.append(
        (Term("audit", "审计"), mark(report.audit.holds, Term("agrees", "相符"), Term("disagrees", "不符")), None)
    )
    return element(
        "div",
        *(
            element("div", element("small", name), element("strong", value), element("small", more), class_="tile")
            for name, value, more in tiles
        ),
        class_="tiles",
    )


def slos(report: Report) -> Section:
    rows: list[list[Content]] = []
    for slo in report.slos:
        least = is_least(slo)
        used = None if slo.found is None or not slo.bound else slo.found / slo.bound
        rows.append(
            [
                element("span", element("b", kind(slo.kind)), " ", named(slo.measure, MEASURES), title=slo.words),
                mark(slo.holds),
                ["≥ " if least else "≤ ", _measured(slo, slo.bound)],
                Term("none came", "未发生") if slo.found is None else _measured(slo, slo.found),
                "" if used is None else share(used),
                "" if used is None else bar(used, class_="" if slo.holds else "over"),
            ]
        )
    head = (
        Term("SLO", "SLO"),
        Term("verdict", "结论"),
        Term("bound", "目标"),
        Term("found", "实测"),
        Term("found / bound", "实测 / 目标"),
        "",
    )
    return Section(
        "slo",
        Term("Service levels", "服务水平目标"),
        [table(head, rows, words=(0, 1), class_="slos")]
        if rows
        else [element("p", Term("The profile sets none.", "本剧本未设目标。"))],
        Term(
            "Times count from the moment the person meant to act, over the whole run.",
            "时延从用户本来要操作的那一刻算起，覆盖整场运行。",
        ),
    )


def is_least(slo: SloResult) -> bool:
    """Whether the bound is one to reach rather than one to stay below."""
    return "at least" in slo.words


def _measured(slo: SloResult, value: float) -> Html | str:
    if slo.measure == "error_share":
        return share(value)
    if slo.measure.endswith("_ms"):
        return milliseconds(value)
    return f"{figure(value)} /s" if slo.measure == "per_s" else figure(value)


def _headline_zh(report: Report) -> str:
    """The headline in Chinese, from the facts it stands for."""
    broken = [slo for slo in report.slos if not slo.holds]
    figures = report.audit.figures
    sold = f"{figures['capacity']:,} 张票售出 {figures['sold']:,} 张" if {"sold", "capacity"} <= figures.keys() else ""
    if report.passed:
        return "；".join(filter(None, [sold, f"账目全部相符，{len(report.slos)} 项 SLO 全部达标。"]))
    said = [sold] if sold else []
    if not report.audit.holds:
        said.append(f"审计发现 {len(report.audit.reasons)} 处不符")
    if broken:
        names = "、".join(f"{kind(slo.kind).zh} {named(slo.measure, MEASURES).zh}" for slo in broken)
        said.append(f"{len(broken)} 项 SLO 未达标（{names}）")
    if not report.arrived.holds:
        said.append(f"压测端错过 {share(report.arrived.share)} 的到场")
    return "；".join(said or ["本次运行没有得出通过的结论"]) + "。"
