"""The whole way with real processes: a phone, the engine, its jobs, and the simulator as WeChat."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import FieldType
from engine.embedded.postgres import run_sql
from engine.miniprogram.fields import FieldRefused, fit
from engine.simulator.keys import credentials
from engine.simulator.weixin import keywords
from engine.simulator.weixin.mini_program import phone
from tests.conftest import url_of_database
from tests.support.buyer import Answer, Buyer, Crowd, clock_s
from tests.support.engine import Engine, OnSale, Stores, sale_text

TEMPLATES = {
    "paid": {
        "template_id": "tpl-paid-0001",
        "page": "pages/order/order?no={order_no}",
        "fields": {
            "thing1": "{event} {session}",
            "time2": "{starts_at}",
            "amount3": "{amount}",
            "number4": "{quantity}",
            "character_string5": "{order_no}",
        },
    },
    "changed": {"template_id": "tpl-changed-0001", "fields": {"thing1": "{venue}", "date2": "{starts_at}"}},
    "refunded": {
        "template_id": "tpl-refunded-0001",
        "fields": {"amount1": "{refund_amount}", "phrase2": "退款成功"},
    },
}
SETTINGS = {
    "MINIPROGRAM_TEMPLATES": json.dumps(TEMPLATES),
    "MINIPROGRAM_SHIPPING": "true",
    "MINIPROGRAM_PHONE": "true",
    "MINIPROGRAM_ITEM_DESC": "{event} {tickets}",
}


@pytest.fixture(scope="module")
def engine_database_url(postgres_url: str, database_template: str) -> Iterator[str]:
    name = f"test_{secrets.token_hex(6)}"
    run_sql(postgres_url, f"CREATE DATABASE {name} TEMPLATE {database_template}")
    yield url_of_database(postgres_url, name)
    run_sql(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def engine(redis_url: str, engine_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    home = tmp_path_factory.mktemp("merchant")
    credentials.ensure(home)
    stores = Stores(redis_url=redis_url, postgres_url=engine_database_url)
    with Engine(tmp_path_factory.mktemp("engine"), stores, merchant_home=home, settings=SETTINGS) as engine:
        yield engine


@pytest.fixture(scope="module")
def sale(engine: Engine) -> OnSale:
    sale = engine.sell({"floor": 1000})
    engine.wait_until_live(sale.sale_id)
    return sale


@pytest.fixture
async def crowd(engine: Engine) -> AsyncIterator[Crowd]:
    async with engine.crowd() as crowd:
        registered = {each["template_id"]: list(each["fields"]) for each in TEMPLATES.values()}
        done = await crowd.ask("PUT", f"{engine.simulator_url}/_admin/templates", body=registered)
        assert done.status == 200, done
        yield crowd


@pytest.fixture
async def buyer(crowd: Crowd, sale: OnSale) -> Buyer:
    return await crowd.ready_buyer(sale.sale_id)


async def subscribe(buyer: Buyer, *kinds: str, accept: bool = True) -> dict[str, Any]:
    """wx.requestSubscribeMessage; the body of the report that follows."""
    crowd = buyer.crowd
    ids = [TEMPLATES[kind]["template_id"] for kind in kinds]
    tapped = await crowd.ask(
        "POST",
        f"{crowd.simulator_url}/_buyer/subscribe",
        body={"openid": buyer.openid, "template_ids": ids, "accept": accept},
    )
    assert tapped.status == 200, tapped
    return {"kinds": list(kinds), "results": {name: tapped.json[name] for name in ids}}


async def report(buyer: Buyer, body: Any, *, key: str = "") -> Answer:
    headers = {"Idempotency-Key": key or secrets.token_hex(8)}
    return await buyer.ask("POST", "/v1/subscriptions", body=body, headers=headers)


def accepted(answer: Answer) -> dict[str, int]:
    return {each["kind"]: each["accepted"] for each in answer.json["templates"]}


async def paid_order(buyer: Buyer, sale: OnSale) -> str:
    placed = await buyer.order(sale.sale_id, {sale.skus[0]: 2})
    assert placed.status == 201, placed
    order_no = str(placed.json["order_no"])
    await buyer.pay(order_no)
    return order_no


async def until_there(look: Callable[[], Awaitable[list[Any]]], *, patience_s: float = 15.0) -> list[Any]:
    """Look again until something is there."""
    until_s = clock_s() + patience_s
    while not (found := await look()):
        assert clock_s() < until_s, "nothing came"
        await asyncio.sleep(0.05)
    return found


async def messages_to(buyer: Buyer, kind: str) -> list[Any]:
    told = await buyer.crowd.ask("GET", f"{buyer.crowd.simulator_url}/_admin/messages")
    template_id = TEMPLATES[kind]["template_id"]
    return [each for each in told.json["sent"] if (each["openid"], each["template_id"]) == (buyer.openid, template_id)]


async def shipped(crowd: Crowd, order_no: str) -> list[Any]:
    told = await crowd.ask("GET", f"{crowd.simulator_url}/_admin/shipping")
    return [each for each in told.json["orders"] if order_no in json.dumps(each)]


async def test_a_buyer_who_accepted_is_told_of_the_payment_by_wechat(buyer: Buyer, sale: OnSale) -> None:
    await report(buyer, await subscribe(buyer, "paid"))
    order_no = await paid_order(buyer, sale)
    (message,) = await until_there(lambda: messages_to(buyer, "paid"))
    assert message["page"] == f"pages/order/order?no={order_no}"
    assert {name: told["value"] for name, told in message["data"].items()} == {
        "thing1": "Event Evening",
        "time2": "2027年6月12日 19:30",
        "amount3": "¥2.00",
        "number4": "2",
        "character_string5": order_no,
    }
    assert accepted(await buyer.ask("GET", "/v1/subscriptions"))["paid"] == 0


async def test_an_acceptance_after_the_payment_wakes_the_message(buyer: Buyer, sale: OnSale, engine: Engine) -> None:
    order_no = await paid_order(buyer, sale)
    await buyer.wait_for_state(order_no, "paid")

    async def waiting() -> list[Any]:
        conn = await asyncpg.connect(engine.stores.postgres_url)
        try:
            return await conn.fetch(
                "select 1 from duties where subject = $1 and kind = 'tell_paid' and outcome = 'not_subscribed'",
                order_no,
            )
        finally:
            await conn.close()

    await until_there(waiting)
    await report(buyer, await subscribe(buyer, "paid"))
    assert len(await until_there(lambda: messages_to(buyer, "paid"))) == 1


async def test_wechat_is_told_that_the_tickets_are_delivered(buyer: Buyer, sale: OnSale) -> None:
    order_no = await paid_order(buyer, sale)
    (found,) = await until_there(lambda: shipped(buyer.crowd, order_no))
    assert "Event floor ×2" in json.dumps(found, ensure_ascii=False)


async def test_one_correction_of_a_delivery_is_taken_and_no_second(buyer: Buyer, sale: OnSale, engine: Engine) -> None:
    order_no = await paid_order(buyer, sale)
    await until_there(lambda: shipped(buyer.crowd, order_no))
    url = f"{engine.admin_url}/admin/v1/orders/{order_no}/shipping"
    operator = {"Authorization": f"Bearer {engine.admin_key}"}

    async def corrected() -> list[int]:
        answer = await buyer.crowd.ask("POST", url, headers=operator)
        return [answer.status] if answer.status != 409 else []

    assert await until_there(corrected) == [202]  # 409 until the first report is written down here
    assert (await buyer.crowd.ask("POST", url, headers=operator)).code == "NOT_CORRECTABLE"


async def test_a_refund_is_told(buyer: Buyer, sale: OnSale, engine: Engine) -> None:
    await report(buyer, await subscribe(buyer, "refunded"))
    order_no = await paid_order(buyer, sale)
    await buyer.wait_for_state(order_no, "paid")
    refunded = await buyer.crowd.ask(
        "POST",
        f"{engine.admin_url}/admin/v1/orders/{order_no}/refunds",
        body={"whole": True, "reason": "Rain"},
        headers={"Authorization": f"Bearer {engine.admin_key}", "Idempotency-Key": secrets.token_hex(8)},
    )
    assert refunded.status == 201, refunded
    (message,) = await until_there(lambda: messages_to(buyer, "refunded"))
    assert message["data"] == {"amount1": {"value": "¥2.00"}, "phrase2": {"value": "退款成功"}}


async def test_a_session_that_moves_is_told_to_its_buyers(crowd: Crowd, engine: Engine) -> None:
    moving = engine.sell({"floor": 10})
    engine.wait_until_live(moving.sale_id)
    buyer = await crowd.ready_buyer(moving.sale_id)
    await report(buyer, await subscribe(buyer, "changed"))
    order_no = await paid_order(buyer, moving)
    await buyer.wait_for_state(order_no, "paid")
    file = engine.folder / "moved.toml"
    text = sale_text(sale_id=moving.sale_id, capacities={"floor": 10})
    file.write_text(text.replace('venue = "Hall"', 'venue = "Dome"').replace("19:30:00", "20:00:00"))
    engine.floodgate("sale", "apply", file, "--opens-in", "0")
    (message,) = await until_there(lambda: messages_to(buyer, "changed"))
    assert message["data"] == {"thing1": {"value": "Dome"}, "date2": {"value": "2027年6月12日 20:00"}}


async def test_a_report_that_comes_twice_counts_once(buyer: Buyer) -> None:
    body = await subscribe(buyer, "paid", "refunded")
    key = secrets.token_hex(8)
    answers = [await report(buyer, body, key=key) for _ in range(3)]
    assert [accepted(answer) for answer in answers] == [{"paid": 1, "changed": 0, "refunded": 1}] * 3


async def test_a_key_is_not_good_for_another_report(buyer: Buyer) -> None:
    key = secrets.token_hex(8)
    await report(buyer, await subscribe(buyer, "paid"), key=key)
    assert (await report(buyer, await subscribe(buyer, "refunded"), key=key)).code == "KEY_REUSED"


async def test_a_no_is_no_acceptance(buyer: Buyer) -> None:
    assert accepted(await report(buyer, await subscribe(buyer, "paid", accept=False)))["paid"] == 0


@pytest.mark.parametrize(
    "body",
    [
        {"kinds": ["paid"], "results": {}},
        {"kinds": [], "results": {}},
        {"kinds": ["reminder"], "results": {"tpl": "accept"}},
        {"kinds": ["paid", "paid"], "results": {"tpl-paid-0001": "accept"}},
        {"kinds": ["paid"], "results": {"tpl-paid-0001": True}},
        {"kinds": "paid", "results": {"tpl-paid-0001": "accept"}},
        {"kinds": ["paid"]},
    ],
    ids=["no result", "no kind", "not sent here", "twice", "another type", "no list", "no results"],
)
async def test_a_report_that_fits_no_template_is_refused(buyer: Buyer, body: Any) -> None:
    assert (await report(buyer, body)).code == "KINDS_INVALID"


async def test_the_templates_to_ask_for_are_told_after_login(buyer: Buyer, crowd: Crowd) -> None:
    told = await buyer.ask("GET", "/v1/subscriptions")
    assert {each["kind"]: each["template_id"] for each in told.json["templates"]} == {
        kind: template["template_id"] for kind, template in TEMPLATES.items()
    }
    assert (await crowd.ask("GET", "/v1/subscriptions")).code == "LOGIN_REQUIRED"


async def phone_code(buyer: Buyer) -> str:
    crowd = buyer.crowd
    tapped = await crowd.ask("POST", f"{crowd.simulator_url}/_buyer/phone", body={"openid": buyer.openid})
    return str(tapped.json["code"])


async def test_a_phone_number_is_kept_sealed_and_shown_by_its_ending(buyer: Buyer, engine: Engine) -> None:
    given_number = await buyer.ask("POST", "/v1/buyers/me/phone", body={"code": await phone_code(buyer)})
    assert given_number.status == 200, given_number
    assert given_number.json["country_code"] == "86"
    assert len(given_number.json["ending"]) == 4
    assert (await buyer.ask("GET", "/v1/buyers/me/phone")).json == given_number.json
    conn = await asyncpg.connect(engine.stores.postgres_url)
    kept = await conn.fetch("select phone_sealed from buyers where phone_sealed is not null")
    await conn.close()
    assert kept
    assert all(b"170" not in row["phone_sealed"] for row in kept)


async def test_a_phone_number_is_erased_on_request(buyer: Buyer) -> None:
    await buyer.ask("POST", "/v1/buyers/me/phone", body={"code": await phone_code(buyer)})
    assert [(await buyer.ask("DELETE", "/v1/buyers/me/phone")).status for _ in range(2)] == [204, 204]
    assert (await buyer.ask("GET", "/v1/buyers/me/phone")).code == "UNKNOWN_PHONE"


async def test_a_phone_code_is_good_once_and_for_its_buyer_alone(buyer: Buyer, crowd: Crowd) -> None:
    code = await phone_code(buyer)
    stranger = crowd.buyer()
    await stranger.login()
    assert (await stranger.ask("POST", "/v1/buyers/me/phone", body={"code": code})).code == "PHONE_REFUSED"
    assert (await buyer.ask("POST", "/v1/buyers/me/phone", body={"code": code})).code == "PHONE_REFUSED"


async def test_no_log_names_a_buyer_or_a_number(buyer: Buyer, sale: OnSale, engine: Engine) -> None:
    await report(buyer, await subscribe(buyer, "paid"))
    await buyer.ask("POST", "/v1/buyers/me/phone", body={"code": await phone_code(buyer)})
    await paid_order(buyer, sale)
    await until_there(lambda: messages_to(buyer, "paid"))
    logs = [logged(engine, name) for name in ("web-0", "jobs")]
    assert not [secret for secret in (buyer.openid, phone(buyer.openid)) for log in logs if secret in log]


def logged(engine: Engine, name: str) -> str:
    return (engine.folder / f"{name}.log").read_text()


async def as_operator(crowd: Crowd, engine: Engine, path: str) -> Answer:
    return await crowd.ask("POST", f"{engine.admin_url}{path}", headers={"Authorization": f"Bearer {engine.admin_key}"})


async def test_a_sales_code_is_an_image_and_made_once(crowd: Crowd, engine: Engine, sale: OnSale) -> None:
    path = f"/admin/v1/sales/{sale.sale_id}/qr-code"
    first, second = [await as_operator(crowd, engine, path) for _ in range(2)]
    assert (first.status, first.headers["Content-Type"]) == (200, "image/png")
    assert first.raw.startswith(b"\x89PNG")
    assert second.raw == first.raw
    conn = await asyncpg.connect(engine.stores.postgres_url)
    kept = await conn.fetchval("select count(*) from sale_codes where sale_id = $1", sale.sale_id)
    await conn.close()
    assert kept == 1


async def test_a_sales_link_is_given_out_again_until_its_end_nears(crowd: Crowd, engine: Engine, sale: OnSale) -> None:
    path = f"/admin/v1/sales/{sale.sale_id}/url-link"
    first, second = [await as_operator(crowd, engine, path) for _ in range(2)]
    assert first.json == second.json
    conn = await asyncpg.connect(engine.stores.postgres_url)
    await conn.execute("update sale_codes set expires_at = now() + interval '23 hours' where url is not null")
    await conn.close()
    assert (await as_operator(crowd, engine, path)).json["url"] != first.json["url"]


@pytest.mark.parametrize("what", ["qr-code", "url-link"])
async def test_only_operators_get_codes_and_links(crowd: Crowd, engine: Engine, sale: OnSale, what: str) -> None:
    answer = await crowd.ask("POST", f"{engine.admin_url}/admin/v1/sales/{sale.sale_id}/{what}")
    assert answer.code == "LOGIN_REQUIRED"


@given(st.builds("{}{}".format, st.sampled_from(FieldType), st.integers(1, 9)), st.text())
def test_whatever_the_engine_fits_into_a_field_the_simulator_takes(name: str, value: str) -> None:
    fitted = fit(name, value)
    assert isinstance(fitted, FieldRefused) or keywords.fits(name, fitted)


async def test_the_command_writes_the_code_that_organizers_get(crowd: Crowd, engine: Engine, sale: OnSale) -> None:
    shown = await as_operator(crowd, engine, f"/admin/v1/sales/{sale.sale_id}/qr-code")
    file = engine.folder / "code.png"
    engine.floodgate("sale", "qr", sale.sale_id, "--out", file)
    assert file.read_bytes() == shown.raw


def test_the_command_knows_no_code_of_an_unknown_sale(engine: Engine) -> None:
    file = engine.folder / "nothing.png"
    engine.floodgate("sale", "qr", "nobody", "--out", file, code=2)
    assert not file.exists()
