"""The client on a real connection: what it signs, what it believes, and how often it asks."""

from __future__ import annotations

import base64
import json
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from prometheus_client import REGISTRY

from engine.payments.port import (
    CloseResult,
    Prepaid,
    PrepayRequest,
    ProviderRefusal,
    RefundRequest,
    RefundState,
    RefusalKind,
    TradeState,
)
from engine.payments.wechat.answers import Answer, Silence
from engine.payments.wechat.client import WeChatPay
from engine.payments.wechat.transport import Domains
from tests.payments.wechat import platform
from tests.payments.wechat.conftest import MakePay, Reply, Request, Script
from tests.payments.wechat.platform import MCHID, NOW_S, private_key, refund, signed, to_json, trade

ORDER = PrepayRequest(
    order_no="FG20260101000001",
    mchid=MCHID,
    description="周五演唱会",
    total_fen=68000,
    openid=platform.OPENID,
    expires_at=datetime.fromtimestamp(NOW_S + 600, UTC),
)
REFUND = RefundRequest(
    out_refund_no="RFG20260101000001",
    order_no="FG20260101000001",
    mchid=MCHID,
    refund_fen=34000,
    total_fen=68000,
    reason="票已售完",
)
PREPAY_ID = "wx201410272009395522657a690389285100"
GOOD = Reply(body=to_json({"prepay_id": PREPAY_ID}))
NOT_FOUND = Reply(404, to_json({"code": "RESOURCE_NOT_EXISTS", "message": "…"}))


def fails(status: int, code: str, *, is_signed: bool = True) -> Reply:
    return Reply(status, to_json({"code": code, "message": "…"}), headers=None if is_signed else [])


def probe(body: bytes = GOOD.body) -> Reply:
    headers = [
        (name, f"WECHATPAY/SIGNTEST/{value[19:]}" if name == "Wechatpay-Signature" else value)
        for name, value in signed(body)
    ]
    return Reply(body=body, headers=headers)


def verify(request: Request) -> dict[str, str]:
    """The pairs of the Authorization, whose signature is checked over what arrived."""
    scheme, _, pairs = request.header("Authorization").partition(" ")
    assert scheme == "WECHATPAY2-SHA256-RSA2048"
    fields = dict(pair.split("=", 1) for pair in pairs.split(","))
    fields = {name: value.strip('"') for name, value in fields.items()}
    lines = [request.method, request.path, fields["timestamp"], fields["nonce_str"]]
    message = "".join(f"{line}\n" for line in lines).encode() + request.body + b"\n"
    public = private_key("merchant").public_key()
    public.verify(base64.b64decode(fields["signature"]), message, padding.PKCS1v15(), hashes.SHA256())
    return fields


async def test_create_sends_what_it_signed(pay: WeChatPay, script: Script) -> None:
    script.says(GOOD)
    await pay.create(ORDER)
    (request,) = script.requests
    fields = verify(request)
    assert (fields["mchid"], fields["serial_no"]) == (platform.MCHID, platform.MERCHANT_SERIAL)
    assert json.loads(request.body) == {
        "appid": platform.APPID,
        "mchid": platform.MCHID,
        "description": "周五演唱会",
        "out_trade_no": "FG20260101000001",
        "time_expire": "2026-01-01T10:13:11+08:00",
        "notify_url": "https://shop.example.com/wechatpay/notify",
        "amount": {"total": 68000, "currency": "CNY"},
        "payer": {"openid": platform.OPENID},
    }


async def test_every_request_names_the_key_to_answer_with(pay: WeChatPay, script: Script) -> None:
    script.says(GOOD, Reply(body=to_json(trade())), Reply(204), Reply(body=to_json(refund())))
    await pay.create(ORDER)
    await pay.query(ORDER.order_no, MCHID)
    await pay.close(ORDER.order_no, MCHID)
    await pay.refund(REFUND)
    assert [request.header("Wechatpay-Serial") for request in script.requests] == [platform.SERIAL] * 4
    assert all(verify(request) for request in script.requests)


async def test_create_is_valid_until_the_order_expires(pay: WeChatPay, script: Script) -> None:
    script.says(GOOD)
    assert await pay.create(ORDER) == Prepaid(PREPAY_ID, ORDER.expires_at)


