"""Answers that go wrong: before the effect, after it, and on the wire."""

import asyncio
import time
from itertools import accumulate

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from hypothesis import given
from hypothesis import strategies as st

from engine.simulator.keys import crypto
from engine.simulator.luck import fates, knobs
from engine.simulator.luck.faults import Faults
from engine.simulator.luck.limits import Limits, Nonces
from engine.simulator.office import routes
from tests.simulator.conftest import Caller, Reply

BEFORE = ("answer_reset", "answer_limited", "answer_error_before", "answer_unavailable")
AFTER = ("answer_lost", "answer_limited_after", "answer_error_after", "answer_unavailable_after", "answer_truncated")


async def set_faults(caller: Caller, **values: object) -> None:
    assert (await caller.house("PUT", "/_admin/faults", values)).status == 200


async def tried(caller: Caller) -> None:
    """Place an order and hear whatever comes."""
    try:
        assert (await caller.order()).status != 200
    except aiohttp.ClientError:
        return


def is_signed(caller: Caller, reply: Reply) -> bool:
    key = load_pem_public_key(caller.names.public_key_file.read_bytes())
    assert isinstance(key, RSAPublicKey)
    message = crypto.answer_message(
        timestamp=reply.headers["Wechatpay-Timestamp"], nonce=reply.headers["Wechatpay-Nonce"], body=reply.body
    )
    return crypto.verify(key, message, reply.headers["Wechatpay-Signature"])


@pytest.mark.parametrize("knob", BEFORE)
async def test_a_fault_before_the_effect_leaves_no_order(caller: Caller, knob: str) -> None:
    await set_faults(caller, answer_routes=["order"], **{knob: 1.0})
    await tried(caller)
    assert (await caller.query()).status == 404


@pytest.mark.parametrize("knob", AFTER)
async def test_a_fault_after_the_effect_leaves_an_order(caller: Caller, knob: str) -> None:
    await set_faults(caller, answer_routes=["order"], **{knob: 1.0})
    await tried(caller)
    assert (await caller.query()).json["trade_state"] == "NOTPAY"


async def test_a_refund_answered_429_may_have_been_accepted(caller: Caller) -> None:
    await caller.order_and_pay()
    await set_faults(caller, answer_routes=["refund"], answer_limited_after=1.0)
    refused = await caller.refund()
    found = await caller.send("GET", "/v3/refund/domestic/refunds/R1")
    assert (refused.status, found.status) == (429, 200)


async def test_a_merchant_without_funds_is_refused_and_may_try_again(caller: Caller) -> None:
    await caller.order_and_pay()
    await set_faults(caller, refund_not_enough=1.0)
    refused = await caller.refund()
    await set_faults(caller, refund_not_enough=0.0)
    assert (refused.status, refused.json["code"]) == (403, "NOT_ENOUGH")
    assert (await caller.refund()).status == 200


async def test_a_proxy_answers_502_and_503_empty_and_in_html(caller: Caller) -> None:
    await set_faults(caller, answer_unavailable=1.0)
    replies = [await caller.query() for _ in range(30)]
    assert {reply.status for reply in replies} == {502, 503}
    assert {reply.body[:6] for reply in replies} == {b"", b"<html>"}
    assert not any("Wechatpay-Signature" in reply.headers for reply in replies)


async def test_an_unsigned_answer_has_no_signature_headers(caller: Caller) -> None:
    await set_faults(caller, answer_unsigned=1.0)
    placed = await caller.order()
    assert placed.status == 200
    assert not any(name.startswith("Wechatpay") for name in placed.headers)


async def test_a_badly_signed_answer_does_not_verify(caller: Caller) -> None:
    await set_faults(caller, answer_bad_signature=1.0)
    placed = await caller.order()
    assert placed.status == 200
    assert not is_signed(caller, placed)


async def test_a_stale_answer_is_rightly_signed_but_old(caller: Caller) -> None:
    await set_faults(caller, answer_stale=1.0)
    placed = await caller.order()
    assert is_signed(caller, placed)
    assert int(placed.headers["Wechatpay-Timestamp"]) <= time.time() - 300


