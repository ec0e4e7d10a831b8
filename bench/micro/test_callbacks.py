"""Reading callbacks of payments: headers, clock window, signature, decryption, content; one RSA verification each."""

import secrets
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from multidict import CIMultiDict

from bench.micro.beside import Beside
from bench.micro.yardsticks import VERIFICATIONS, verifications
from engine.payments.port import PaidNotice
from engine.payments.wechat.keys import VerifyingKeys
from engine.payments.wechat.notifications import read_notification
from engine.simulator.keys import credentials, crypto
from engine.simulator.keys.credentials import Credentials
from engine.simulator.pay import notices
from engine.simulator.pay.orders import Order, TradeState
from engine.simulator.processes.authorization import SCHEME

NOW_MS = 1_800_000_000_000
TOTAL_FEN = 38_000


def _callback(merchant: Credentials, cipher: AESGCM) -> bytes:
    paid = Order(
        mchid=merchant.mchid,
        appid=merchant.appid,
        out_trade_no=secrets.token_hex(16),
        openid="o" + secrets.token_hex(13) + "x",
        total_fen=TOTAL_FEN,
        attach=None,
        notify_url="",
        terms="",
        created_ms=NOW_MS,
        expires_ms=NOW_MS,
        prepay_id="",
        prepay_ms=NOW_MS,
        state=TradeState.SUCCESS,
        transaction_id=f"42{secrets.randbelow(10**26):026}",
        paid_ms=NOW_MS,
    )
    notice = notices.paid(paid, notice_id=secrets.token_hex(16), now_ms=NOW_MS)
    return notices.body(notice, cipher, nonce=secrets.token_hex(6))


def test_20_callbacks_are_read(beside: Beside, tmp_path: Path) -> None:
    merchant = credentials.ensure(tmp_path / "wechat")
    signing = credentials.private_key(merchant.platform_private_key_file)
    keys = VerifyingKeys({merchant.public_key_id: signing.public_key()})
    api_v3_key, now_s = merchant.api_v3_key.encode(), NOW_MS // 1000
    bodies = [_callback(merchant, AESGCM(api_v3_key)) for _ in range(VERIFICATIONS)]
    callbacks = []
    for body in bodies:
        timestamp, nonce = str(now_s), secrets.token_hex(16)
        signature = crypto.sign(signing, crypto.answer_message(timestamp=timestamp, nonce=nonce, body=body))
        headers = CIMultiDict(
            {
                "Host": "shop.example",
                "Content-Type": "application/json",
                "Content-Length": str(len(body)),
                "Wechatpay-Serial": merchant.public_key_id,
                "Wechatpay-Signature-Type": SCHEME,
                "Wechatpay-Timestamp": timestamp,
                "Wechatpay-Nonce": nonce,
                "Wechatpay-Signature": signature,
            }
        )
        callbacks.append((headers, body))

    def read_all() -> None:
        for headers, body in callbacks:
            notice = read_notification(headers, body, keys=keys, api_v3_key=api_v3_key, now_s=now_s)
            assert isinstance(notice, PaidNotice)
            assert notice.paid.total_fen == TOTAL_FEN

    beside(read_all, verifications(signing, bodies[0]))