async def test_create_is_valid_for_less_than_two_hours(pay: WeChatPay, script: Script) -> None:
    script.says(GOOD)
    far = replace(ORDER, expires_at=ORDER.expires_at + timedelta(days=1))
    prepaid = await pay.create(far)
    assert isinstance(prepaid, Prepaid)
    assert prepaid.valid_until < datetime.fromtimestamp(NOW_S + 7200, UTC)


@pytest.mark.parametrize(
    "wrong",
    [
        {"total_fen": 0},
        {"total_fen": -1},
        {"order_no": "short"},
        {"order_no": "x" * 33},
        {"order_no": "FG2026|0001"},
        {"order_no": "FG2026/0001"},
        {"order_no": "ＦＧ２０２６０１"},
        {"expires_at": datetime(2026, 1, 1)},  # noqa: DTZ001
    ],
    ids=str,
)
async def test_a_wrong_argument_raises_before_anything_is_sent(
    pay: WeChatPay, script: Script, wrong: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match=r"."):
        await pay.create(replace(ORDER, **wrong))  # type: ignore[arg-type]
    assert script.requests == []


async def test_a_description_is_made_to_fit(pay: WeChatPay, script: Script) -> None:
    script.says(GOOD)
    await pay.create(replace(ORDER, description="🎫票" * 100))
    assert json.loads(script.requests[0].body)["description"] == "票" * 100


@pytest.mark.parametrize(
    "lost",
    [
        Reply(drop=True),
        fails(500, "SYSTEM_ERROR"),
        fails(429, "FREQUENCY_LIMITED"),
        Reply(502, b"<html>", []),
    ],
    ids=["connection lost", "500", "429", "502 in HTML"],
)
async def test_create_is_repeated_with_the_same_bytes_after(pay: WeChatPay, script: Script, lost: Reply) -> None:
    script.says(lost, GOOD)
    assert isinstance(await pay.create(ORDER), Prepaid)
    first, second = script.requests
    assert first.body == second.body
    assert verify(first)["nonce_str"] != verify(second)["nonce_str"]


async def test_create_that_times_out_is_repeated_within_the_budget(make_pay: MakePay, script: Script) -> None:
    script.says(Reply(delay_s=5.0), GOOD)
    pay = make_pay(script.url, timeout_s=1.5)
    assert isinstance(await pay.create(ORDER), Prepaid)


async def test_create_gives_up_after_three_tries_and_says_that_a_trade_may_exist(
    pay: WeChatPay, script: Script
) -> None:
    script.says(*[fails(500, "SYSTEM_ERROR")] * 3)
    refusal = await pay.create(ORDER)
    assert isinstance(refusal, ProviderRefusal)
    assert (refusal.kind, refusal.maybe_created) == (RefusalKind.UNKNOWN, True)


async def test_create_after_silence_says_that_a_trade_may_exist_whatever_the_last_answer(
    pay: WeChatPay, script: Script
) -> None:
    script.says(Reply(drop=True), fails(400, "PARAM_ERROR"))
    refusal = await pay.create(ORDER)
    assert isinstance(refusal, ProviderRefusal)
    assert (refusal.kind, refusal.maybe_created) == (RefusalKind.INVALID, True)


async def test_create_that_never_connects_says_that_no_trade_exists(make_pay: MakePay) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        pay = make_pay(f"http://127.0.0.1:{nobody.getsockname()[1]}")
        refusal = await pay.create(ORDER)
    assert isinstance(refusal, ProviderRefusal)
    assert (refusal.kind, refusal.maybe_created) == (RefusalKind.UNKNOWN, False)


@pytest.mark.parametrize(("status", "code"), [(401, "SIGN_ERROR"), (400, "PARAM_ERROR"), (403, "NO_AUTH")])
async def test_create_is_not_repeated_after_a_definite_no(
    pay: WeChatPay, script: Script, status: int, code: str
) -> None:
    script.says(fails(status, code, is_signed=False))
    assert isinstance(await pay.create(ORDER), ProviderRefusal)
    assert len(script.requests) == 1


async def test_a_second_domain_is_asked_when_the_first_is_away(make_pay: MakePay, script: Script) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        pay = make_pay(f"http://127.0.0.1:{nobody.getsockname()[1]}", script.url)
        script.says(GOOD)
        assert isinstance(await pay.create(ORDER), Prepaid)


