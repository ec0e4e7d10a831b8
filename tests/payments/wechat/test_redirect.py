"""A refund the buyer's account could not take, sent to a card; and the echo, which tests the same keys."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from engine.payments.port import CardOwner, RedirectRequest, RefundState
from engine.payments.wechat.answers import Answer, Silence
from engine.payments.wechat.client import WeChatPay
from engine.payments.wechat.keys import VerifyingKeys
from tests.payments.wechat import platform
from tests.payments.wechat.conftest import MakePay, Reply, Script
from tests.payments.wechat.platform import (
    MCHID,
    NEXT_CERTIFICATE,
    NEXT_PLATFORM_KEY,
    NOW_S,
    PLATFORM_KEY,
    certificate,
    listed,
    private_key,
    refund,
    signed,
    to_json,
)
from tests.payments.wechat.test_client import fails, verify

OAEP_SHA1 = OAEP(mgf=MGF1(hashes.SHA1()), algorithm=hashes.SHA1(), label=None)
NUMBER = "RFG20260101000001"
REDIRECT = RedirectRequest(
    out_refund_no=NUMBER,
    refund_id="50000000382019052709732678859",
    mchid=MCHID,
    owner=CardOwner.BUYER,
    bank_type="CMB_DEBIT",
    bank_account="6222020200001234567",
    real_name="张三",
)
ACCEPTED = Reply(body=to_json(refund(status="PROCESSING")))


def opened(sealed: str, key: RSAPrivateKey = PLATFORM_KEY) -> str:
    return key.decrypt(base64.b64decode(sealed), OAEP_SHA1).decode()


async def test_a_buyers_card_is_sent_encrypted_for_the_key_that_the_request_names(
    pay: WeChatPay, script: Script
) -> None:
    script.says(ACCEPTED)
    assert (await pay.redirect_refund(REDIRECT)).state is RefundState.PROCESSING
    (request,) = script.requests
    assert verify(request)
    assert request.path == "/v3/refund/domestic/refunds/50000000382019052709732678859/apply-abnormal-refund"
    assert request.header("Wechatpay-Serial") == platform.SERIAL
    body = json.loads(request.body)
    assert (body["out_refund_no"], body["type"], body["bank_type"]) == (NUMBER, "USER_BANK_CARD", "CMB_DEBIT")
    assert (opened(body["bank_account"]), opened(body["real_name"])) == ("6222020200001234567", "张三")


async def test_a_merchants_card_needs_no_fields(pay: WeChatPay, script: Script) -> None:
    script.says(ACCEPTED)
    await pay.redirect_refund(replace(REDIRECT, owner=CardOwner.MERCHANT))
    assert json.loads(script.requests[0].body) == {"out_refund_no": NUMBER, "type": "MERCHANT_BANK_CARD"}


async def test_with_certificates_a_card_is_encrypted_for_the_newest(make_pay: MakePay, script: Script) -> None:
    pay = make_pay(script.url, keys=VerifyingKeys({}, grows=True), public_key_id=None, certificates=True)
    pem = certificate(NEXT_CERTIFICATE, NEXT_PLATFORM_KEY, begins_s=NOW_S - 10)
    body = to_json({"data": [listed(NEXT_CERTIFICATE, pem), listed()]})
    by_next = {"key": NEXT_PLATFORM_KEY, "serial": NEXT_CERTIFICATE}
    script.says(
        Reply(body=body, headers=signed(body, **by_next)),
        Reply(body=ACCEPTED.body, headers=signed(ACCEPTED.body, **by_next)),
    )
    assert (await pay.redirect_refund(REDIRECT)).state is RefundState.PROCESSING
    request = script.requests[-1]
    assert request.header("Wechatpay-Serial") == NEXT_CERTIFICATE
    assert opened(json.loads(request.body)["real_name"], NEXT_PLATFORM_KEY) == "张三"


@pytest.mark.parametrize(
    ("reply", "state", "may_repeat"),
    [
        (fails(400, "PARAM_ERROR"), RefundState.REFUSED, False),
        (fails(403, "NO_AUTH"), RefundState.REFUSED, True),
        (fails(404, "RESOURCE_NOT_EXISTS"), RefundState.REFUSED, False),
        (fails(400, "PARAM_ERROR", is_signed=False), RefundState.UNKNOWN, True),
        (fails(429, "FREQUENCY_LIMITED"), RefundState.UNKNOWN, True),
        (fails(500, "SYSTEM_ERROR"), RefundState.UNKNOWN, True),
        (Reply(drop=True), RefundState.UNKNOWN, True),
        (Reply(204), RefundState.UNKNOWN, True),
    ],
    ids=str,
)
async def test_a_redirect_without_success_is_sent_once_and_refused_only_by_a_signed_no(
    pay: WeChatPay, script: Script, reply: Reply, state: RefundState, may_repeat: bool
) -> None:
    script.says(reply)
    report = await pay.redirect_refund(REDIRECT)
    assert (report.state, report.may_repeat) == (state, may_repeat)
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"out_refund_no": "R|1"},
        {"refund_id": "../refunds"},
        {"refund_id": ""},
        {"bank_type": "CMB DEBIT"},
        {"bank_type": ""},
        {"bank_type": "X" * 17},
        {"bank_account": ""},
        {"real_name": ""},
        {"real_name": "名" * 72},
    ],
    ids=str,
)
async def test_a_wrong_redirect_raises_before_anything_is_sent(
    pay: WeChatPay, script: Script, wrong: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match=r"."):
        await pay.redirect_refund(replace(REDIRECT, **wrong))
    assert script.requests == []


def test_a_card_is_never_shown() -> None:
    assert "6222" not in repr(REDIRECT)
    assert "张三" not in repr(REDIRECT)


async def test_an_echo_carries_its_message_open_and_encrypted(pay: WeChatPay, script: Script) -> None:
    script.says(Reply(body=to_json({"echo_message": "hello"})))
    found = await pay.account(MCHID).echo("hello")
    body = json.loads(script.requests[0].body)
    assert (body["echo_message"], opened(body["encrypted_echo_message"])) == ("hello", "hello")
    assert isinstance(found, Answer)
    assert found.status == 200


async def test_an_echo_whose_answer_is_forged_is_not_believed(pay: WeChatPay, script: Script) -> None:
    body = to_json({"echo_message": "hello"})
    script.says(*[Reply(body=body, headers=signed(body, key=platform.STRANGER_KEY))] * 2)
    assert await pay.account(MCHID).echo("hello") is Silence.NOT_AUTHENTIC


def test_what_wechat_encrypts_for_the_merchant_it_can_read(pay: WeChatPay) -> None:
    sealed = private_key("merchant").public_key().encrypt(b"13800138000", OAEP_SHA1)
    assert pay.account(MCHID).key.unsealed(base64.b64encode(sealed).decode()) == "13800138000"


@pytest.mark.parametrize("sealed", ["", "QQ==", "not base64", "QQ=" * 100])
def test_what_the_merchant_cannot_read_is_a_value_error(pay: WeChatPay, sealed: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        pay.account(MCHID).key.unsealed(sealed)
