"""The bytes of every request the bench sends, made before a clock starts.

Buyers are made here, not logged in: their seals and passes are signed with the bench's own keys by the
engine's own code, so that the login and the line stay out of what is measured.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

import orjson


def sku_of(sale: str) -> str:
    """The one SKU of a sale of the bench."""
    return f"{sale}-floor"


def post(path: str, body: bytes, **headers: str) -> bytes:
    """A POST of JSON; underscores in header names stand for hyphens."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\n{_lines(headers)}"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def get(path: str, **headers: str) -> bytes:
    """A GET, with headers as for a POST."""
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\n{_lines(headers)}\r\n".encode()


def _lines(headers: Mapping[str, str]) -> str:
    return "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())


def order_body(sale: str) -> bytes:
    """One unit of the sale's only SKU."""
    return orjson.dumps({"items": [{"sku": sku_of(sale), "quantity": 1}]})


def echo(sale: str) -> bytes:
    """The yardstick's request: an order's body and no header more than it needs."""
    return post("/echo", order_body(sale))


def reference_order(sale: str) -> bytes:
    """An order at a reference design, which asks for a buyer and for nothing else."""
    return post("/orders", order_body(sale), Authorization="Bearer bench")


def line_poll(sale: str, *, etag: str | None = None) -> bytes:
    return get(f"/v1/sales/{sale}/line", **({"If_None_Match": etag} if etag else {}))


def join(sale: str, *, seal: str) -> bytes:
    return post(f"/v1/sales/{sale}/places", b"{}", Authorization=f"Bearer {seal}")


def claim(sale: str, *, seal: str, place: str) -> bytes:
    """A pass, for somebody who is called."""
    return post(f"/v1/sales/{sale}/pass", b"", Authorization=f"Bearer {seal}", Floodgate_Place=place)


def position(sale: str, *, seal: str, place: str) -> bytes:
    """Where somebody stands."""
    return get(f"/v1/sales/{sale}/places/me", Authorization=f"Bearer {seal}", Floodgate_Place=place)


def order(sale: str, *, seal: str, sale_pass: str) -> bytes:
    """An order of a new request: its Idempotency-Key was never used before."""
    return post(
        f"/v1/sales/{sale}/orders",
        order_body(sale),
        Authorization=f"Bearer {seal}",
        Floodgate_Pass=sale_pass,
        Idempotency_Key=secrets.token_hex(16),
    )
