"""The server as a merchant meets it: headers, statuses, what is signed and what is not, races and odd answers."""

import asyncio

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from engine.simulator.keys import crypto
from engine.simulator.processes.server import Simulator
from tests.simulator.conftest import OPENID, Caller, Receiver, Reply

SIGNATURE_HEADERS = {
    "Wechatpay-Timestamp",
    "Wechatpay-Nonce",
    "Wechatpay-Signature",
    "Wechatpay-Serial",
    "Wechatpay-Signature-Type",
}


def is_signed(caller: Caller, reply: Reply) -> bool:
    key = load_pem_public_key(caller.names.public_key_file.read_bytes())
    assert isinstance(key, RSAPublicKey)
    message = crypto.answer_message(
        timestamp=reply.headers["Wechatpay-Timestamp"],
        nonce=reply.headers["Wechatpay-Nonce"],
        body=reply.body,
    )
    right_serial = reply.headers["Wechatpay-Serial"] == caller.names.public_key_id
    return right_serial and crypto.verify(key, message, reply.headers["Wechatpay-Signature"])


async def set_faults(caller: Caller, **knobs: object) -> None:
    assert (await caller.house("PUT", "/_admin/faults", knobs)).status == 200


async def test_a_success_is_signed_and_has_the_real_headers(caller: Caller) -> None:
    placed = await caller.order()
    assert is_signed(caller, placed)
    assert placed.headers["Server"] == "nginx"
    assert placed.headers["Keep-Alive"] == "timeout=8"
    assert placed.headers["Content-Type"] == "application/json; charset=utf-8"
    assert placed.headers["Request-ID"].endswith("-0")


async def test_an_empty_success_is_signed_too(caller: Caller) -> None:
    await caller.order()
    closed = await caller.close()
    assert (closed.status, closed.body) == (204, b"")
    assert is_signed(caller, closed)


@pytest.mark.parametrize("is_signing", [True, False])
async def test_a_business_refusal_is_signed_by_choice(caller: Caller, is_signing: bool) -> None:
    await set_faults(caller, business_refusals_signed=is_signing)
    refused = await caller.query()
    assert refused.headers["Request-ID"].endswith("-268512771")
    assert (refused.headers.keys() >= SIGNATURE_HEADERS) is is_signing


async def test_a_refused_signature_is_not_signed_and_has_no_request_id(caller: Caller) -> None:
    refused = await caller.send("POST", "/v3/pay/transactions/jsapi", {}, Authorization=None)
    assert (refused.status, refused.json["code"]) == (401, "SIGN_ERROR")
    assert refused.headers.keys().isdisjoint(SIGNATURE_HEADERS | {"Request-ID"})


async def test_a_refused_signature_of_a_refund_has_a_request_id(caller: Caller) -> None:
    refused = await caller.send("GET", "/v3/refund/domestic/refunds/R1", Authorization="Bearer x")
    assert refused.status == 401
    assert refused.headers["Request-ID"].endswith("-268443699")


@pytest.mark.parametrize("missing", ["User_Agent", "Accept"])
async def test_refunds_demand_accept_and_user_agent_before_authorization(caller: Caller, missing: str) -> None:
    refused = await caller.send("GET", "/v3/refund/domestic/refunds/R1", **{missing: None, "Authorization": None})
    assert (refused.status, refused.json["message"]) == (400, "Http头缺少Accept或User-Agent")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v3/unknown", 404),
        ("GET", "/v3/pay/transactions/out-trade-no/", 404),
        ("GET", "/v3/pay/transactions/out-trade-no/T00001/open", 404),
        ("GET", "/v3/pay/transactions/jsapi", 405),
        ("GET", "/v3/pay/transactions/out-trade-no/T00001/close", 405),
        ("GET", "/", 404),
        ("POST", "/livez", 405),
    ],
)
async def test_unknown_paths_and_methods_have_empty_bodies(caller: Caller, method: str, path: str, status: int) -> None:
    answer = await caller.house(method, path)
    assert (answer.status, answer.body) == (status, b"")


async def test_the_mchid_of_a_query_is_required(caller: Caller) -> None:
    await caller.order()
    refused = await caller.send("GET", "/v3/pay/transactions/out-trade-no/T00001")
    assert (refused.status, refused.json["detail"]["location"]) == (400, "query")


async def test_an_escaped_order_number_is_signed_as_sent_and_found(caller: Caller) -> None:
    await caller.order("T|0001")
    assert (await caller.query("T%7C0001")).json["out_trade_no"] == "T|0001"


async def test_a_changed_order_is_refused_and_the_first_stands(caller: Caller) -> None:
    await caller.order()
    refused = await caller.order(amount={"total": 99})
    assert (refused.status, refused.json["code"]) == (400, "INVALID_REQUEST")
    assert (await caller.query()).json["amount"]["total"] == 100