async def test_a_signature_probe_is_thrown_away_and_asked_for_once_more_at_once(pay: WeChatPay, script: Script) -> None:
    script.says(probe(to_json({"prepay_id": "wxfalse"})), GOOD)
    assert await pay.create(ORDER) == Prepaid(PREPAY_ID, ORDER.expires_at)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        signed(b"another body"),
        signed(GOOD.body, at_s=NOW_S - 300),
        signed(GOOD.body, key=platform.STRANGER_KEY),
        signed(GOOD.body, key=platform.STRANGER_KEY, serial="PUB_KEY_ID_NOBODY"),
        signed(GOOD.body)[1:],
    ],
    ids=["unsigned", "over another body", "too old", "by a stranger", "unknown serial", "no timestamp"],
)
async def test_a_success_that_is_not_authentic_is_never_believed(
    make_pay: MakePay, script: Script, headers: platform.Pairs
) -> None:
    pay = make_pay(script.url)
    script.says(*[Reply(body=GOOD.body, headers=headers)] * 6)
    refusal = await pay.create(ORDER)
    assert isinstance(refusal, ProviderRefusal)
    assert (refusal.kind, refusal.maybe_created) == (RefusalKind.UNKNOWN, True)


async def test_a_success_signed_by_the_next_key_is_believed(pay: WeChatPay, script: Script) -> None:
    headers = signed(GOOD.body, key=platform.NEXT_PLATFORM_KEY, serial=platform.NEXT_SERIAL)
    script.says(Reply(body=GOOD.body, headers=headers))
    assert isinstance(await pay.create(ORDER), Prepaid)


async def test_client_parameters_are_strings_signed_for_this_second(pay: WeChatPay) -> None:
    parameters = await pay.client_parameters(PREPAY_ID, MCHID)
    message = f"{platform.APPID}\n{int(NOW_S)}\n{parameters['nonceStr']}\nprepay_id={PREPAY_ID}\n"
    private_key("merchant").public_key().verify(
        base64.b64decode(parameters["paySign"]), message.encode(), padding.PKCS1v15(), hashes.SHA256()
    )
    assert parameters == {
        "timeStamp": str(int(NOW_S)),
        "nonceStr": parameters["nonceStr"],
        "package": f"prepay_id={PREPAY_ID}",
        "signType": "RSA",
        "paySign": parameters["paySign"],
    }


async def test_query_signs_its_query_string_and_reports_the_payment(pay: WeChatPay, script: Script) -> None:
    script.says(Reply(body=to_json(trade())))
    report = await pay.query("FG20260101000001", MCHID)
    (request,) = script.requests
    assert request.path == "/v3/pay/transactions/out-trade-no/FG20260101000001?mchid=1900000777"
    assert verify(request)
    assert report.state is TradeState.PAID
    assert report.paid is not None
    assert report.paid.total_fen == 68000


async def test_query_that_is_never_answered_is_unknown(make_pay: MakePay, script: Script) -> None:
    script.says(*[Reply(delay_s=5.0)] * 2)
    report = await make_pay(script.url, timeout_s=0.3).query("FG20260101000001", MCHID)
    assert report.state is TradeState.UNKNOWN


async def test_close_sends_the_merchant_in_its_body(pay: WeChatPay, script: Script) -> None:
    script.says(Reply(204))
    assert await pay.close("FG20260101000001", MCHID) is CloseResult.CLOSED
    (request,) = script.requests
    assert (request.path, request.body) == (
        "/v3/pay/transactions/out-trade-no/FG20260101000001/close",
        b'{"mchid":"1900000777"}',
    )


async def test_close_whose_success_is_unsigned_is_unknown(pay: WeChatPay, script: Script) -> None:
    script.says(*[Reply(204, headers=[])] * 6)
    assert await pay.close("FG20260101000001", MCHID) is CloseResult.UNKNOWN


async def test_close_that_loses_its_answer_is_sent_again(pay: WeChatPay, script: Script) -> None:
    script.says(Reply(drop=True), Reply(204))
    assert await pay.close("FG20260101000001", MCHID) is CloseResult.CLOSED


