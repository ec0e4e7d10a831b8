"""The asynchronous half of the independent client, with WeChat's public key and with platform certificates.

Only the address it talks to is changed. With certificates it fetches them first, as a merchant of the older kind.
"""

import gzip
import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from wechatpayv3.async_ import AsyncWeChatPay, WeChatPayType

from engine.simulator.pay.shapes import CHINA
from engine.simulator.processes.server import Simulator
from tests.simulator.conftest import OPENID, PROMPT, Caller, Receiver

LUCK = replace(PROMPT, bill_today=True, fapiao_delay_ms=(0, 0))
# A merchant that has only certificates is answered and called back with them.
CERTIFIED = replace(LUCK, answers_signed_by="certificate_a", callback_public_key=0.0)


@pytest.fixture(params=["public key", "certificates"])
async def caller(
    request: pytest.FixtureRequest, home: Path, session: aiohttp.ClientSession, receiver: Receiver
) -> AsyncIterator[Caller]:
    simulator = Simulator(home, luck=LUCK if request.param == "public key" else CERTIFIED)
    await simulator.start()
    yield Caller(session, simulator.credentials, simulator.port, receiver.url)
    await simulator.stop()


@pytest.fixture
async def peer(caller: Caller, request: pytest.FixtureRequest) -> AsyncIterator[AsyncWeChatPay]:
    names = caller.names
    with_public_key = request.node.callspec.params["caller"] == "public key"
    client = AsyncWeChatPay(
        wechatpay_type=WeChatPayType.MINIPROG,
        mchid=names.mchid,
        private_key=names.private_key_file.read_text(),
        cert_serial_no=names.certificate_serial,
        appid=names.appid,
        apiv3_key=names.api_v3_key,
        notify_url=caller.notify_url,
        public_key=names.public_key_file.read_text() if with_public_key else None,
        public_key_id=names.public_key_id if with_public_key else None,
        timeout=10,
    )
    client._core._gate_way = caller.url
    async with client:
        yield client


async def ask(answer: Any) -> tuple[int, Any]:
    status, body = await answer
    return status, json.loads(body) if body else None


async def pay(peer: AsyncWeChatPay, caller: Caller, out_trade_no: str = "T00001") -> str:
    status, told = await ask(
        peer.pay(
            description="音乐节 两日票",
            out_trade_no=out_trade_no,
            amount={"total": 100, "currency": "CNY"},
            payer={"openid": OPENID},
        )
    )
    assert status == 200
    tapped = await caller.house("POST", "/_buyer/pay", caller.payment(told["prepay_id"]))
    return str(tapped.json["transaction_id"])


async def test_peer_pays_queries_and_reads_the_callback(
    peer: AsyncWeChatPay, caller: Caller, receiver: Receiver
) -> None:
    transaction_id = await pay(peer, caller)
    status, found = await ask(peer.query(out_trade_no="T00001"))
    assert (status, found["trade_state"], found["transaction_id"]) == (200, "SUCCESS", transaction_id)
    headers, body = (await receiver.wait(1))[0]
    assert peer.callback(headers, body)["resource"]["transaction_id"] == transaction_id


async def test_peer_closes_what_nobody_pays(peer: AsyncWeChatPay) -> None:
    amount, payer = {"total": 100, "currency": "CNY"}, {"openid": OPENID}
    await peer.pay(description="票", out_trade_no="T00001", amount=amount, payer=payer)
    assert (await peer.close("T00001"))[0] == 204
    assert (await ask(peer.query(out_trade_no="T00001")))[1]["trade_state"] == "CLOSED"


async def test_peer_refunds_and_reads_the_callback(peer: AsyncWeChatPay, caller: Caller, receiver: Receiver) -> None:
    await pay(peer, caller)
    await receiver.wait(1)
    amount = {"refund": 40, "total": 100, "currency": "CNY"}
    status, told = await ask(peer.refund(out_refund_no="R1", out_trade_no="T00001", amount=amount))
    assert (status, told["status"]) == (200, "PROCESSING")
    headers, body = (await receiver.wait(2))[1]
    assert peer.callback(headers, body)["resource"]["refund_status"] == "SUCCESS"
    assert (await ask(peer.query_refund(out_refund_no="R1")))[1]["status"] == "SUCCESS"


# With certificates the client reads a property of theirs that is on its way out.
@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
async def test_peer_sends_an_abnormal_refund_to_a_card(
    peer: AsyncWeChatPay, caller: Caller, receiver: Receiver
) -> None:
    await caller.house("PUT", "/_admin/faults", {"refund_abnormal": 1})
    await pay(peer, caller)
    await receiver.wait(1)
    amount = {"refund": 100, "total": 100, "currency": "CNY"}
    _, told = await ask(peer.refund(out_refund_no="R1", out_trade_no="T00001", amount=amount))
    await receiver.wait(2)
    status, redirected = await ask(
        peer.abnormal_refund(
            refund_id=told["refund_id"],
            out_refund_no="R1",
            type="USER_BANK_CARD",
            bank_type="CMB_DEBIT",
            bank_account="6225880000000403",
            real_name="王小明",
        )
    )
    assert (status, redirected["channel"]) == (200, "OTHER_BANKCARD")


@pytest.mark.parametrize("kind", ["trade", "fund flow"])
async def test_peer_downloads_bills(peer: AsyncWeChatPay, caller: Caller, kind: str) -> None:
    await pay(peer, caller)
    day = datetime.now(UTC).astimezone(CHINA).date().isoformat()
    bill = peer.trade_bill if kind == "trade" else peer.fundflow_bill
    status, told = await ask(bill(bill_date=day))
    assert status == 200
    status, packed = await peer.download_bill(told["download_url"])
    content = gzip.decompress(packed)
    assert (status, hashlib.sha1(content).hexdigest()) == (200, told["hash_value"])
    assert "`T00001" in content.decode()


async def test_peer_opens_what_the_buyer_filled_in(peer: AsyncWeChatPay, caller: Caller) -> None:
    wanted = {"fapiao_apply_id": "A-1", "source": "MINIPROGRAM", "total_amount": 100, "openid": OPENID}
    assert (await peer.fapiao_title_url(**wanted))[0] == 200
    title = {"type": "INDIVIDUAL", "name": "王小明", "phone": "13900000000"}
    filled = {"fapiao_apply_id": "A-1", "openid": OPENID, "title": title}
    assert (await caller.house("POST", "/_buyer/fapiao-title", filled)).status == 200
    status, found = await ask(peer.fapiao_title(fapiao_apply_id="A-1", scene="WITHOUT_WECHATPAY"))
    assert (status, found["name"], peer.decrypt(found["phone"])) == (200, "王小明", "13900000000")
