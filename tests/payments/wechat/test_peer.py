"""An independent peer, wechatpayv3, reads what we write and writes what we read.

Its sending half is not used: it reaches for the network. Its signing, verifying and decrypting halves are.
"""

from __future__ import annotations

import pytest
from multidict import CIMultiDict
from wechatpayv3 import WeChatPay as Peer
from wechatpayv3 import WeChatPayType
from wechatpayv3.utils import build_authorization, rsa_sign, rsa_verify

from engine.payments.port import PaidNotice
from engine.payments.wechat import messages
from engine.payments.wechat.authenticity import flaw_of
from engine.payments.wechat.client import WeChatPay
from engine.payments.wechat.keys import VerifyingKeys
from tests.payments.wechat import platform
from tests.payments.wechat.conftest import Reply, Script
from tests.payments.wechat.platform import KEYS, MCHID, NOW_S, envelope, private_key, signed, to_json, trade
from tests.payments.wechat.test_client import ORDER, PREPAY_ID, verify


@pytest.fixture(scope="module")
def peer() -> Peer:
    return Peer(
        wechatpay_type=WeChatPayType.MINIPROG,
        mchid=platform.MCHID,
        private_key=(KEYS / "merchant_private.pem").read_text(),
        cert_serial_no=platform.MERCHANT_SERIAL,
        appid=platform.APPID,
        apiv3_key=platform.API_V3_KEY,
        public_key=(KEYS / "platform_public.pem").read_text(),
        public_key_id=platform.SERIAL,
    )


async def test_the_peer_writes_our_authorization_letter_by_letter(pay: WeChatPay, script: Script) -> None:
    script.says(Reply(body=to_json({"prepay_id": PREPAY_ID})))
    await pay.create(ORDER)
    (request,) = script.requests
    ours = verify(request)
    theirs = build_authorization(
        request.path,
        request.method,
        platform.MCHID,
        platform.MERCHANT_SERIAL,
        private_key("merchant"),
        data=request.body.decode(),
        nonce_str=ours["nonce_str"],
    )
    expected = messages.authorization(
        mchid=platform.MCHID,
        serial=platform.MERCHANT_SERIAL,
        timestamp=theirs.partition('timestamp="')[2].partition('"')[0],
        nonce=ours["nonce_str"],
        signature=theirs.partition('signature="')[2].partition('"')[0],
    )
    assert theirs == expected


async def test_the_peer_signs_the_same_client_parameters(pay: WeChatPay, peer: Peer) -> None:
    ours = await pay.client_parameters(PREPAY_ID, MCHID)
    theirs = peer.sign([platform.APPID, ours["timeStamp"], ours["nonceStr"], ours["package"]])
    assert ours["paySign"] == theirs


async def test_the_peer_verifies_our_signature(pay: WeChatPay) -> None:
    ours = await pay.client_parameters(PREPAY_ID, MCHID)
    body = f"{ours['nonceStr']}\n{ours['package']}"
    public = private_key("merchant").public_key()
    assert rsa_verify(platform.APPID, ours["timeStamp"], body, ours["paySign"], public)


def test_the_peer_opens_our_recorded_notification(peer: Peer) -> None:
    body = to_json(envelope("TRANSACTION.SUCCESS", trade()))
    assert peer.callback(CIMultiDict(signed(body)), body)["resource"] == trade()


def test_we_open_what_the_peer_signed(keys: VerifyingKeys, pay: WeChatPay) -> None:
    body = to_json(envelope("TRANSACTION.SUCCESS", trade()))
    headers = CIMultiDict(signed(body))
    headers["Wechatpay-Nonce"] = "chosenbythepeer"
    text = f"{int(NOW_S)}\nchosenbythepeer\n{body.decode()}\n"
    headers["Wechatpay-Signature"] = rsa_sign(private_key("platform"), text)
    assert flaw_of(headers, body, keys=keys, now_s=NOW_S) is None
    assert isinstance(pay.read_notification(headers, body, NOW_S), PaidNotice)
