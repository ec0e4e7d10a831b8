"""Platform certificates: what is believed of them, and how often they are asked for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from multidict import CIMultiDict

from engine.infra.reading import Unreadable
from engine.payments.port import NotificationRefused, PaidNotice, RefundState, TradeState
from engine.payments.wechat.account import Account
from engine.payments.wechat.certificates import Certificates, Refreshed, opened
from engine.payments.wechat.client import WeChatPay
from engine.payments.wechat.endpoints import CERTIFICATES_PATH
from engine.payments.wechat.keys import VerifyingKeys
from tests.payments.wechat import platform
from tests.payments.wechat.conftest import MakePay, Reply, Script
from tests.payments.wechat.platform import (
    CERTIFICATE,
    DAY_S,
    KEYS,
    MCHID,
    NEXT_CERTIFICATE,
    NEXT_PLATFORM_KEY,
    NOW_S,
    STRANGER_KEY,
    certificate,
    envelope,
    listed,
    signed,
    to_json,
    trade,
)

ORDER_NO = "FG20260101000001"
TRADE = to_json(trade())
OLD = listed()
NEW = listed(NEXT_CERTIFICATE, certificate(NEXT_CERTIFICATE, NEXT_PLATFORM_KEY, begins_s=NOW_S - 10))
PAID = to_json(envelope("TRANSACTION.SUCCESS", trade()))


def by_certificate(body: bytes, status: int = 200) -> Reply:
    return Reply(status, body, signed(body, serial=CERTIFICATE))


def by_next(body: bytes) -> Reply:
    return Reply(body=body, headers=signed(body, key=NEXT_PLATFORM_KEY, serial=NEXT_CERTIFICATE))


def listing(*entries: dict[str, Any]) -> Reply:
    """The certificates, signed by the first of them."""
    return by_certificate(to_json({"data": list(entries)}))


@pytest.fixture
def pay(make_pay: MakePay, script: Script) -> WeChatPay:
    """A merchant without a public key of WeChat Pay."""
    return make_pay(script.url, keys=VerifyingKeys({}, grows=True), public_key_id=None, certificates=True)


@pytest.fixture
def account(pay: WeChatPay) -> Account:
    return pay.account(MCHID)


def is_accepted(pay: WeChatPay, headers: platform.Pairs) -> bool:
    try:
        return isinstance(pay.read_notification(CIMultiDict(headers), PAID, NOW_S), PaidNotice)
    except NotificationRefused:
        return False


async def test_the_first_request_of_many_downloads_the_certificates_for_all(pay: WeChatPay, script: Script) -> None:
    script.says(listing(OLD), *[by_certificate(TRADE)] * 5)
    reports = await asyncio.gather(*(pay.query(ORDER_NO, MCHID) for _ in range(5)))
    assert {report.state for report in reports} == {TradeState.PAID}
    assert [request.path for request in script.requests].count(CERTIFICATES_PATH) == 1
    assert script.requests[0].path == CERTIFICATES_PATH


async def test_requests_name_the_newest_certificate_as_soon_as_one_is_known(
    pay: WeChatPay, account: Account, script: Script
) -> None:
    script.says(listing(OLD, NEW), by_next(TRADE))
    await account.refresh_keys()
    await pay.query(ORDER_NO, MCHID)
    first, second = script.requests
    assert "Wechatpay-Serial" not in dict(first.headers)
    assert second.header("Wechatpay-Serial") == NEXT_CERTIFICATE


async def test_both_certificates_are_believed_while_they_change(
    pay: WeChatPay, account: Account, script: Script
) -> None:
    script.says(listing(OLD, NEW), by_certificate(TRADE), by_next(TRADE))
    await account.refresh_keys()
    assert [(await pay.query(ORDER_NO, MCHID)).state for _ in range(2)] == [TradeState.PAID] * 2
    assert is_accepted(pay, signed(PAID, serial=CERTIFICATE))
    assert is_accepted(pay, signed(PAID, key=NEXT_PLATFORM_KEY, serial=NEXT_CERTIFICATE))


async def test_a_certificate_that_is_listed_no_longer_is_believed_until_it_expires(
    pay: WeChatPay, account: Account, script: Script
) -> None:
    only_new = to_json({"data": [NEW]})
    script.says(listing(OLD), Reply(body=only_new, headers=by_next(only_new).headers))
    assert [await account.refresh_keys() for _ in range(2)] == [Refreshed.LEARNED] * 2
    assert is_accepted(pay, signed(PAID, serial=CERTIFICATE))


@pytest.mark.parametrize(("late_s", "believed"), [(-1.0, True), (0.0, False), (DAY_S, False)])
def test_a_certificate_is_believed_until_it_expires(late_s: float, believed: bool) -> None:
    keys = VerifyingKeys({}, grows=True)
    (found,) = opened(to_json({"data": [OLD]}), platform.API_V3_KEY.encode())
    keys.learn([found], NOW_S)
    assert keys.knows(CERTIFICATE, found.expires_s + late_s) is believed


async def test_an_answer_with_an_unknown_serial_is_believed_after_a_download(
    pay: WeChatPay, account: Account, script: Script
) -> None:
    script.says(listing(OLD), by_next(TRADE), listing(OLD, NEW))
    await account.refresh_keys()
    # The download that the start has made was long ago.
    assert account.certificates is not None
    account.certificates._tried_at_s = float("-inf")
    assert (await pay.query(ORDER_NO, MCHID)).state is TradeState.PAID
    assert script.replies == []


async def test_a_notice_with_an_unknown_serial_is_refused_now_and_read_when_it_comes_again(
    pay: WeChatPay, account: Account, script: Script
) -> None:
    script.says(listing(OLD))
    headers = signed(PAID, serial=CERTIFICATE)
    assert not is_accepted(pay, headers)
    await downloads_done(account)
    assert is_accepted(pay, headers)


async def downloads_done(account: Account) -> None:
    assert account.certificates is not None
    assert account.certificates._running is not None
    await account.certificates._running


async def test_a_hundred_random_serials_cause_one_download(pay: WeChatPay, account: Account, script: Script) -> None:
    script.says(listing(OLD))
    for number in range(50):
        assert not is_accepted(pay, signed(PAID, serial=f"{number:040X}"))
    await downloads_done(account)
    for number in range(50, 100):
        assert not is_accepted(pay, signed(PAID, serial=f"{number:040X}"))
    await downloads_done(account)
    assert len(script.requests) == 1


@pytest.mark.parametrize("serial", ["PUB_KEY_ID_NOBODY", "A" * 39, "a" * 40, "", "票" * 40])
async def test_a_serial_that_is_no_certificates_causes_no_download(
    pay: WeChatPay, account: Account, serial: str
) -> None:
    assert not is_accepted(pay, signed(PAID, serial=serial))
    assert account.certificates is not None
    assert account.certificates._running is None


def test_a_notice_read_without_a_loop_is_refused_and_nothing_else(pay: WeChatPay) -> None:
    assert not is_accepted(pay, signed(PAID, serial=CERTIFICATE))


async def test_nothing_is_sent_that_could_not_be_verified(pay: WeChatPay, script: Script) -> None:
    script.says(*[Reply(500, to_json({"code": "SYSTEM_ERROR"}), [])] * 3)
    report = await pay.query(ORDER_NO, MCHID)
    assert (report.state, report.detail) == (TradeState.UNKNOWN, "NOT_SENT")
    assert {request.path for request in script.requests} == {CERTIFICATES_PATH}


@pytest.mark.parametrize("is_signed", [True, False])
async def test_a_merchant_without_certificates_is_understood(
    make_pay: MakePay, script: Script, is_signed: bool
) -> None:
    pay = make_pay(script.url, certificates=True)
    body = to_json({"code": "RESOURCE_NOT_EXISTS", "message": "无可用的平台证书"})
    script.says(Reply(404, body, None if is_signed else []), Reply(body=TRADE))
    assert await pay.account(MCHID).refresh_keys() is Refreshed.NONE_THERE
    assert (await pay.query(ORDER_NO, MCHID)).state is TradeState.PAID


BODY = to_json({"data": [OLD]})
OTHER_KEY = to_json({"data": [listed(api_v3_key="0" * 32)]})
FORGED = to_json({"data": [listed(CERTIFICATE, certificate(key=STRANGER_KEY), api_v3_key="0" * 32)]})


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (BODY, []),
        (BODY, signed(BODY, serial=CERTIFICATE, at_s=NOW_S - 600)),
        (BODY, signed(BODY, serial=NEXT_CERTIFICATE)),
        (BODY, signed(BODY, serial=CERTIFICATE, key=STRANGER_KEY)),
        (OTHER_KEY, signed(OTHER_KEY, serial=CERTIFICATE)),
        (FORGED, signed(FORGED, serial=CERTIFICATE, key=STRANGER_KEY)),
    ],
    ids=["unsigned", "ten minutes old", "by one not listed", "by a stranger", "another APIv3 key", "a forger's own"],
)
async def test_certificates_that_do_not_vouch_for_themselves_are_not_learned(
    account: Account, script: Script, body: bytes, headers: platform.Pairs
) -> None:
    script.says(*[Reply(body=body, headers=headers)] * 6)
    assert await account.refresh_keys() is Refreshed.FAILED
    assert not account.keys.any(NOW_S)


@pytest.mark.parametrize(
    "entry",
    [
        None,
        {},
        {"serial_no": CERTIFICATE},
        OLD | {"serial_no": NEXT_CERTIFICATE},
        OLD | {"encrypt_certificate": {"nonce": "short", "ciphertext": "QQ==", "associated_data": ""}},
        listed(CERTIFICATE, b"not a certificate"),
        listed(CERTIFICATE, (KEYS / "platform_public.pem").read_bytes()),
    ],
    ids=["null", "empty", "no content", "another serial", "a short nonce", "no PEM", "a public key"],
)
def test_an_entry_that_cannot_be_read_is_left_out(entry: Any) -> None:
    with pytest.raises(Unreadable):
        opened(to_json({"data": [entry]}), platform.API_V3_KEY.encode())
    found = opened(to_json({"data": [entry, NEW]}), platform.API_V3_KEY.encode())
    assert [each.serial for each in found] == [NEXT_CERTIFICATE]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"data":{}}', b'{"data":[]}'], ids=repr)
def test_a_body_without_certificates_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        opened(body, platform.API_V3_KEY.encode())


async def test_during_a_change_the_public_key_and_the_certificates_are_believed(
    make_pay: MakePay, script: Script
) -> None:
    pay = make_pay(script.url, certificates=True)
    body = to_json({"data": [NEW]})
    script.says(Reply(body=body), by_next(TRADE), Reply(body=TRADE))
    assert await pay.account(MCHID).refresh_keys() is Refreshed.LEARNED
    assert [(await pay.query(ORDER_NO, MCHID)).state for _ in range(2)] == [TradeState.PAID] * 2
    assert {request.header("Wechatpay-Serial") for request in script.requests} == {platform.SERIAL}
    assert is_accepted(pay, signed(PAID))
    assert is_accepted(pay, signed(PAID, key=NEXT_PLATFORM_KEY, serial=NEXT_CERTIFICATE))


async def test_during_a_change_answers_can_be_asked_for_by_certificate(make_pay: MakePay, script: Script) -> None:
    pay = make_pay(script.url, certificates=True, public_key_id=None)
    body = to_json({"data": [NEW]})
    script.says(Reply(body=body), by_next(TRADE))
    await pay.account(MCHID).refresh_keys()
    await pay.query(ORDER_NO, MCHID)
    assert script.requests[-1].header("Wechatpay-Serial") == NEXT_CERTIFICATE


async def test_a_refund_without_any_key_is_not_sent(pay: WeChatPay, script: Script) -> None:
    script.says(*[Reply(503, b"", [])] * 3)
    assert (await pay.query_refund("R1", MCHID)).state is RefundState.UNKNOWN
    assert {request.path for request in script.requests} == {CERTIFICATES_PATH}


def spaced(account: Account, clock: list[float]) -> Certificates:
    """The account's certificates, by a clock of ours."""
    return Certificates(
        account.keys,
        lambda keys_in: account.gateway.bootstrap(CERTIFICATES_PATH, keys_in),
        mchid=MCHID,
        api_v3_key=platform.API_V3_KEY.encode(),
        now_s=lambda: NOW_S,
        every_s=3600.0,
        tick_s=lambda: clock[0],
    )


