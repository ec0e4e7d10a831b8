"""Reading a page as a browser's parser meets it: is it well formed, and what does it ask the network for?"""

from __future__ import annotations

from html.parser import HTMLParser

_VOID = {"meta", "input", "br", "link", "col"}
_ADDRESSES = {"src", "href", "srcset", "action", "data", "poster", "xlink:href", "formaction", "background"}


class Document(HTMLParser):
    """A parsed page: its elements, its texts, its mistakes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.texts: list[str] = []
        self.addresses: list[str] = []
        self.handlers: list[str] = []
        self.ids: list[str] = []
        self.mistakes: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        self.mistakes.extend(f"<{name}> is never closed" for name in self._open)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._meet(tag, attrs)
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._meet(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.mistakes.append(f"</{tag}> closes something else")

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.texts.append(data)

    def _meet(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        names = [name for name, _ in attrs]
        if len(set(names)) < len(names):
            self.mistakes.append(f"<{tag}> has an attribute twice")
        self.addresses.extend(value or "" for name, value in attrs if name in _ADDRESSES)
        self.handlers.extend(name for name in names if name.startswith("on"))
        self.ids.extend(value or "" for name, value in attrs if name == "id")

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())
