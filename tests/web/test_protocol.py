"""HTTP itself: addresses, methods, languages, entity tags, and what each listener has."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.buyer import Buyer, Crowd
from tests.support.engine import Engine, OnSale
from tests.web import raw

DOCUMENT: dict[str, Any] = json.loads(
    (Path(__file__).resolve().parents[2] / "engine" / "web" / "openapi.json").read_bytes()
)
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND")
BOTH = {"/openapi.json"}
ADMIN = {path for path, item in DOCUMENT["paths"].items() if "servers" in item} - BOTH
PUBLIC = set(DOCUMENT["paths"]) - ADMIN


def concrete(path: str) -> str:
    return path.replace("{sale}", "concert").replace("{no}", "A" * 26)


def methods_of(path: str) -> set[str]:
    named = {method.upper() for method in DOCUMENT["paths"][path] if method.upper() in METHODS}
    return named | {"OPTIONS"} | ({"HEAD"} if "GET" in named else set())


@pytest.mark.parametrize("path", sorted(PUBLIC | ADMIN))
async def test_other_method_is_405_and_names_those_that_are_taken(engine: Engine, crowd: Crowd, path: str) -> None:
    url = (engine.admin_url if path in ADMIN else engine.public_url) + concrete(path)
    for method in set(METHODS) - methods_of(path):
        answer = await crowd.ask(method, url)
        assert (answer.status, answer.code) == (405, "METHOD_NOT_ALLOWED"), method
        assert set(answer.headers["Allow"].split(", ")) == methods_of(path)


@pytest.mark.parametrize("path", sorted(PUBLIC | ADMIN))
async def test_options_names_the_methods(engine: Engine, crowd: Crowd, path: str) -> None:
    answer = await crowd.ask("OPTIONS", (engine.admin_url if path in ADMIN else engine.public_url) + concrete(path))
    assert (answer.status, answer.raw) == (204, b"")
    assert set(answer.headers["Allow"].split(", ")) == methods_of(path)


@pytest.mark.parametrize("path", sorted(PUBLIC - BOTH))
async def test_public_address_is_not_on_the_admin_listener(engine: Engine, crowd: Crowd, path: str) -> None:
    answer = await crowd.ask("OPTIONS", engine.admin_url + concrete(path))
    assert (answer.status, answer.code) == (404, "UNKNOWN_ROUTE")


@pytest.mark.parametrize("path", sorted(ADMIN))
async def test_admin_address_is_not_on_the_public_listener(crowd: Crowd, path: str) -> None:
    answer = await crowd.ask("OPTIONS", concrete(path))
    assert (answer.status, answer.code) == (404, "UNKNOWN_ROUTE")


@pytest.mark.parametrize("path", sorted(ADMIN | BOTH))
async def test_jobs_have_the_admin_addresses_too(engine: Engine, crowd: Crowd, path: str) -> None:
    assert (await crowd.ask("OPTIONS", engine.jobs_admin_url + concrete(path))).status == 204


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "//",
        "/%",
        "/v1",
        "/v1/",
        "/v1/orders/",
        "/V1/orders",
        "/v1//orders",
        "/v1/sales",
        "/v1/sales/",
        "/v1/sales//line",
        "/v1/sales/concert/line/",
        "/v1/sales/concert/places/you",
        "/wechatpay",
        "/favicon.ico",
        "/" + "a" * 3000,
    ],
    ids=lambda path: path[:40],
)
async def test_address_with_nothing_there_is_404(crowd: Crowd, path: str) -> None:
    answer = await crowd.ask("GET", path)
    assert (answer.status, answer.code) == (404, "UNKNOWN_ROUTE")


@pytest.mark.parametrize("path", ["/v1/sales/{}", "/v1/sales/{}/line", "/openapi.json"])
async def test_head_is_get_without_its_body(crowd: Crowd, sale: OnSale, path: str) -> None:
    path = path.format(sale.sale_id)
    for _ in range(100):
        got, asked, after = [await crowd.ask(method, path) for method in ("GET", "HEAD", "GET")]
        if len(got.raw) == len(after.raw) == int(asked.headers["Content-Length"]):
            break
        await asyncio.sleep(0.05)  # the line has moved on meanwhile, or another worker is a moment behind
    assert (asked.status, asked.raw) == (200, b"")
    assert asked.headers["Content-Type"] == got.headers["Content-Type"]
    assert (int(asked.headers["Content-Length"]), len(after.raw)) == (len(got.raw), len(got.raw))


async def test_head_on_a_refusal_has_no_body(crowd: Crowd) -> None:
    answer = await crowd.ask("HEAD", "/v1/orders")
    assert (answer.status, answer.raw) == (401, b"")


async def test_connection_serves_on_after_head_and_options(engine: Engine, sale: OnSale) -> None:
    pieces = [b"HEAD /v1/orders HTTP/1.1\r\nHost: t\r\n\r\n", b"OPTIONS /v1/orders HTTP/1.1\r\nHost: t\r\n\r\n"]
    found = await raw.send(engine.public_url, *pieces, raw.head("GET", f"/v1/sales/{sale.sale_id}"))
    assert found.count == 3
    assert sale.sale_id.encode() in found.sent.rpartition(b"\r\n\r\n")[2]


async def test_pipelined_requests_are_answered_in_order(engine: Engine, sale: OnSale) -> None:
    one = f"GET /v1/sales/{sale.sale_id}/line HTTP/1.1\r\nHost: t\r\n\r\n".encode()
    found = await raw.send(engine.public_url, one * 50 + raw.head("GET", "/nowhere"))
    assert found.count == 51
    assert found.sent.rpartition(b"HTTP/1.1 ")[2].startswith(b"404")


@pytest.mark.parametrize("language", ["zh", "zh-CN", "ZH-Hans-CN,en;q=0.5"])
async def test_problem_is_told_in_chinese(crowd: Crowd, language: str) -> None:
    answer = await crowd.ask("GET", "/v1/orders", headers={"Accept-Language": language})
    assert answer.json["title"] == "请先登录，登录已失效。"


@pytest.mark.parametrize("language", ["", "en", "fr,zh;q=0.1", "z", "票", "*"])
async def test_problem_is_told_in_english(crowd: Crowd, language: str) -> None:
    answer = await crowd.ask("GET", "/v1/orders", headers={"Accept-Language": language})
    assert answer.json["title"] == "Log in first; the login is missing or has expired."


async def test_problem_repeats_its_status_and_names_its_type(crowd: Crowd) -> None:
    answer = await crowd.ask("GET", "/v1/sales/none")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json == {
        "type": "urn:floodgate:problem:unknown-sale",
        "title": "There is no such sale.",
        "status": 404,
        "code": "UNKNOWN_SALE",
    }


async def test_sale_is_told_once_to_who_has_it(crowd: Crowd, sale: OnSale) -> None:
    path = f"/v1/sales/{sale.sale_id}"
    first = await crowd.ask("GET", path)
    again = await crowd.ask("GET", path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.raw, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    other = await crowd.ask("GET", path, headers={"If-None-Match": '"0000000000000000"'})
    assert (other.status, other.raw) == (200, first.raw)


async def test_line_is_told_once_to_who_has_it(crowd: Crowd, sale: OnSale) -> None:
    path = f"/v1/sales/{sale.sale_id}/line"
    for _ in range(20):  # a refresh may come between the two
        first = await crowd.ask("GET", path)
        again = await crowd.ask("GET", path, headers={"If-None-Match": first.headers["ETag"]})
        if again.headers["ETag"] == first.headers["ETag"]:
            break
    assert (again.status, again.raw) == (304, b"")
    assert again.headers["Cache-Control"] == "public, max-age=1"


@pytest.mark.parametrize("shown", ["*", "W/{}", '"x", {}', '"x",{} , "y"'])
async def test_any_form_of_a_matching_tag_is_304(crowd: Crowd, sale: OnSale, shown: str) -> None:
    path = f"/v1/sales/{sale.sale_id}"
    etag = (await crowd.ask("GET", path)).headers["ETag"]
    assert (await crowd.ask("GET", path, headers={"If-None-Match": shown.format(etag)})).status == 304


async def test_both_listeners_serve_the_description(engine: Engine, crowd: Crowd) -> None:
    for url in (engine.public_url, engine.admin_url, engine.jobs_admin_url):
        assert (await crowd.ask("GET", f"{url}/openapi.json")).json == DOCUMENT


async def test_metrics_hold_no_id(engine: Engine, crowd: Crowd, buyer: Buyer, sale: OnSale) -> None:
    order_no = (await buyer.order(sale.sale_id, {sale.skus[0]: 1})).json["order_no"]
    await buyer.ask("GET", f"/v1/orders/{order_no}")
    metrics = (await crowd.ask("GET", f"{engine.admin_url}/metrics")).raw.decode()
    assert 'route="GET /v1/orders/{no}"' in metrics
    for secret in (order_no, buyer.openid, buyer.seal, sale.sale_id, sale.skus[0]):
        assert secret not in metrics


async def test_logs_hold_no_seal_and_no_openid(engine: Engine, buyer: Buyer, sale: OnSale) -> None:
    await buyer.order(sale.sale_id, {sale.skus[0]: 1})
    await raw.send(engine.public_url, b"GET /\x00" + buyer.seal.encode() + b" HTTP/9\r\nX: y\r\n\r\n")
    log = engine.workers[0].log.read_text()
    for secret in (buyer.openid, buyer.seal, buyer.passes[sale.sale_id], engine.admin_key):
        assert secret not in log


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: t\r\nX: a\x00b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: t\r\nX: a\x7f\rb\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: t\r\n X: folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: t\r\nNo colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: t\r\nSpaced : x\r\n\r\n",
        b"GET /\xff HTTP/1.1 extra\r\n\r\n",
        b"POST /v1/login HTTP/1.1\r\nHost: t\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/login HTTP/1.1\r\nHost: t\r\nContent-Length: +5\r\n\r\n{}",
        b"POST /v1/login HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /v1/login HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/login HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: t\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: t\r\nX: " + b"a" * 9000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: t\r\n" + b"X: y\r\n" * 100 + b"\r\n",
    ],
    ids=lambda sent: repr(sent[:50]),
)
async def test_what_is_not_http_is_400_and_ends_the_connection(engine: Engine, sent: bytes) -> None:
    found = await raw.send(engine.public_url, sent)
    assert found.status == 400
    assert found.code == "REQUEST_INVALID"
    assert b"Connection: close" in found.head


async def test_broken_chunk_is_refused_and_ends_the_connection(engine: Engine) -> None:
    start = b"POST /v1/login HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
    found = await raw.send(engine.public_url, start, b"zz\r\n{}\r\n0\r\n\r\n")
    # Whether it comes with the head or behind it decides which of the two is noticed first.
    assert found.code in ("REQUEST_INVALID", "BODY_INVALID")
    assert found.count == 1


async def test_http_1_0_is_served_and_closed(engine: Engine, sale: OnSale) -> None:
    found = await raw.send(engine.public_url, f"GET /v1/sales/{sale.sale_id} HTTP/1.0\r\n\r\n".encode())
    assert found.status == 200


async def test_header_that_is_not_utf_8_is_only_a_wrong_header(engine: Engine, sale: OnSale) -> None:
    for url, path in [
        (engine.admin_url, f"/admin/v1/sales/{sale.sale_id}"),
        (engine.public_url, "/v1/orders"),
    ]:
        sent = f"GET {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n".encode()
        found = await raw.send(url, sent + b"Authorization: Bearer \xff\xfe\r\nAccept-Language: \xff\r\n\r\n")
        assert (found.status, found.code) == (401, "LOGIN_REQUIRED")


async def test_idempotency_key_that_is_not_utf_8_is_400(engine: Engine, buyer: Buyer, sale: OnSale) -> None:
    sent = raw.head(
        "POST",
        f"/v1/sales/{sale.sale_id}/orders",
        f"Authorization: Bearer {buyer.seal}",
        f"Floodgate-Pass: {buyer.passes[sale.sale_id]}",
        "Content-Length: 0",
        "Idempotency-Key: KEY",
    )
    found = await raw.send(engine.public_url, sent.replace(b"KEY", b"\xff" * 12))
    assert (found.status, found.code) == (400, "KEY_INVALID")
