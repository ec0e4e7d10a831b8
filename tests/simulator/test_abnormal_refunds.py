"""A refund the buyer's card did not take: sent to another account, once, with fields only WeChat can read."""

import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate
from wechatpayv3 import WeChatPay

from engine.simulator.keys import keyring as keys
from engine.simulator.pay.refunds import OTHER_BANKCARD, Refund, RefundStatus, redirect, settle
from engine.simulator.pay.refusals import REFUND_NOT_ABNORMAL
from engine.simulator.processes.server import Simulator
from tests.simulator.conftest import Caller, Receiver, Reply
from tests.simulator.test_peer import ask
from tests.simulator.test_refunds import NOW_MS, accepted

CARD, HOLDER = "6225880000000403", "王小明"


def seal(caller: Caller, text: str, key: RSAPublicKey | None = None) -> str:
    """A field as a merchant encrypts it for WeChat, with WeChat's public key unless another is given."""
    known = load_pem_public_key(caller.names.public_key_file.read_bytes()) if key is None else key
    assert isinstance(known, RSAPublicKey)
    return base64.b64encode(known.encrypt(text.encode(), OAEP(MGF1(SHA1()), SHA1(), None))).decode()


@pytest.fixture
async def abnormal(caller: Caller, receiver: Receiver) -> str:
    """The refund_id of a refund whose callback has said ABNORMAL."""
    await caller.house("PUT", "/_admin/faults", {"refund_abnormal": 1})
    await caller.order_and_pay()
    await receiver.wait(1)
    refund_id = str((await caller.refund()).json["refund_id"])
    await receiver.wait(2)
    return refund_id


async def apply(caller: Caller, refund_id: str, *, serial: str | None = "", **changed: object) -> Reply:
    document: dict[str, object] = {
        "out_refund_no": "R1",
        "type": "USER_BANK_CARD",
        "bank_type": "CMB_DEBIT",
        "bank_account": seal(caller, CARD),
        "real_name": seal(caller, HOLDER),
    }
    sent = {name: value for name, value in (document | changed).items() if value is not None}
    target = f"/v3/refund/domestic/refunds/{refund_id}/apply-abnormal-refund"
    header = caller.names.public_key_id if serial == "" else serial
    return await caller.send("POST", target, sent, Wechatpay_Serial=header)


async def test_peer_sends_the_money_to_a_card_and_hears_of_it(
    peer: WeChatPay, abnormal: str, receiver: Receiver
) -> None:
    status, told = await ask(
        peer.abnormal_refund,
        refund_id=abnormal,
        out_refund_no="R1",
        type="USER_BANK_CARD",
        bank_type="CMB_DEBIT",
        bank_account=CARD,
        real_name=HOLDER,
    )
    assert (status, told["status"], told["channel"]) == (200, "PROCESSING", OTHER_BANKCARD)
    headers, body = (await receiver.wait(3))[2]
    notice = peer.callback(headers, body)
    assert (notice["event_type"], notice["resource"]["refund_status"]) == ("REFUND.SUCCESS", "SUCCESS")
    assert notice["resource"]["user_received_account"] == "CMB_DEBIT0403"
    assert (await ask(peer.query_refund, out_refund_no="R1"))[1]["status"] == "SUCCESS"


async def test_the_merchants_own_account_needs_no_card(caller: Caller, abnormal: str) -> None:
    merchants = {"bank_type": None, "bank_account": None, "real_name": None}
    reply = await apply(caller, abnormal, type="MERCHANT_BANK_CARD", serial=None, **merchants)
    assert (reply.status, reply.json["user_received_account"]) == (200, "商户银行账户")


async def test_a_refund_that_went_well_cannot_be_sent_elsewhere(caller: Caller, receiver: Receiver) -> None:
    await caller.order_and_pay()
    refund_id = (await caller.refund()).json["refund_id"]
    await receiver.wait(2)
    reply = await apply(caller, refund_id)
    assert (reply.status, reply.json["code"]) == (400, "INVALID_REQUEST")


async def test_the_numbers_must_name_one_refund(caller: Caller, abnormal: str) -> None:
    reply = await apply(caller, abnormal, out_refund_no="R2")
    assert (reply.status, reply.json["code"]) == (404, "RESOURCE_NOT_EXISTS")


@pytest.mark.parametrize("field", ["bank_type", "bank_account", "real_name"])
async def test_a_buyers_card_needs_every_field(caller: Caller, abnormal: str, field: str) -> None:
    reply = await apply(caller, abnormal, **{field: None})
    assert (reply.status, reply.json["detail"]["field"]) == (400, f"/{field}")


async def test_plain_text_is_not_taken_for_a_card(caller: Caller, abnormal: str) -> None:
    reply = await apply(caller, abnormal, bank_account=CARD)
    assert (reply.status, reply.json["detail"]["field"]) == (400, "/bank_account")


