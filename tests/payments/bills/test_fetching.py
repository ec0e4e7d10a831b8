"""Bills over the wire: the hash decides, an address that expired is asked for again, and nothing of a bill stays."""

import os
from pathlib import Path

import pytest

from engine.infra.outage import ProviderAway
from engine.payments.bills.files import read_lines
from engine.payments.bills.format import BillUnreadable
from engine.payments.bills.source import Absence, BillRefused, BillType
from engine.payments.wechat.bills import TRIES_MAX, WechatBills
from engine.payments.wechat.client import WeChatPay
from tests.payments.bills.conftest import DAY, TODAY, BillDesk, source_of
from tests.payments.bills.writer import payment, trade_bill
from tests.payments.wechat.platform import MCHID

ORDER = "0123456789abcdef0123456789abcdef"


def fetched(path: object) -> str:
    assert isinstance(path, Path)
    return "".join(read_lines(path))


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("bom", [True, False])
async def test_a_bill_arrives_as_it_was_written(
    desk: BillDesk, source: WechatBills, compressed: bool, bom: bool
) -> None:
    desk.compressed = compressed
    desk.has(DAY, [payment(ORDER)], bom=bom, end="\r\n")
    text = fetched(await source.fetch(MCHID, BillType.TRADE, DAY))
    assert text == trade_bill([payment(ORDER)], bom=bom, end="\r\n")


async def test_a_fetched_bill_is_its_owners_alone(desk: BillDesk, source: WechatBills, folder: Path) -> None:
    desk.has(DAY, [payment(ORDER)])
    path = await source.fetch(MCHID, BillType.TRADE, DAY)
    assert isinstance(path, Path)
    assert (os.stat(path).st_mode & 0o777, os.stat(folder).st_mode & 0o777) == (0o600, 0o700)


@pytest.mark.parametrize(
    ("sent", "believed", "taken"),
    [
        ("plain", "plain", True),
        ("gzip", "gzip", True),
        ("plain", "either", True),
        ("gzip", "either", True),
        ("plain", "gzip", False),
        ("gzip", "plain", False),
    ],
)
async def test_the_hash_is_over_what_the_settings_say(
    desk: BillDesk, pay: WeChatPay, folder: Path, sent: str, believed: str, taken: bool
) -> None:
    desk.hash_over = sent
    desk.has(DAY, [payment(ORDER)])
    source = source_of(pay, folder, hash_over=believed)
    if taken:
        assert isinstance(await source.fetch(MCHID, BillType.TRADE, DAY), Path)
    else:
        with pytest.raises(BillUnreadable, match="SHA1"):
            await source.fetch(MCHID, BillType.TRADE, DAY)


async def test_a_file_that_does_not_fit_its_hash_is_asked_for_again_and_then_refused(
    desk: BillDesk, source: WechatBills, folder: Path
) -> None:
    desk.spoil_hash = True
    desk.has(DAY, [payment(ORDER)])
    with pytest.raises(BillUnreadable, match="SHA1"):
        await source.fetch(MCHID, BillType.TRADE, DAY)
    assert desk.downloads == TRIES_MAX
    assert os.listdir(folder) == []


async def test_a_compressed_file_that_breaks_off_is_refused(desk: BillDesk, source: WechatBills, folder: Path) -> None:
    desk.cut_bytes = 9
    desk.has(DAY, [payment(ORDER)])
    with pytest.raises(BillUnreadable):
        await source.fetch(MCHID, BillType.TRADE, DAY)
    assert os.listdir(folder) == []


async def test_an_address_that_expired_is_asked_for_again(desk: BillDesk, source: WechatBills) -> None:
    desk.expired_tokens = TRIES_MAX - 1
    desk.has(DAY, [payment(ORDER)])
    assert isinstance(await source.fetch(MCHID, BillType.TRADE, DAY), Path)
    assert desk.asked[BillType.TRADE, DAY] == TRIES_MAX


async def test_addresses_that_always_expire_are_an_outage(desk: BillDesk, source: WechatBills) -> None:
    desk.expired_tokens = 100
    desk.has(DAY, [payment(ORDER)])
    with pytest.raises(ProviderAway):
        await source.fetch(MCHID, BillType.TRADE, DAY)


async def test_the_download_goes_to_our_gateway_whatever_host_is_named(desk: BillDesk, source: WechatBills) -> None:
    desk.other_host = "https://elsewhere.invalid"
    desk.has(DAY, [payment(ORDER)])
    assert isinstance(await source.fetch(MCHID, BillType.TRADE, DAY), Path)


async def test_a_bill_in_the_making_is_not_ready(desk: BillDesk, source: WechatBills) -> None:
    desk.not_ready.add(DAY)
    assert await source.fetch(MCHID, BillType.TRADE, DAY) is Absence.NOT_READY


async def test_a_day_without_a_statement_has_no_rows(source: WechatBills) -> None:
    assert await source.fetch(MCHID, BillType.FUND_FLOW, DAY) is Absence.NO_ROWS


async def test_a_bill_of_today_is_not_ready_though_wechat_calls_the_question_wrong(
    desk: BillDesk, source: WechatBills
) -> None:
    desk.refusals = [(400, "INVALID_REQUEST"), (400, "INVALID_REQUEST")]
    assert await source.fetch(MCHID, BillType.TRADE, TODAY) is Absence.NOT_READY
    assert isinstance(await source.fetch(MCHID, BillType.TRADE, DAY), BillRefused)


async def test_a_refusal_is_a_value_with_wechats_own_code(desk: BillDesk, source: WechatBills) -> None:
    desk.refusals = [(403, "NO_AUTH")]
    refused = await source.fetch(MCHID, BillType.TRADE, DAY)
    assert isinstance(refused, BillRefused)
    assert refused.code == "NOAUTH"


@pytest.mark.parametrize(("status", "code"), [(500, "SYSTEM_ERROR"), (429, "FREQUENCY_LIMITED"), (503, "")])
async def test_an_answer_that_decides_nothing_is_an_outage(
    desk: BillDesk, source: WechatBills, status: int, code: str
) -> None:
    desk.refusals = [(status, code)] * 10
    with pytest.raises(ProviderAway):
        await source.fetch(MCHID, BillType.TRADE, DAY)