async def test_certificates_are_downloaded_again_when_they_are_due(account: Account, script: Script) -> None:
    clock = [0.0]
    certificates = spaced(account, clock)
    script.says(listing(OLD), listing(OLD))
    for at_s, asked in ((0.0, 1), (3599.0, 1), (3600.0, 2), (3660.0, 2), (7199.0, 2)):
        clock[0] = at_s
        certificates.keep_fresh()
        assert certificates._running is not None
        assert await certificates._running is Refreshed.LEARNED
        assert len(script.requests) == asked


async def test_a_download_that_failed_is_tried_again_after_a_minute(account: Account, script: Script) -> None:
    clock = [0.0]
    certificates = spaced(account, clock)
    script.says(Reply(400, b"", []), listing(OLD))
    outcomes = []
    for at_s in (0.0, 59.0, 60.0):
        clock[0] = at_s
        certificates.keep_fresh()
        assert certificates._running is not None
        outcomes.append(await certificates._running)
    assert outcomes == [Refreshed.FAILED, Refreshed.FAILED, Refreshed.LEARNED]


async def test_an_unknown_serial_is_looked_up_once_a_minute(account: Account, script: Script) -> None:
    clock = [0.0]
    certificates = spaced(account, clock)
    script.says(listing(OLD), listing(OLD, NEW))
    known = []
    for at_s in (0.0, 59.0, 60.0):
        clock[0] = at_s
        known.append(await certificates.learned(NEXT_CERTIFICATE))
    assert known == [False, False, True]


async def test_a_download_that_is_cancelled_for_one_waiter_goes_on_for_the_others(
    account: Account, script: Script
) -> None:
    script.says(listing(OLD))
    assert account.certificates is not None
    first = asyncio.create_task(account.certificates.refresh())
    second = asyncio.create_task(account.certificates.refresh())
    await asyncio.sleep(0)
    first.cancel()
    assert await second is Refreshed.LEARNED