async def test_refund_sends_its_number_and_its_own_notify_address(pay: WeChatPay, script: Script) -> None:
    script.says(Reply(body=to_json(refund())))
    report = await pay.refund(REFUND)
    assert (report.state, report.refund_fen) == (RefundState.PROCESSING, 34000)
    assert json.loads(script.requests[0].body) == {
        "out_trade_no": "FG20260101000001",
        "out_refund_no": "RFG20260101000001",
        "reason": "票已售完",
        "notify_url": "https://shop.example.com/wechatpay/refund-notify",
        "amount": {"refund": 34000, "total": 68000, "currency": "CNY"},
    }


@pytest.mark.parametrize(
    "lost",
    [Reply(drop=True), fails(500, "SYSTEM_ERROR"), fails(429, "FREQUENCY_LIMITED"), fails(403, "NOT_ENOUGH")],
    ids=["connection lost", "500", "429", "403"],
)
async def test_refund_without_success_is_queried_and_found(pay: WeChatPay, script: Script, lost: Reply) -> None:
    script.says(lost, Reply(body=to_json(refund())))
    assert (await pay.refund(REFUND)).state is RefundState.PROCESSING
    assert [request.method for request in script.requests] == ["POST", "GET"]


async def test_refund_that_never_arrived_is_sent_again_under_its_number(pay: WeChatPay, script: Script) -> None:
    script.says(Reply(drop=True), NOT_FOUND, Reply(body=to_json(refund())))
    assert (await pay.refund(REFUND)).state is RefundState.PROCESSING
    first, _, second = script.requests
    assert first.body == second.body


async def test_refund_that_was_sent_before_is_queried_first(pay: WeChatPay, script: Script) -> None:
    script.says(Reply(body=to_json(refund(status="SUCCESS"))))
    assert (await pay.refund(replace(REFUND, sent_before=True))).state is RefundState.SUCCESS
    assert [request.method for request in script.requests] == ["GET"]


@pytest.mark.parametrize(
    ("status", "code", "may_repeat"),
    [
        (403, "NOT_ENOUGH", True),
        (403, "USER_ACCOUNT_ABNORMAL", False),
        (400, "PARAM_ERROR", False),
        (404, "RESOURCE_NOT_EXISTS", False),
    ],
)
async def test_refund_that_is_refused_and_not_there_is_refused(
    pay: WeChatPay, script: Script, status: int, code: str, may_repeat: bool
) -> None:
    script.says(fails(status, code), NOT_FOUND)
    report = await pay.refund(REFUND)
    assert (report.state, report.may_repeat) == (RefundState.REFUSED, may_repeat)


async def test_refund_refused_after_a_lost_try_is_unknown(pay: WeChatPay, script: Script) -> None:
    script.says(Reply(drop=True), NOT_FOUND, fails(400, "INVALID_REQUEST"), NOT_FOUND)
    report = await pay.refund(REFUND)
    assert (report.state, report.may_repeat) == (RefundState.UNKNOWN, True)


async def test_refund_turned_away_by_401_is_unknown_and_not_queried(pay: WeChatPay, script: Script) -> None:
    script.says(fails(401, "SIGN_ERROR", is_signed=False))
    assert (await pay.refund(REFUND)).state is RefundState.UNKNOWN


@pytest.mark.parametrize("refund_fen", [0, -1, 68001])
async def test_refund_of_more_than_was_paid_or_nothing_raises(pay: WeChatPay, refund_fen: int) -> None:
    with pytest.raises(ValueError, match="refund"):
        await pay.refund(replace(REFUND, refund_fen=refund_fen))


def test_a_gateway_with_a_path_is_refused(make_pay: MakePay) -> None:
    with pytest.raises(ValueError, match="path"):
        make_pay("https://proxy.example.com/wechat")


async def test_a_refusal_with_a_wrong_signature_is_asked_for_again(pay: WeChatPay, script: Script) -> None:
    body = to_json({"code": "ORDER_CLOSED", "message": "…"})
    script.says(Reply(400, body, probe(body).headers), GOOD)
    assert isinstance(await pay.create(ORDER), Prepaid)


async def test_a_redirect_is_not_followed(pay: WeChatPay, script: Script) -> None:
    script.says(Reply(307, b"", [("Location", "/elsewhere")]))
    refusal = await pay.create(ORDER)
    assert isinstance(refusal, ProviderRefusal)
    assert refusal.kind is RefusalKind.UNKNOWN
    assert len(script.requests) == 1