async def test_of_a_hundred_closes_and_payments_at_once_one_kind_wins(caller: Caller) -> None:
    payment = caller.payment((await caller.order()).json["prepay_id"])
    answers = await asyncio.gather(
        *(caller.house("POST", "/_buyer/pay", payment) for _ in range(50)),
        *(caller.close() for _ in range(50)),
    )
    paid = sum(answer.json["result"] == "ok" for answer in answers[:50])
    closed = sum(answer.status == 204 for answer in answers[50:])
    assert (paid, closed) in [(1, 0), (0, 50)]


async def test_a_refund_of_an_unpaid_order_finds_nothing(caller: Caller) -> None:
    await caller.order()
    refused = await caller.refund()
    assert (refused.status, refused.json["code"]) == (404, "RESOURCE_NOT_EXISTS")


async def test_a_repeated_refund_moves_money_once(caller: Caller, receiver: Receiver) -> None:
    await caller.order_and_pay()
    first, second = await caller.refund(), await caller.refund()
    await receiver.wait(2)
    assert first.json["refund_id"] == second.json["refund_id"]
    ledger = (await caller.house("GET", "/_admin/ledger")).json["orders"]
    assert [(row["refunded_fen"], row["refunding_fen"]) for row in ledger] == [(100, 0)]


async def test_a_refund_that_stays_abnormal_has_moved_nothing(caller: Caller, receiver: Receiver) -> None:
    await set_faults(caller, refund_abnormal=1.0)
    await caller.order_and_pay()
    await caller.refund()
    await receiver.wait(2)
    ledger = (await caller.house("GET", "/_admin/ledger")).json["orders"]
    assert [(row["refunded_fen"], row["refunding_fen"]) for row in ledger] == [(0, 100)]


async def test_money_can_be_forced_onto_a_closed_order(caller: Caller, receiver: Receiver) -> None:
    await caller.order()
    await caller.close()
    told = await caller.house("POST", "/_admin/pay", {"out_trade_no": "T00001"})
    assert told.json["result"] == "ok"
    assert (await caller.query()).json["transaction_id"] == told.json["transaction_id"]
    await receiver.wait(1)


async def test_money_cannot_be_forced_onto_an_order_nobody_placed(caller: Caller) -> None:
    assert (await caller.house("POST", "/_admin/pay", {"out_trade_no": "T00001"})).status == 404


async def test_an_error_before_the_effect_changes_nothing(caller: Caller) -> None:
    await set_faults(caller, answer_error_before=1.0, answer_routes=["order"])
    assert (await caller.order()).json["code"] == "SYSTEM_ERROR"
    assert (await caller.query()).status == 404


async def test_an_error_after_the_effect_hides_a_success(caller: Caller) -> None:
    await set_faults(caller, answer_error_after=1.0, answer_routes=["order"])
    assert (await caller.order()).status == 500
    assert (await caller.query()).json["trade_state"] == "NOTPAY"


async def test_a_lost_answer_still_had_its_effect(caller: Caller) -> None:
    await caller.order()
    await set_faults(caller, answer_lost=1.0, answer_routes=["close"])
    with pytest.raises(aiohttp.ClientError):
        await caller.close()
    assert (await caller.query()).json["trade_state"] == "CLOSED"


async def test_a_limited_call_is_refused_before_the_effect(caller: Caller) -> None:
    await set_faults(caller, answer_limited=1.0, answer_routes=["order"])
    assert (await caller.order()).status == 429
    assert (await caller.query()).status == 404


async def test_a_probed_answer_carries_a_wrong_signature(caller: Caller) -> None:
    await set_faults(caller, answer_signtest=1.0)
    placed = await caller.order()
    assert placed.headers["Wechatpay-Signature"].startswith("WECHATPAY/SIGNTEST/")
    assert not is_signed(caller, placed)


async def test_wrong_faults_are_all_named_and_change_nothing(caller: Caller) -> None:
    before = (await caller.house("GET", "/_admin/faults")).json
    refused = await caller.house("PUT", "/_admin/faults", {"luck": 1, "callback_loss": 2, "seed": 5})
    assert refused.status == 400
    assert [problem.split(":")[0] for problem in refused.json["problems"]] == ["luck", "callback_loss"]
    assert (await caller.house("GET", "/_admin/faults")).json == before


async def test_a_login_code_names_its_buyer_once(caller: Caller) -> None:
    code = (await caller.house("POST", "/_buyer/login", {"openid": OPENID})).json["code"]
    names = caller.names
    path = (
        f"/sns/jscode2session?appid={names.appid}&secret={names.app_secret}"
        f"&js_code={code}&grant_type=authorization_code"
    )
    first, second = await caller.house("GET", path), await caller.house("GET", path)
    assert first.json["openid"] == OPENID
    assert (second.status, second.json["errcode"]) == (200, 40029)


async def test_a_login_of_another_shape_is_refused(caller: Caller) -> None:
    assert (await caller.house("POST", "/_buyer/login", {"openid": "me"})).status == 400


async def test_an_idle_connection_is_dropped_after_eight_seconds(running: Simulator) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readuntil(b"}")
    before = asyncio.get_running_loop().time()
    assert await asyncio.wait_for(reader.read(), 12) == b""
    assert 7 < asyncio.get_running_loop().time() - before < 11
    writer.close()
