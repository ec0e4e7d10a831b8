"""HTML and SVG from plain calls, so that nothing reaches a page unescaped: every text is escaped unless it is markup
already, which only `element` makes.

A page speaks two languages at once. A `Term` carries both; each becomes an element of its own, and the style sheet
shows one of them, whichever the reader has chosen.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import NamedTuple

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
"""What no HTML document may contain."""
_VOID = frozenset({"meta", "input", "br", "link", "col"})
_EMPTY = frozenset({"path", "line", "rect", "circle", "polyline"})
_PLAIN = frozenset({"title", "desc"})
"""Elements that hold text only."""


class Html(str):
    """Markup: goes into a page as it is."""

    __slots__ = ()


class Term(NamedTuple):
    """The same words twice."""

    en: str
    zh: str

    @property
    def plain(self) -> str:
        """Both, where no element can stand."""
        return self.en if self.en == self.zh else f"{self.en} · {self.zh}"


Content = str | Term | Iterable["Content"] | None
Attribute = str | float | bool | None


def escaped(text: str) -> Html:
    """Any text, safe between tags and in quoted attributes."""
    return Html(html.escape(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", text), quote=True))


def join(content: Content, *, inside: str = "") -> Html:
    """Content as markup; `inside` names the element it stands in."""
    if content is None:
        return Html("")
    if isinstance(content, Html):
        return content
    if isinstance(content, Term):
        return _term(content, inside)
    if isinstance(content, str):
        return escaped(content)
    return Html("".join(join(part, inside=inside) for part in content))


def element(name: str, /, *content: Content, **attributes: Attribute) -> Html:
    """One element. Attributes: a trailing underscore is dropped and others become dashes (`class_`, `stroke_width`);
    None and False leave one out, True gives its name alone."""
    head = name + "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Html(f"<{head}>")
    if name in _EMPTY:
        return Html(f"<{head}/>")
    return Html(f"<{head}>{join(content, inside=name)}</{name}>")


def _attribute(key: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f' {name}="{escaped(text)}"'


def _term(term: Term, inside: str) -> Html:
    if inside in _PLAIN:
        return escaped(term.plain)
    if term.en == term.zh:
        return escaped(term.en)
    name = "tspan" if inside in {"text", "tspan"} else "span"
    return Html(element(name, term.en, class_="en", lang="en") + element(name, term.zh, class_="zh", lang="zh-Hans"))