async def test_a_file_is_downloaded_signed_and_unverified(pay: WeChatPay, script: Script) -> None:
    script.says(Reply(body=b"\x1f\x8b raw", headers=[("Content-Encoding", "gzip")]))
    path = "/v3/billdownload/file?token=a%7Cb"
    assert await pay.gateway_of(MCHID).download(path, bytes_max=100) == b"\x1f\x8b raw"
    (request,) = script.requests
    assert request.path == path
    assert verify(request)


async def test_a_file_longer_than_asked_for_is_not_read_to_its_end(pay: WeChatPay, script: Script) -> None:
    script.says(Reply(body=b"x" * 101, headers=[]))
    assert await pay.gateway_of(MCHID).download("/v3/billdownload/file", bytes_max=100) is Silence.TOO_LARGE


async def test_a_file_that_is_refused_is_an_answer(pay: WeChatPay, script: Script) -> None:
    script.says(fails(400, "INVALID_REQUEST", is_signed=False))
    found = await pay.gateway_of(MCHID).download("/v3/billdownload/file", bytes_max=100)
    assert isinstance(found, Answer)
    assert found.code == "INVALIDREQUEST"


async def test_an_answer_longer_than_any_is_an_unknown_outcome(pay: WeChatPay, script: Script) -> None:
    script.says(*[Reply(body=b" " * 70_000)] * 3)
    assert (await pay.query(ORDER.order_no, MCHID)).state is TradeState.UNKNOWN


async def test_a_domain_that_takes_no_connection_is_not_asked_first_for_a_while(
    make_pay: MakePay, script: Script
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        pay = make_pay(f"http://127.0.0.1:{nobody.getsockname()[1]}", script.url)
        script.says(GOOD, Reply(drop=True), Reply(body=to_json(trade())))
        await pay.create(ORDER)
        # The second try goes round to the first domain, which is still away, and the third comes back.
        assert (await pay.query(ORDER.order_no, MCHID)).state is TradeState.PAID


def test_a_domain_that_was_away_is_asked_first_again_after_a_while() -> None:
    domains = Domains(["https://one", "https://two"])
    domains.unreachable("https://one", 10.0)
    assert [domains.for_try(0, at_s) for at_s in (10.0, 69.9, 70.0)] == ["https://two", "https://two", "https://one"]
    assert [domains.for_try(number, 20.0) for number in range(3)] == ["https://two", "https://one", "https://two"]


async def test_a_query_on_a_connection_that_breaks_is_sent_again_under_another_nonce(
    pay: WeChatPay, script: Script
) -> None:
    body = to_json(trade())
    script.says(Reply(body=body), Reply(drop=True), Reply(body=body))
    for _ in range(2):
        assert (await pay.query(ORDER.order_no, MCHID)).state is TradeState.PAID
    assert len({verify(request)["nonce_str"] for request in script.requests}) == 3


async def test_a_refused_signature_is_an_alarm(pay: WeChatPay, script: Script) -> None:
    def alarms() -> float:
        return REGISTRY.get_sample_value("floodgate_alarms_total", {"kind": "our_signature_refused"}) or 0.0

    before = alarms()
    script.says(fails(401, "SIGN_ERROR", is_signed=False))
    await pay.query(ORDER.order_no, MCHID)
    assert alarms() == before + 1


async def test_every_request_is_counted_by_endpoint_and_by_what_became_of_it(make_pay: MakePay, script: Script) -> None:
    def counted() -> list[float]:
        labels = [("query", "200"), ("query", "404"), ("query", "NOT_AUTHENTIC"), ("order", "BROKEN_OFF")]
        name = "floodgate_wechatpay_seconds_count"
        return [
            REGISTRY.get_sample_value(name, {"endpoint": endpoint, "outcome": outcome}) or 0.0
            for endpoint, outcome in labels
        ]

    pay, before = make_pay(script.url), counted()
    body = to_json(trade())
    script.says(Reply(body=body), fails(404, "ORDER_NOT_EXIST"), probe(body), Reply(body=body), Reply(drop=True), GOOD)
    for _ in range(3):
        await pay.query(ORDER.order_no, MCHID)
    await pay.create(ORDER)
    assert [now - then for now, then in zip(counted(), before, strict=True)] == [2, 1, 1, 1]
