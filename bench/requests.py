"""The bytes of every request the bench sends, made before a clock starts.

Buyers are made here, not logged in: their seals and passes are signed with the bench's own keys by the
engine's own code, so that the login and the line stay out of what is measured.
"""

from __future__ import annotations

import secrets

import orjson


def sku_of(sale: str) -> str:
    """The one SKU of a sale of the bench."""
    return f"{sale}-floor"


def post(path: str, body: bytes, **headers: str) -> bytes:
    """A POST of JSON; underscores in header names stand for hyphens."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\n{lines}"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()


def order_body(sale: str) -> bytes:
    """One unit of the sale's only SKU."""
    return orjson.dumps({"items": [{"sku": sku_of(sale), "quantity": 1}]})


def echo(sale: str) -> bytes:
    """The yardstick's request: an order's body and no header more than it needs."""
    return post("/echo", order_body(sale))


def reference_order(sale: str) -> bytes:
    """An order at a reference design, which asks for a buyer and for nothing else."""
    return post("/orders", order_body(sale), Authorization="Bearer bench")


def line_poll(sale: str) -> bytes:
    return get(f"/v1/sales/{sale}/line")


def join(sale: str, *, seal: str) -> bytes:
    return post(f"/v1/sales/{sale}/places", b"{}", Authorization=f"Bearer {seal}")


def order(sale: str, *, seal: str, sale_pass: str) -> bytes:
    """An order of a new request: its Idempotency-Key was never used before."""
    return post(
        f"/v1/sales/{sale}/orders",
        order_body(sale),
        Authorization=f"Bearer {seal}",
        Floodgate_Pass=sale_pass,
        Idempotency_Key=secrets.token_hex(16),
    )
