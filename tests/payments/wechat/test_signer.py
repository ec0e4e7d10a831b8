"""Signing beside the loop."""

from __future__ import annotations

import asyncio
import threading

import pytest

from engine.payments.wechat.keys import MerchantKey, VerifyingKeys
from engine.payments.wechat.messages import from_base64
from engine.payments.wechat.signer import Signer
from tests.payments.wechat.platform import KEYS


async def test_a_hundred_signatures_at_once_are_each_of_their_message(merchant_key: MerchantKey) -> None:
    merchant = VerifyingKeys.load({"M": KEYS / "merchant_public.pem"})
    signer = Signer(thread_count=2)
    messages = [f"message {number}".encode() for number in range(100)]
    signatures = await asyncio.gather(*(signer.sign(merchant_key, message) for message in messages))
    signer.close()
    assert all(
        merchant.verify("M", from_base64(signature), message)
        for signature, message in zip(signatures, messages, strict=True)
    )


async def test_the_loop_turns_while_a_signature_is_made(merchant_key: MerchantKey) -> None:
    signer = Signer(thread_count=1)
    signing = asyncio.gather(*(signer.sign(merchant_key, b"message") for _ in range(50)))
    turns = 0
    while not signing.done():
        turns += 1
        await asyncio.sleep(0)
    signer.close()
    assert turns > 50


def test_a_signer_without_threads_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one thread"):
        Signer(thread_count=0)


async def test_a_cancelled_request_takes_no_other_down(merchant_key: MerchantKey) -> None:
    signer = Signer(thread_count=1)
    requests = [asyncio.create_task(signer.sign(merchant_key, b"message")) for _ in range(10)]
    await asyncio.sleep(0)
    requests[0].cancel()
    outcomes = await asyncio.gather(*requests, return_exceptions=True)
    signer.close()
    assert len({outcome for outcome in outcomes[1:] if isinstance(outcome, str)}) == 1
    assert isinstance(outcomes[0], asyncio.CancelledError)


async def test_closing_ends_the_threads_and_signs_what_waits(merchant_key: MerchantKey) -> None:
    before = threading.active_count()
    signer = Signer(thread_count=3)
    waiting = [asyncio.create_task(signer.sign(merchant_key, b"message")) for _ in range(5)]
    await asyncio.sleep(0)
    signer.close()
    await asyncio.gather(*waiting)
    assert threading.active_count() == before


async def test_a_key_that_fails_fails_its_request_and_the_thread_goes_on(merchant_key: MerchantKey) -> None:
    signer = Signer(thread_count=1)
    with pytest.raises(TypeError):
        await signer.sign(merchant_key, "not bytes")  # type: ignore[arg-type]
    assert await signer.sign(merchant_key, b"bytes")
    signer.close()
