"""What every section is made of: its heading, its tables, a mark for yes and no."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

from loadtest.report.markup import Content, Html, Term, element
from loadtest.report.words import kind


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the page; `name` is its anchor."""

    name: str
    title: Term
    content: Sequence[Html]
    lead: Content = None
    """One or two sentences: how to read what follows."""

    @property
    def drawn(self) -> Html:
        lead = element("p", self.lead, class_="lead") if self.lead else None
        return element("section", element("h2", self.title), lead, *self.content, id=self.name)


def table(
    head: Sequence[Content], rows: Sequence[Sequence[Content]], *, words: Container[int] = (0,), class_: str = ""
) -> Html:
    """A table with words in some columns and numbers in the others. A row's first cell is its head."""

    def looks(n: int) -> str | None:
        return None if n in words else "number"

    heads = element("tr", *(element("th", cell, scope="col", class_=looks(n)) for n, cell in enumerate(head)))
    lines = [
        element(
            "tr",
            *(
                element("th" if n == 0 else "td", cell, scope="row" if n == 0 else None, class_=looks(n))
                for n, cell in enumerate(row)
            ),
        )
        for row in rows
    ]
    parts = element("table", element("thead", heads), element("tbody", *lines), class_=class_ or None)
    return element("div", parts, class_="scroll", tabindex=0)


def pairs(rows: Sequence[tuple[Content, Content]]) -> Html:
    """Names and what belongs to them."""
    return element("dl", *(element("div", element("dt", name), element("dd", value)) for name, value in rows))


def mark(holds: bool, yes: Term | None = None, no: Term | None = None) -> Html:
    """A sign and a word: never colour alone."""
    words = (yes or Term("holds", "达标")) if holds else (no or Term("broken", "未达标"))
    return element("span", "✓ " if holds else "✗ ", words, class_="yes" if holds else "no")


def bar(of: float, *, class_: str = "") -> Html:
    """A length within a table's cell, `of` 1."""
    length = f"width:{min(1.0, max(0.0, of)) * 100:.1f}%"
    return element("i", element("b", style=length), class_=f"bar {class_}".strip())


def bullets(lines: Sequence[Content], *, class_: str | None = None) -> Html:
    return element("ul", *(element("li", line) for line in lines), class_=class_)


def silence(names: list[str]) -> Term:
    """What has nothing to show."""
    if not names:
        return Term("Nothing of this was measured in this run.", "本次运行没有测到这类数据。")
    return Term(
        "Not drawn, because none came: " + ", ".join(kind(name).en for name in names) + ".",
        "未绘制（没有发生）：" + "、".join(kind(name).zh for name in names) + "。",
    )