async def test_an_encrypted_word_is_not_a_card_number(caller: Caller, abnormal: str) -> None:
    reply = await apply(caller, abnormal, bank_account=seal(caller, "my card"))
    assert reply.json["detail"]["issue"] == "must be a card number"


@pytest.mark.parametrize("serial", [None, "PUB_KEY_ID_0"])
async def test_nothing_is_opened_without_the_right_serial(caller: Caller, abnormal: str, serial: str | None) -> None:
    reply = await apply(caller, abnormal, serial=serial)
    assert (reply.status, reply.json["code"]) == (400, "PARAM_ERROR")


@pytest.mark.parametrize(("name", "status"), [("a", 200), ("b", 200), ("expired", 400)])
async def test_a_certificate_seals_as_well_until_it_expires(
    caller: Caller, abnormal: str, running: Simulator, name: str, status: int
) -> None:
    certificate = running.office.keyring.certificates[name]
    key = load_pem_x509_certificate(certificate.pem).public_key()
    assert isinstance(key, RSAPublicKey)
    fields = {"bank_account": seal(caller, CARD, key), "real_name": seal(caller, HOLDER, key)}
    assert (await apply(caller, abnormal, serial=certificate.serial, **fields)).status == status


async def test_another_merchants_key_opens_nothing(home: Path) -> None:
    """Each merchant has a public key of WeChat's of its own; the certificates are everybody's."""
    keyring = keys.ensure(home, merchants=2)
    first, second = keyring.merchants.values()
    assert second.public_key_id not in keyring.field_keys(first)
    assert set(keyring.field_keys(first)) & set(keyring.field_keys(second)) == {
        keyring.certificates[name].serial for name in ("a", "b")
    }


async def test_card_numbers_are_not_kept(caller: Caller, abnormal: str, running: Simulator) -> None:
    await apply(caller, abnormal)
    journal = (running.office.rules.home / "journal.jsonl").read_text()
    assert CARD not in journal
    assert HOLDER not in journal


def broken() -> Refund:
    return settle(accepted(), RefundStatus.ABNORMAL, now_ms=NOW_MS)


def test_asking_again_for_the_same_account_changes_nothing() -> None:
    redirected = redirect(broken(), received_by="CMB_DEBIT0403")
    assert isinstance(redirected, Refund)
    assert redirect(redirected, received_by="CMB_DEBIT0403") is redirected


def test_another_account_must_wait_until_this_one_failed() -> None:
    redirected = redirect(broken(), received_by="CMB_DEBIT0403")
    assert isinstance(redirected, Refund)
    assert redirect(redirected, received_by="ICBC_DEBIT0001") == REFUND_NOT_ABNORMAL
    again = settle(redirected, RefundStatus.ABNORMAL, now_ms=NOW_MS)
    assert redirect(again, received_by="ICBC_DEBIT0001") == replace(redirected, received_by="ICBC_DEBIT0001")


@pytest.mark.parametrize(
    ("amount", "goods", "field"),
    [
        ({"from": [{"account": "AVAILABLE", "amount": 99}]}, [], "/amount/from"),
        ({"from": [{"account": "AVAILABLE", "amount": 50}] * 2}, [], "/amount/from"),
        ({"from": [{"account": "ELSEWHERE", "amount": 100}]}, [], "/amount/from/0/account"),
        (
            {},
            [{"merchant_goods_id": "g", "unit_price": 1, "refund_amount": 101, "refund_quantity": 1}],
            "/goods_detail/0/refund_amount",
        ),
        (
            {},
            [{"merchant_goods_id": "g", "unit_price": 1, "refund_amount": 1, "refund_quantity": 0}],
            "/goods_detail/0/refund_quantity",
        ),
    ],
)
async def test_sources_and_goods_must_fit_the_refund(
    caller: Caller, amount: dict[str, object], goods: list[object], field: str
) -> None:
    await caller.order_and_pay()
    document = {
        "out_trade_no": "T00001",
        "out_refund_no": "R1",
        "amount": {"refund": 100, "total": 100, "currency": "CNY"} | amount,
        "goods_detail": goods,
    }
    reply = await caller.send("POST", "/v3/refund/domestic/refunds", document)
    assert (reply.status, reply.json["detail"]["field"]) == (400, field), json.dumps(reply.json)


async def test_a_refund_drawn_from_two_accounts_is_accepted(caller: Caller) -> None:
    await caller.order_and_pay()
    sources = [{"account": "AVAILABLE", "amount": 60}, {"account": "UNAVAILABLE", "amount": 40}]
    document = {
        "out_trade_no": "T00001",
        "out_refund_no": "R1",
        "amount": {"refund": 100, "total": 100, "currency": "CNY", "from": sources},
    }
    assert (await caller.send("POST", "/v3/refund/domestic/refunds", document)).status == 200
