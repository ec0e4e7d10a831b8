"""Callbacks that are wrong in one thing, each followed by the right one; and right ones at odd moments."""

import asyncio
import base64
import json
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from wechatpayv3 import WeChatPay

from engine.simulator.keys import crypto
from engine.simulator.processes.server import Simulator
from tests.simulator.conftest import Caller, Receiver

Got = tuple[dict[str, str], bytes]


async def set_faults(caller: Caller, **knobs: object) -> None:
    assert (await caller.house("PUT", "/_admin/faults", knobs)).status == 200


async def until(caller: Caller, **wanted: object) -> dict[str, Any]:
    async with asyncio.timeout(10):
        while True:
            tally: dict[str, Any] = (await caller.house("GET", "/_admin/callbacks")).json
            if wanted.items() <= tally.items():
                return tally
            await asyncio.sleep(0.01)


async def pay_and_receive(caller: Caller, receiver: Receiver, knob: str, *, answers: int = 401) -> tuple[Got, Got]:
    """The wrong callback and the right one that follows."""
    await set_faults(caller, **{knob: 1.0})
    receiver.answers = [answers]
    await caller.order_and_pay()
    wrong, right = (await receiver.wait(2))[:2]
    return wrong, right


def is_signed(caller: Caller, got: Got) -> bool:
    headers, body = got
    key = load_pem_public_key(caller.names.public_key_file.read_bytes())
    assert isinstance(key, RSAPublicKey)
    message = crypto.answer_message(
        timestamp=headers["Wechatpay-Timestamp"], nonce=headers["Wechatpay-Nonce"], body=body
    )
    return crypto.verify(key, message, headers["Wechatpay-Signature"])


def opened(caller: Caller, got: Got) -> Any:
    resource = json.loads(got[1])["resource"]
    plaintext = AESGCM(caller.names.api_v3_key.encode()).decrypt(
        resource["nonce"].encode(), base64.b64decode(resource["ciphertext"]), resource["associated_data"].encode()
    )
    return json.loads(plaintext)


async def test_a_changed_body_still_opens_and_is_not_what_was_signed(caller: Caller, receiver: Receiver) -> None:
    wrong, right = await pay_and_receive(caller, receiver, "callback_bad_body")
    assert opened(caller, wrong) == opened(caller, right)
    assert (is_signed(caller, wrong), is_signed(caller, right)) == (False, True)


@pytest.mark.parametrize("knob", ["callback_bad_tag", "callback_bad_aad"])
async def test_what_does_not_decrypt_is_rightly_signed(caller: Caller, receiver: Receiver, knob: str) -> None:
    wrong, right = await pay_and_receive(caller, receiver, knob)
    assert is_signed(caller, wrong)
    with pytest.raises(InvalidTag):
        opened(caller, wrong)
    assert opened(caller, right)["trade_state"] == "SUCCESS"


async def test_a_stale_callback_is_rightly_signed_but_old(caller: Caller, receiver: Receiver) -> None:
    wrong, right = await pay_and_receive(caller, receiver, "callback_bad_stale")
    assert is_signed(caller, wrong)
    assert int(right[0]["Wechatpay-Timestamp"]) - int(wrong[0]["Wechatpay-Timestamp"]) > 300


async def test_an_unknown_serial_is_nobodys(caller: Caller, receiver: Receiver, running: Simulator) -> None:
    wrong, right = await pay_and_receive(caller, receiver, "callback_bad_serial")
    assert wrong[0]["Wechatpay-Serial"] not in running.office.keyring.private
    assert right[0]["Wechatpay-Serial"] == caller.names.public_key_id


async def test_an_expired_certificate_signs_well(caller: Caller, receiver: Receiver, running: Simulator) -> None:
    wrong, _ = await pay_and_receive(caller, receiver, "callback_bad_expired")
    assert wrong[0]["Wechatpay-Serial"] == running.office.keyring.certificates["expired"].serial


async def test_a_wrong_amount_is_one_fen_too_much(caller: Caller, receiver: Receiver) -> None:
    wrong, right = await pay_and_receive(caller, receiver, "callback_bad_amount")
    assert is_signed(caller, wrong)
    assert [opened(caller, got)["amount"]["total"] for got in (wrong, right)] == [101, 100]


