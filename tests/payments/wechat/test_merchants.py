"""Several merchant accounts behind one port: each call goes to its own, and a notice finds its own."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from engine.payments.port import CardOwner, NotificationRefused, PaidNotice, RedirectRequest
from engine.payments.wechat.account import Credentials
from engine.payments.wechat.authenticity import SIGNED_HEADERS
from engine.payments.wechat.client import WeChatPay
from engine.payments.wechat.keys import MerchantKey, VerifyingKeys
from tests.payments.wechat import platform
from tests.payments.wechat.conftest import MakePay, Reply, Script
from tests.payments.wechat.platform import (
    KEYS,
    MCHID,
    NEXT_PLATFORM_KEY,
    NEXT_SERIAL,
    NOW_S,
    envelope,
    refund,
    sealed,
    signed,
    to_json,
    trade,
)
from tests.payments.wechat.test_client import GOOD, ORDER, REFUND
from tests.payments.wechat.test_notifications_fuzz import ANY_TEXT

SECOND, THIRD = "1900000888", "1900000999"
SECOND_KEY, THIRD_KEY = "second-" + "k" * 25, "third--" + "k" * 25
SECOND_SERIAL = "5157F09EFDC096DE15EBE81A47057A7200000002"


def merchant(mchid: str, api_v3_key: str, serial: str, file: str, *, takes_orders: bool = True) -> Credentials:
    return Credentials(
        mchid=mchid,
        api_v3_key=api_v3_key.encode(),
        key=MerchantKey.load(SECOND_SERIAL, KEYS / "stranger_private.pem"),
        keys=VerifyingKeys.load({serial: KEYS / file}),
        public_key_id=serial,
        takes_orders=takes_orders,
    )


# The second has a key of WeChat Pay's of its own, the third shares the first one's, as certificates are shared.
OTHERS = (
    merchant(SECOND, SECOND_KEY, NEXT_SERIAL, "next_platform_public.pem"),
    merchant(THIRD, THIRD_KEY, platform.SERIAL, "platform_public.pem"),
)
FIRST_KEYS = VerifyingKeys.load({platform.SERIAL: KEYS / "platform_public.pem"})


@pytest.fixture
def pay(make_pay: MakePay, script: Script) -> WeChatPay:
    return make_pay(script.url, keys=FIRST_KEYS, others=OTHERS)


def test_the_merchants_are_known_by_number(pay: WeChatPay) -> None:
    assert pay.mchids == {MCHID, SECOND, THIRD}


async def test_every_verb_goes_to_the_merchant_it_names_under_its_own_key(pay: WeChatPay, script: Script) -> None:
    by_second = {"key": NEXT_PLATFORM_KEY, "serial": NEXT_SERIAL}
    bodies = [GOOD.body, to_json(trade()), b"", to_json(refund()), to_json(refund()), to_json(refund())]
    statuses = [200, 200, 204, 200, 200, 200]
    script.says(
        *(Reply(status, body, signed(body, **by_second)) for status, body in zip(statuses, bodies, strict=True))
    )
    await pay.create(replace(ORDER, mchid=SECOND))
    await pay.query(ORDER.order_no, SECOND)
    await pay.close(ORDER.order_no, SECOND)
    await pay.refund(replace(REFUND, mchid=SECOND))
    await pay.query_refund(REFUND.out_refund_no, SECOND)
    await pay.redirect_refund(
        RedirectRequest(
            out_refund_no="R1", refund_id="5000", mchid=SECOND, owner=CardOwner.MERCHANT, bank_type="CMB_DEBIT"
        )
    )
    for request in script.requests:
        authorization = request.header("Authorization")
        assert f'mchid="{SECOND}"' in authorization
        assert f'serial_no="{SECOND_SERIAL}"' in authorization
        assert request.header("Wechatpay-Serial") == NEXT_SERIAL
    create, query, close = script.requests[:3]
    assert json.loads(create.body)["mchid"] == json.loads(close.body)["mchid"] == SECOND
    assert query.path.endswith(f"?mchid={SECOND}")


async def test_a_merchant_that_is_not_ours_is_a_bug_and_nothing_is_sent(pay: WeChatPay, script: Script) -> None:
    nobody = "1900000000"
    for call in (
        pay.create(replace(ORDER, mchid=nobody)),
        pay.client_parameters("wx1", nobody),
        pay.query(ORDER.order_no, nobody),
        pay.close(ORDER.order_no, nobody),
        pay.refund(replace(REFUND, mchid=nobody)),
        pay.query_refund("R1", nobody),
    ):
        with pytest.raises(ValueError, match="no merchant of ours"):
            await call
    assert script.requests == []


def test_new_orders_are_spread_evenly_and_stay_where_they_are(pay: WeChatPay) -> None:
    chosen = [pay.merchant_for(f"{number:032x}") for number in range(3000)]
    assert chosen == [pay.merchant_for(f"{number:032x}") for number in range(3000)]
    assert all(900 < count < 1100 for count in Counter(chosen).values())


def test_a_merchant_that_takes_no_orders_gets_none_and_moves_no_other(make_pay: MakePay, pay: WeChatPay) -> None:
    retired = merchant(SECOND, SECOND_KEY, NEXT_SERIAL, "next_platform_public.pem", takes_orders=False)
    fewer = make_pay("https://one", keys=FIRST_KEYS, others=(retired, OTHERS[1]))
    numbers = [f"{number:032x}" for number in range(300)]
    before, after = (list(map(each.merchant_for, numbers)) for each in (pay, fewer))
    assert SECOND not in after
    assert all(now == then for now, then in zip(after, before, strict=True) if then != SECOND)
    assert SECOND in fewer.mchids


def test_without_a_merchant_that_takes_orders_nothing_is_built(make_pay: MakePay) -> None:
    with pytest.raises(ValueError, match="takes orders"):
        make_pay("https://one", takes_orders=False)


def test_a_merchant_that_is_there_twice_is_refused(make_pay: MakePay) -> None:
    with pytest.raises(ValueError, match="differ"):
        make_pay("https://one", others=(OTHERS[0], OTHERS[0]))


def notice_to(mchid: str, api_v3_key: str) -> bytes:
    resource = sealed(to_json(trade() | {"mchid": mchid}), "transaction", key=api_v3_key)
    return to_json(envelope("TRANSACTION.SUCCESS", {}) | {"resource": resource})


@pytest.mark.parametrize(
    ("mchid", "api_v3_key", "by"),
    [
        (MCHID, platform.API_V3_KEY, {}),
        (SECOND, SECOND_KEY, {"key": NEXT_PLATFORM_KEY, "serial": NEXT_SERIAL}),
        (THIRD, THIRD_KEY, {}),
    ],
    ids=["the first", "the second, with a key of its own", "the third, under the first one's serial"],
)
def test_a_notice_is_read_by_the_merchant_whose_key_opens_it(
    pay: WeChatPay, mchid: str, api_v3_key: str, by: dict[str, object]
) -> None:
    body = notice_to(mchid, api_v3_key)
    notice = pay.read_notification(CIMultiDict(signed(body, **by)), body, NOW_S)
    assert isinstance(notice, PaidNotice)
    assert notice.paid.mchid == mchid


@pytest.mark.parametrize(
    ("headers", "body", "refusal"),
    [
        (signed(notice_to(MCHID, "0" * 32)), notice_to(MCHID, "0" * 32), (500, "DECRYPTION_FAILED")),
        (signed(b"other"), notice_to(MCHID, platform.API_V3_KEY), (401, "SIGNATURE_WRONG")),
        (signed(b"{}", serial="PUB_KEY_ID_NOBODY"), b"{}", (401, "SERIAL_UNKNOWN")),
        # The second's notice under the first one's serial: its key opens it, but it is not asked.
        (signed(notice_to(SECOND, SECOND_KEY)), notice_to(SECOND, SECOND_KEY), (500, "DECRYPTION_FAILED")),
        ([], b"<xml>", (401, "HEADER_MISSING")),
        (signed(b"{}"), b"{}", (400, "ENVELOPE_UNREADABLE")),
    ],
    ids=["sealed for nobody", "forged", "unknown serial", "under another's serial", "xml", "not for us to try twice"],
)
def test_a_notice_of_nobodys_is_refused_for_the_reason_that_came_farthest(
    pay: WeChatPay, headers: platform.Pairs, body: bytes, refusal: tuple[int, str]
) -> None:
    with pytest.raises(NotificationRefused) as refused:
        pay.read_notification(CIMultiDict(headers), body, NOW_S)
    assert (refused.value.status, refused.value.reason) == refusal


@given(
    st.lists(st.tuples(st.sampled_from(SIGNED_HEADERS) | ANY_TEXT, ANY_TEXT), max_size=8),
    st.sampled_from([platform.SERIAL, NEXT_SERIAL, "A" * 40, ""]),
    st.binary(max_size=200),
)
@settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=60
)
def test_noise_is_refused_whoever_it_claims_to_be_for(
    pay: WeChatPay, headers: platform.Pairs, serial: str, body: bytes
) -> None:
    with pytest.raises(NotificationRefused):
        pay.read_notification(CIMultiDict([*headers, ("Wechatpay-Serial", serial)]), body, NOW_S)
