"""Where the run comes from: its story and sources, the machine, the versions, how to play it again, what it left."""

from __future__ import annotations

import json
from collections.abc import Collection

from loadtest.report.figures import figure, moment, spoken
from loadtest.report.markup import Content, Term, element
from loadtest.report.model import Report
from loadtest.report.sections.anything import anything
from loadtest.report.sections.common import Section, bullets, pairs, table
from loadtest.report.words import EXTRA

FILES = (
    ("report.json", Term("everything on this page, as numbers", "本页全部数据")),
    ("timeline.csv", Term("one row per second, one column per series", "每秒一行，每个序列一列")),
    ("latencies.csv", Term("kind, percentile, milliseconds", "类别、百分位、毫秒")),
    ("histograms/", Term("an HdrHistogram interval log for each kind", "各类别的 HdrHistogram 区间日志")),
    ("profile.toml", Term("the profile as it was played", "实际执行的剧本")),
    ("logs/", Term("what the processes wrote", "各进程日志")),
)
MAYBE = (
    ("sale.toml", Term("the sale as it was applied", "实际应用的销售文件")),
    ("draw/", Term("what anybody needs to check the draw", "任何人验证抽签所需的材料")),
)


def story(report: Report) -> Section:
    told = report.story
    content = [element("p", str(told.get("about", "")), class_="about")]
    sources = told.get("sources") or []
    if sources:
        content.append(element("h3", Term("Where its numbers come from", "数据来源")))
        content.append(bullets([str(source) for source in sources], class_="sources"))
    return Section("story", Term("The story", "剧本"), content)


def searches(report: Report) -> list[Section]:
    """What a search or a soak found, in tables of whatever it wrote down."""
    return [
        Section(name, words, [anything(report.extra[name])]) for name, words in EXTRA.items() if report.extra.get(name)
    ]


def findings(report: Report) -> list[Section]:
    """Whatever else the lab wrote down."""
    there = {
        name: found
        for name, found in report.extra.items()
        if name not in EXTRA and found is not None and found not in ({}, [], "")
    }
    return [Section("findings", Term("Further findings", "其他发现"), [anything(there)])] if there else []


def origin(report: Report) -> Section:
    machine = report.machine
    rows: list[tuple[Content, Content]] = [
        (Term("profile", "剧本"), element("code", f"{report.story.get('name', '')} {report.digest}")),
        (Term("seed", "随机种子"), element("code", str(report.seed))),
        (Term("started", "开始时间"), moment(report.started_at)),
        (Term("lasted", "历时"), spoken(report.duration_s)),
        (Term("machine", "机器"), f"{machine.cpu}, {machine.cores} cores, {figure(machine.memory_gib)} GiB"),
        (Term("system", "系统"), machine.system),
        (Term("load before the run", "运行前负载"), figure(machine.load_before)),
        (Term("report schema", "报告格式"), str(report.schema)),
        *((name, element("code", version)) for name, version in report.versions.items()),
    ]
    again = element("pre", element("code", report.command))
    played = json.dumps(report.profile, indent=2, ensure_ascii=False, default=str)
    return Section(
        "origin",
        Term("Where it ran, and how to run it again", "运行环境与复现"),
        [
            pairs(rows),
            element("h3", Term("Command", "命令")),
            again,
            element(
                "details",
                element("summary", Term("The whole profile as it was played", "实际执行的完整剧本")),
                element("pre", element("code", played)),
            ),
        ],
    )


def files(beside: Collection[str] = ()) -> Section:
    """The folder's files; of those that not every run has, the ones that lie `beside` the page."""
    there = [*FILES, *((name, words) for name, words in MAYBE if name.rstrip("/") in beside)]
    rows: list[list[Content]] = [[element("a", name, href=name), words] for name, words in there]
    return Section(
        "files",
        Term("Raw files", "原始文件"),
        [table((Term("file", "文件"), Term("holds", "内容")), rows, words=(0, 1))],
        Term("They lie beside this page.", "与本页位于同一文件夹。"),
    )