async def test_a_foreign_mchid_is_inside_what_is_rightly_sealed(caller: Caller, receiver: Receiver) -> None:
    wrong, right = await pay_and_receive(caller, receiver, "callback_bad_mchid")
    assert is_signed(caller, wrong)
    assert opened(caller, wrong)["mchid"] != opened(caller, right)["mchid"] == caller.names.mchid


async def test_a_refund_may_first_be_told_in_xml_and_unsigned(caller: Caller, receiver: Receiver) -> None:
    await caller.order_and_pay()
    await receiver.wait(1)
    await set_faults(caller, callback_bad_xml=1.0)
    receiver.answers = [400]
    await caller.refund()
    wrong, right = (await receiver.wait(3))[1:]
    assert wrong[1].startswith(b"<xml>")
    assert "Wechatpay-Signature" not in wrong[0]
    assert opened(caller, right)["refund_status"] == "SUCCESS"


async def test_a_dribbling_body_never_ends_and_the_right_one_follows(caller: Caller, receiver: Receiver) -> None:
    await set_faults(caller, callback_bad_slow=1.0, callback_timeout_ms=300)
    await caller.order_and_pay()
    tally = await until(caller, acknowledged=1, unfinished=0)
    assert tally["bad"] == {"slow": 1}
    assert len(receiver.got) == 1


async def test_empty_associated_data_may_be_right(caller: Caller, receiver: Receiver) -> None:
    await set_faults(caller, callback_aad_empty=1.0)
    await caller.order_and_pay()
    got = (await receiver.wait(1))[0]
    assert json.loads(got[1])["resource"]["associated_data"] == ""
    assert opened(caller, got)["trade_state"] == "SUCCESS"


@pytest.mark.parametrize(("answer", "accepted"), [(204, {"tag": 1}), (401, {})])
async def test_a_merchant_that_accepts_what_is_wrong_is_found_out(
    caller: Caller, receiver: Receiver, answer: int, accepted: dict[str, int]
) -> None:
    await pay_and_receive(caller, receiver, "callback_bad_tag", answers=answer)
    tally = await until(caller, acknowledged=1, unfinished=0)
    assert (tally["bad"], tally["bad_accepted"]) == ({"tag": 1}, accepted)


async def test_several_flaws_come_one_by_one_before_the_right_one(caller: Caller, receiver: Receiver) -> None:
    await set_faults(caller, callback_bad_tag=1.0, callback_bad_stale=1.0, callback_signtest=1.0)
    await caller.order_and_pay()
    tally = await until(caller, acknowledged=1, unfinished=0)
    assert (tally["bad"], tally["probes"], tally["attempts"]) == ({"tag": 1, "stale": 1}, 1, 4)


async def test_the_peer_opens_the_right_one_and_not_the_tampered(
    caller: Caller, receiver: Receiver, peer: WeChatPay
) -> None:
    wrong, right = await pay_and_receive(caller, receiver, "callback_bad_body")
    assert peer.callback(*wrong) is None
    assert peer.callback(*right)["event_type"] == "TRANSACTION.SUCCESS"


async def test_a_held_callback_is_overtaken_by_later_ones(caller: Caller, receiver: Receiver) -> None:
    await set_faults(caller, callback_reorder=1.0, callback_reorder_count=2, callback_reorder_most_ms=60_000)
    await caller.order_and_pay("T00001")
    await set_faults(caller, callback_reorder=0.0)
    await caller.order_and_pay("T00002")
    await caller.order_and_pay("T00003")
    told = [opened(caller, got)["out_trade_no"] for got in await receiver.wait(3)]
    assert told[-1] == "T00001"
    assert (await until(caller, acknowledged=3))["overtaken"] == 1


async def test_a_held_callback_goes_in_the_end_although_nothing_overtakes_it(
    caller: Caller, receiver: Receiver
) -> None:
    await set_faults(caller, callback_reorder=1.0, callback_reorder_most_ms=1)
    await caller.order_and_pay()
    await receiver.wait(1)


async def test_a_late_callback_is_counted_and_comes(caller: Caller, receiver: Receiver) -> None:
    await set_faults(caller, callback_late=1.0, callback_late_ms=[1, 2])
    await caller.order_and_pay()
    await receiver.wait(1)
    assert (await until(caller, acknowledged=1))["late"] == 1