async def test_a_truncated_answer_breaks_off_in_the_body(caller: Caller) -> None:
    await set_faults(caller, answer_truncated=1.0)
    with pytest.raises(aiohttp.ClientPayloadError):
        await caller.order()


@pytest.mark.parametrize("code", ["FREQUENCY_LIMITED", "RATELIMIT_EXCEEDED"])
async def test_the_code_of_429_is_a_choice(caller: Caller, code: str) -> None:
    await set_faults(caller, answer_limited=1.0, limited_code=code)
    refused = await caller.query()
    assert (refused.status, refused.json["code"]) == (429, code)


async def test_more_calls_than_the_limit_are_refused_by_route(caller: Caller) -> None:
    await set_faults(caller, limits_per_s={"order": 3})
    placed = await asyncio.gather(*(caller.order(f"T0000{number}") for number in range(9)))
    assert {reply.status for reply in placed} == {200, 429}
    assert (await caller.query()).status in (200, 404)


async def test_refused_refunds_have_a_budget_of_their_own(caller: Caller) -> None:
    await set_faults(caller, limits_per_s={"refund": 1000, "refund_errors": 2})
    refused = [await caller.refund() for _ in range(4)]
    assert [reply.status for reply in refused[:2]] == [404, 404]
    assert 429 in {reply.status for reply in refused}


async def test_a_nonce_used_twice_is_refused_by_choice(caller: Caller) -> None:
    await caller.query()
    await set_faults(caller, nonce_replay_refused=True)
    statuses = [(await caller.query()).status for _ in range(2)]
    assert statuses == [404, 401]


def test_a_bucket_fills_with_time_and_never_above_one_second() -> None:
    limits = Limits()
    taken = [limits.take("m", "order", per_s=2, now_ms=0) for _ in range(3)]
    later = [limits.take("m", "order", per_s=2, now_ms=60_000) for _ in range(3)]
    assert (taken, later) == ([True, True, False], [True, True, False])
    assert limits.take("m", "order", per_s=2, now_ms=60_500)


@given(
    per_s=st.integers(1, 50),
    gaps_ms=st.lists(st.integers(0, 1500), min_size=1, max_size=60),
)
def test_no_stretch_of_time_sees_more_calls_than_its_rate_and_one_second_more(per_s: int, gaps_ms: list[int]) -> None:
    limits = Limits()
    moments = list(accumulate(gaps_ms))
    taken = [ms for ms in moments if limits.take("m", "order", per_s=per_s, now_ms=ms)]
    for index, start in enumerate(taken):
        for count, end in enumerate(taken[index:], 1):
            assert count <= per_s + per_s * (end - start) / 1000 + 1e-6


def test_merchants_have_buckets_of_their_own() -> None:
    limits = Limits()
    assert [limits.take(mchid, "order", per_s=1, now_ms=0) for mchid in ("m", "m", "n")] == [True, False, True]


def test_a_nonce_is_new_again_after_ten_minutes() -> None:
    nonces = Nonces()
    assert [nonces.is_new("m", "n", now_ms=ms) for ms in (0, 1, Nonces.KEPT_MS)] == [True, False, True]


def test_every_answer_knob_strikes_with_certainty_when_it_is_one() -> None:
    for knob in (*BEFORE, *AFTER, "answer_unsigned", "answer_bad_signature", "answer_stale", "answer_signtest"):
        luck = Faults(**{knob: 1.0})  # type: ignore[arg-type]
        assert fates.suffers(luck, "order")
        assert fates.fate(luck, "order", 1) != fates.LUCKY


def test_the_fate_of_a_call_depends_on_seed_route_and_count_only() -> None:
    luck = Faults(answer_error_before=0.5)
    drawn = [[fates.fate(luck, "order", count) for count in range(40)] for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert len(set(map(str, drawn[0]))) == 2


def test_knobs_know_every_route() -> None:
    assert {route.name for route in routes.ROUTES} == set(knobs.ROUTES)
