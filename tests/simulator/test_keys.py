"""Who signs what: platform certificates, public keys, several merchants, a rotation and a migration in progress."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from wechatpayv3 import WeChatPay, WeChatPayType

from engine.simulator.keys import crypto
from engine.simulator.keys import keyring as keys
from engine.simulator.keys.keyring import Keyring
from engine.simulator.processes.server import Simulator
from tests.simulator.conftest import PROMPT, Caller, Receiver, Reply


@pytest.fixture
async def shared(home: Path) -> AsyncIterator[Simulator]:
    simulator = Simulator(home, luck=PROMPT, merchants=2)
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
def keyring(shared: Simulator) -> Keyring:
    return shared.office.keyring


@pytest.fixture
def first(session: aiohttp.ClientSession, shared: Simulator, receiver: Receiver) -> Caller:
    return Caller(session, shared.credentials, shared.port, receiver.url)


@pytest.fixture
def second(session: aiohttp.ClientSession, shared: Simulator, receiver: Receiver, keyring: Keyring) -> Caller:
    return Caller(session, keyring.all_credentials[1], shared.port, receiver.url)


async def set_faults(caller: Caller, **knobs: object) -> None:
    assert (await caller.house("PUT", "/_admin/faults", knobs)).status == 200


def is_right(headers: Any, body: bytes, keyring: Keyring) -> bool:
    """Signed by the key that its serial names."""
    public = {serial: key.public_key() for serial, key in keyring.private.items()}
    message = crypto.answer_message(
        timestamp=headers["Wechatpay-Timestamp"], nonce=headers["Wechatpay-Nonce"], body=body
    )
    return crypto.verify(public[headers["Wechatpay-Serial"]], message, headers["Wechatpay-Signature"])


def opened(caller: Caller, sealed: dict[str, str]) -> bytes:
    return AESGCM(caller.names.api_v3_key.encode()).decrypt(
        sealed["nonce"].encode(), base64.b64decode(sealed["ciphertext"]), sealed["associated_data"].encode()
    )


async def certificates(caller: Caller) -> Reply:
    return await caller.send("GET", "/v3/certificates")


@pytest.mark.parametrize("name", ["certificate_a", "certificate_b", "public_key"])
async def test_an_answer_is_signed_by_the_key_that_the_request_names(
    first: Caller, keyring: Keyring, name: str
) -> None:
    serial = keyring.serial(name, keyring.merchants[first.names.mchid])
    placed = await first.send("POST", "/v3/pay/transactions/jsapi", first.terms(), Wechatpay_Serial=serial)
    assert placed.headers["Wechatpay-Serial"] == serial
    assert is_right(placed.headers, placed.body, keyring)


@pytest.mark.parametrize("name", ["certificate_a", "certificate_b", "certificate_expired", "public_key"])
async def test_without_a_serial_the_knob_chooses_the_key(first: Caller, keyring: Keyring, name: str) -> None:
    await set_faults(first, answers_signed_by=name)
    placed = await first.order()
    assert placed.headers["Wechatpay-Serial"] == keyring.serial(name, keyring.merchants[first.names.mchid])
    assert is_right(placed.headers, placed.body, keyring)


@pytest.mark.parametrize(("choice", "status"), [("default_key", 200), ("refused", 400)])
async def test_a_serial_nobody_knows_is_overlooked_or_refused_by_choice(
    first: Caller, choice: str, status: int
) -> None:
    await set_faults(first, unknown_serial=choice)
    placed = await first.send("POST", "/v3/pay/transactions/jsapi", first.terms(), Wechatpay_Serial="5D" * 20)
    assert placed.status == status


async def test_a_merchant_may_not_name_the_public_key_of_another(first: Caller, second: Caller) -> None:
    foreign = second.names.public_key_id
    placed = await first.send("POST", "/v3/pay/transactions/jsapi", first.terms(), Wechatpay_Serial=foreign)
    assert placed.headers["Wechatpay-Serial"] == first.names.public_key_id


async def test_merchants_share_a_mini_program_and_no_keys(keyring: Keyring) -> None:
    one, other = keyring.all_credentials
    assert one.appid == other.appid
    assert one.mchid != other.mchid
    assert one.api_v3_key != other.api_v3_key
    assert one.public_key_id != other.public_key_id


async def test_merchants_do_not_see_orders_of_each_other(first: Caller, second: Caller) -> None:
    await first.order()
    assert (await second.query()).status == 404


async def test_the_same_order_number_of_two_merchants_is_two_orders(
    first: Caller, second: Caller, receiver: Receiver
) -> None:
    assert await first.order_and_pay() != await second.order_and_pay()
    got = await receiver.wait(2)
    assert {headers["Wechatpay-Serial"] for headers, _ in got} == {
        first.names.public_key_id,
        second.names.public_key_id,
    }


async def test_a_listed_certificate_opens_with_the_api_key_and_is_x509(first: Caller, keyring: Keyring) -> None:
    listed = (await certificates(first)).json["data"]
    assert [row["serial_no"] for row in listed] == [keyring.certificates["a"].serial]
    certificate = x509.load_pem_x509_certificate(opened(first, listed[0]["encrypt_certificate"]))
    assert f"{certificate.serial_number:040X}" == listed[0]["serial_no"]
    assert len(listed[0]["serial_no"]) == 40


@pytest.mark.parametrize(
    ("choice", "names"), [("a", ["a"]), ("b", ["b"]), ("both", ["a", "b"]), ("with_expired", ["expired", "a", "b"])]
)
async def test_the_knob_chooses_the_certificates_listed(
    first: Caller, keyring: Keyring, choice: str, names: list[str]
) -> None:
    await set_faults(first, certificates_listed=choice)
    listed = (await certificates(first)).json["data"]
    assert [row["serial_no"] for row in listed] == [keyring.certificates[name].serial for name in names]


@pytest.mark.parametrize(
    ("choice", "status", "code"), [("none", 404, "RESOURCE_NOT_EXISTS"), ("busy", 500, "SYSTEM_ERROR")]
)
async def test_a_public_key_merchant_has_no_certificates(first: Caller, choice: str, status: int, code: str) -> None:
    await set_faults(first, certificates_listed=choice)
    refused = await certificates(first)
    assert (refused.status, refused.json["code"]) == (status, code)


async def test_an_unknown_algorithm_is_refused(first: Caller) -> None:
    refused = await first.send("GET", "/v3/certificates?algorithm_type=ROT13")
    assert (refused.status, refused.json["code"]) == (400, "PARAM_ERROR")


async def test_a_rotation_mixes_both_certificates_in_callbacks(
    first: Caller, keyring: Keyring, receiver: Receiver
) -> None:
    await set_faults(first, callback_public_key=0.0, callback_certificate_b=0.5)
    for number in range(16):
        await first.order_and_pay(f"T000{number:02}")
    got = await receiver.wait(16)
    assert {headers["Wechatpay-Serial"] for headers, _ in got} == {
        keyring.certificates["a"].serial,
        keyring.certificates["b"].serial,
    }
    assert all(is_right(headers, body, keyring) for headers, body in got)


async def test_a_migration_mixes_certificate_and_public_key_in_callbacks(
    first: Caller, keyring: Keyring, receiver: Receiver
) -> None:
    await set_faults(first, callback_public_key=0.5)
    for number in range(16):
        await first.order_and_pay(f"T000{number:02}")
    got = await receiver.wait(16)
    assert {headers["Wechatpay-Serial"] for headers, _ in got} == {
        keyring.certificates["a"].serial,
        first.names.public_key_id,
    }


async def test_the_attempts_of_one_callback_may_be_signed_by_different_keys(
    first: Caller, keyring: Keyring, receiver: Receiver
) -> None:
    await set_faults(first, callback_public_key=0.5, callback_retry_scale=0.0)
    receiver.answers = [500] * 15
    await first.order_and_pay()
    got = await receiver.wait(16)
    assert len({headers["Wechatpay-Serial"] for headers, _ in got}) == 2


async def test_an_echo_opens_what_was_encrypted_and_calls_back(first: Caller, receiver: Receiver) -> None:
    public = load_pem_public_key(first.names.public_key_file.read_bytes())
    assert isinstance(public, RSAPublicKey)
    sealed = public.encrypt(b"secret", OAEP(MGF1(SHA1()), SHA1(), None))
    asked = {
        "notify_url": first.notify_url,
        "echo_message": "hello",
        "encrypted_echo_message": base64.b64encode(sealed).decode(),
    }
    told = await first.send("POST", "/v3/security/echo", asked, Wechatpay_Serial=first.names.public_key_id)
    assert told.json == {"echo_message": "hello", "encrypted_echo_message": "secret"}
    notice = json.loads((await receiver.wait(1))[0][1])
    assert notice["event_type"] == "SECURITY_ECHO.SUCCESS"
    assert json.loads(opened(first, notice["resource"]))["echo_message"] == "hello"


async def test_the_peer_in_certificate_mode_survives_a_rotation(
    first: Caller, shared: Simulator, keyring: Keyring, tmp_path: Path
) -> None:
    folder = tmp_path / "certificates"
    folder.mkdir()
    (folder / f"{keyring.certificates['a'].serial}.pem").write_bytes(keyring.certificates["a"].pem)
    names = first.names
    peer = WeChatPay(
        wechatpay_type=WeChatPayType.MINIPROG,
        mchid=names.mchid,
        private_key=names.private_key_file.read_text(),
        cert_serial_no=names.certificate_serial,
        appid=names.appid,
        apiv3_key=names.api_v3_key,
        cert_dir=str(folder),
        timeout=10,
    )
    peer._core._gate_way = f"http://127.0.0.1:{shared.port}"
    await first.order()
    await set_faults(first, answers_signed_by="certificate_a", certificates_listed="both")
    before = await asyncio.to_thread(peer.query, out_trade_no="T00001")
    await set_faults(first, answers_signed_by="certificate_b")
    after = await asyncio.to_thread(peer.query, out_trade_no="T00001")
    assert (before[0], after[0]) == (200, 200)


def test_keys_are_made_once(home: Path) -> None:
    once, again = keys.ensure(home, merchants=2), keys.ensure(home, merchants=2)
    assert once.all_credentials == again.all_credentials
    assert once.certificates == again.certificates


def test_the_expired_certificate_has_expired_and_the_others_have_not(home: Path) -> None:
    certificates = keys.ensure(home).certificates
    now_ms = max(certificates["a"].effective_ms, certificates["b"].effective_ms)
    ends = {name: certificate.expires_ms > now_ms for name, certificate in certificates.items()}
    assert ends == {"a": True, "b": True, "expired": False}
