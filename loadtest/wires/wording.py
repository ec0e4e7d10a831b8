"""HTTP/1.1 as far as the phones need it: the bytes of a request, and what the bytes of an answer say. Pure.

It reads only what an honest JSON API sends: a status line, headers, a Content-Length. Anything else is a broken
connection to a phone.
"""

from __future__ import annotations

from collections.abc import Mapping

from yarl import URL


def head_for(host: str, port: int) -> str:
    """What every request to one server has in common, behind the path."""
    return f"HTTP/1.1\r\nHost: {host}:{port}\r\nAccept: application/json\r\n"


def request_bytes(
    method: str, url: URL, head: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> bytes:
    """One request; `head` is of `head_for`."""
    own = "".join([f"{name}: {value}\r\n" for name, value in headers.items()]) if headers else ""
    if body is not None:
        text = (
            f"{method} {url.raw_path_qs} {head}{own}Content-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return text.encode() + body
    length = "" if method == "GET" else "Content-Length: 0\r\n"
    return f"{method} {url.raw_path_qs} {head}{own}{length}\r\n".encode()


def answer_in(part: bytes) -> tuple[int, bytes, bool] | None:
    """The status, the body, and whether the connection stays open; None while some of it is still to come.

    Raises ConnectionError for an answer without a Content-Length.
    """
    head_end = part.find(b"\r\n\r\n") + 4
    if head_end < 4:
        return None
    head = part[:head_end].lower()
    if b"\r\ntransfer-encoding:" in head:
        raise ConnectionError("an answer without a Content-Length")
    at = head.find(b"\r\ncontent-length:")
    length = int(head[at + 17 : head.find(b"\r", at + 17)]) if at >= 0 else 0
    if len(part) < head_end + length:
        return None
    return int(head[9:12]), part[head_end : head_end + length], b"\r\nconnection: close" not in head
