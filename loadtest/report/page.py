"""The page of a run: one HTML file that needs nothing else, on a desktop, a phone and paper, in English and Chinese.

Nothing is loaded and nothing runs: charts are inline SVG, the style sheet is part of the file, and the language switch
is two radio buttons that the style sheet listens to. Texts of a profile are input; every one is escaped.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from importlib.resources import files
from pathlib import Path

from loadtest.report.figures import moment, spoken
from loadtest.report.markup import Content, Html, element
from loadtest.report.model import Report
from loadtest.report.sections import books, flow, honesty, inside, latency, origins, verdict
from loadtest.report.sections.common import Section

FILE = "report.html"


def write(report: Report, folder: Path) -> Path:
    """The page into a run's folder, over an older one; where it lies."""
    path = folder / FILE
    path.write_text(page(report, beside={found.name for found in folder.iterdir()}), encoding="utf-8")
    return path


def page(report: Report, *, beside: Collection[str] = ()) -> str:
    """The whole document; `beside`: the names of what lies in its folder."""
    name = str(report.story.get("name", ""))
    title, title_zh = str(report.story.get("title", name)), str(report.story.get("title_zh", ""))
    when = moment(report.started_at)
    word = "PASS" if report.passed else "FAIL"
    header = [
        element("p", " · ".join(["Floodgate", name, when, spoken(report.duration_s)]), class_="kicker"),
        element("h1", _titles(title, title_zh)),
        verdict.banner(report),
        verdict.glance(report),
    ]
    return document(f"{word}: {title} · Floodgate", header, sections(report, beside=beside))


def _titles(en: str, zh: str) -> Content:
    """Each language has its own title first and the other one below."""
    if not zh:
        return en
    return [
        element("span", en, element("small", zh, lang="zh-Hans"), class_="en", lang="en"),
        element("span", zh, element("small", en, lang="en"), class_="zh", lang="zh-Hans"),
    ]


def sections(report: Report, *, beside: Collection[str] = ()) -> list[Section]:
    """In the order a reader needs them."""
    return [
        origins.story(report),
        verdict.slos(report),
        honesty.honesty(report),
        flow.goodput(report),
        latency.latency(report),
        latency.distribution(report),
        inside.stock(report),
        inside.line(report),
        flow.saturation(report),
        *origins.searches(report),
        inside.processors(report),
        inside.memory(report),
        inside.costs(report),
        books.audit(report),
        books.outcomes(report),
        books.cross_checks(report),
        books.ended(report),
        *origins.findings(report),
        origins.origin(report),
        origins.files(beside),
    ]


def document(title: str, header: Iterable[Content], parts: Sequence[Section]) -> str:
    """A page of the lab: its head, the language switch, a header, an index and its sections."""
    switch = (
        element("input", type="radio", name="language", id="choose-en", class_="switch", checked=True),
        element("input", type="radio", name="language", id="choose-zh", class_="switch"),
    )
    chooser = element(
        "div",
        element("label", "English", for_="choose-en", lang="en"),
        element("label", "中文", for_="choose-zh", lang="zh-Hans"),
        class_="chooser",
    )
    index = element("nav", *(element("a", part.title, href=f"#{part.name}") for part in parts))
    body = element("main", chooser, element("header", *header), index, *(part.drawn for part in parts))
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", Html(style())),
    )
    return "<!doctype html>\n" + element("html", head, element("body", *switch, body), lang="en") + "\n"


def style() -> str:
    """The style sheet, which lies beside this module."""
    return files("loadtest.report").joinpath("page.css").read_text(encoding="utf-8")
