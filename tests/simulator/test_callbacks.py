"""Callbacks as the merchant meets them: retried, doubled, lost, probed, signed afresh."""

import asyncio
import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from engine.simulator.keys import crypto
from engine.simulator.office.callbacks import RETRIES_S
from tests.simulator.conftest import Caller, Receiver


async def set_faults(caller: Caller, **knobs: object) -> None:
    assert (await caller.house("PUT", "/_admin/faults", knobs)).status == 200


async def tally(caller: Caller) -> dict[str, int]:
    return (await caller.house("GET", "/_admin/callbacks")).json  # type: ignore[no-any-return]


async def until(caller: Caller, **wanted: int) -> None:
    async with asyncio.timeout(10):
        while not wanted.items() <= (await tally(caller)).items():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def is_right(caller: Caller, headers: dict[str, str], body: bytes) -> bool:
    key = load_pem_public_key(caller.names.public_key_file.read_bytes())
    assert isinstance(key, RSAPublicKey)
    message = crypto.answer_message(
        timestamp=headers["Wechatpay-Timestamp"], nonce=headers["Wechatpay-Nonce"], body=body
    )
    return crypto.verify(key, message, headers["Wechatpay-Signature"])


def opened(caller: Caller, body: bytes) -> Any:
    resource = json.loads(body)["resource"]
    plaintext = AESGCM(caller.names.api_v3_key.encode()).decrypt(
        resource["nonce"].encode(),
        base64.b64decode(resource["ciphertext"]),
        resource["associated_data"].encode(),
    )
    return json.loads(plaintext)


async def test_a_payment_is_told_with_the_shape_of_a_query(caller: Caller, receiver: Receiver) -> None:
    await caller.order_and_pay()
    headers, body = (await receiver.wait(1))[0]
    assert is_right(caller, headers, body)
    assert opened(caller, body) == (await caller.query()).json


@pytest.mark.parametrize("answer", [201, 202, 301, 400, 401, 500, 503])
async def test_only_200_and_204_acknowledge(caller: Caller, receiver: Receiver, answer: int) -> None:
    receiver.answers = [answer, 200]
    await caller.order_and_pay()
    await until(caller, acknowledged=1, failed=1, unfinished=0)
    assert len(receiver.got) == 2


async def test_each_attempt_is_signed_and_encrypted_afresh(caller: Caller, receiver: Receiver) -> None:
    receiver.answers = [500, 500]
    await caller.order_and_pay()
    got = await receiver.wait(3)
    assert len({headers["Wechatpay-Nonce"] for headers, _ in got}) == 3
    assert len({json.loads(body)["resource"]["nonce"] for _, body in got}) == 3
    assert len({json.loads(body)["id"] for _, body in got}) == 1
    assert all(is_right(caller, headers, body) for headers, body in got)


async def test_wechat_gives_up_after_fifteen_retries(caller: Caller, receiver: Receiver) -> None:
    await set_faults(caller, callback_retry_scale=0.0)
    receiver.answers = [500] * 100
    await caller.order_and_pay()
    await until(caller, given_up=1, unfinished=0)
    assert len(receiver.got) == 1 + len(RETRIES_S) == 16


def test_the_retries_last_a_day() -> None:
    assert sum(RETRIES_S) == 24 * 3600 + 4 * 60


async def test_a_slow_merchant_is_asked_again(caller: Caller, receiver: Receiver) -> None:
    await set_faults(caller, callback_timeout_ms=500)
    receiver.waits_s = [1.5]
    await caller.order_and_pay()
    await until(caller, failed=1, acknowledged=1)


async def test_a_lost_callback_never_comes_but_the_order_is_paid(caller: Caller, receiver: Receiver) -> None:
    await set_faults(caller, callback_loss=1.0)
    await caller.order_and_pay()
    await until(caller, lost=1, unfinished=0)
    assert receiver.got == []
    assert (await caller.query()).json["trade_state"] == "SUCCESS"


async def test_duplicates_come_although_the_first_was_acknowledged(caller: Caller, receiver: Receiver) -> None:
    await set_faults(caller, callback_duplicate=1.0)
    for number in range(8):
        await caller.order_and_pay(f"T0000{number}")
    await until(caller, acknowledged=8, duplicates=8)
    numbers = sorted(opened(caller, body)["out_trade_no"] for _, body in receiver.got)
    assert numbers == sorted([f"T0000{number}" for number in range(8)] * 2)


async def test_a_wrongly_signed_probe_comes_before_the_real_callback(caller: Caller, receiver: Receiver) -> None:
    await set_faults(caller, callback_signtest=1.0)
    receiver.answers = [401, 204]
    await caller.order_and_pay()
    probe, real = await receiver.wait(2)
    assert (is_right(caller, *probe), is_right(caller, *real)) == (False, True)
    await until(caller, probes=1, probes_accepted=0, acknowledged=1)


async def test_a_merchant_that_accepts_a_probe_is_found_out(caller: Caller, receiver: Receiver) -> None:
    await set_faults(caller, callback_signtest=1.0)
    await caller.order_and_pay()
    await until(caller, probes_accepted=1, acknowledged=1)


async def test_a_merchant_that_is_away_is_told_when_it_returns(caller: Caller, receiver: Receiver) -> None:
    caller.notify_url = "http://127.0.0.1:1/notify"
    await caller.order_and_pay()
    async with asyncio.timeout(10):
        while (await tally(caller))["failed"] == 0:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert (await tally(caller))["unfinished"] == 1
