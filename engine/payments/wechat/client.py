"""WeChat Pay for one mini program and its merchant accounts: the payment port over API v3 (JSAPI, direct merchant).

Every call names the merchant it is for, and goes to that account and no other: an order, its closing and its refunds
belong to the account they began with. An unknown merchant, like every other wrong argument, is a bug of the caller and
raises ValueError before anything is sent.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from random import SystemRandom
from urllib.parse import urljoin

import aiohttp
from multidict import MultiMapping

from engine import config as settings
from engine.infra.redis import RedisStore
from engine.payments.port import (
    CloseResult,
    Notice,
    NotificationRefused,
    Prepaid,
    PrepayRequest,
    ProviderRefusal,
    RedirectRequest,
    RefundReport,
    RefundRequest,
    TradeReport,
)
from engine.payments.wechat.account import Account, Credentials, Shared
from engine.payments.wechat.authenticity import SERIAL, Flaw
from engine.payments.wechat.gateway import Gateway
from engine.payments.wechat.keys import MerchantKey, VerifyingKeys
from engine.payments.wechat.notifications import Reason
from engine.payments.wechat.quotas import Budget, Quotas
from engine.payments.wechat.signer import Signer
from engine.payments.wechat.transport import Domains, Transport

# A notice says nowhere readable whose it is. These refusals may mean "another merchant's", the last one most of all.
PERHAPS_ANOTHERS = (Flaw.SERIAL_UNKNOWN, Flaw.SIGNATURE_WRONG, Reason.DECRYPTION_FAILED)


class WeChatPay:
    """Implements `engine.payments.port.PaymentProvider`. The caller closes the session."""

    def __init__(self, accounts: Sequence[Account], shared: Shared) -> None:
        self._accounts = {account.mchid: account for account in accounts}
        self._taking = [account.mchid for account in accounts if account.takes_orders]
        if len(self._accounts) != len(accounts) or not self._taking:
            raise ValueError("needs merchants that differ, and one at least that takes orders")
        self._shared = shared

    @property
    def appid(self) -> str:
        return self._shared.appid

    @property
    def mchids(self) -> frozenset[str]:
        return frozenset(self._accounts)

    def account(self, mchid: str) -> Account:
        """The account with this number. Raises ValueError for a number that is not ours."""
        account = self._accounts.get(mchid)
        if account is None:
            raise ValueError(f"no merchant of ours: {mchid!r}")
        return account

    def gateway_of(self, mchid: str) -> Gateway:
        """The signed conversation of one merchant, for what the port does not cover: bills and invoices."""
        return self.account(mchid).gateway

    def merchant_for(self, order_no: str) -> str:
        """Spread evenly; a merchant more or less moves only the orders it gains or loses."""
        return max(self._taking, key=lambda mchid: blake2b(f"{mchid}:{order_no}".encode(), digest_size=8).digest())

    async def refresh_keys(self) -> bool:
        """Downloads platform certificates of the accounts that use them, at a start; later that happens by itself."""
        for account in self._accounts.values():
            await account.refresh_keys()
        return False

    def close_signer(self) -> None:
        """Ends the signing threads and what runs in the background; call it after the last request."""
        for account in self._accounts.values():
            account.close()
        self._shared.signer.close()

    async def create(self, request: PrepayRequest) -> Prepaid | ProviderRefusal:
        return await self.account(request.mchid).create(request)

    async def client_parameters(self, prepay_id: str, mchid: str) -> Mapping[str, str]:
        return await self.account(mchid).client_parameters(prepay_id)

    async def query(self, order_no: str, mchid: str) -> TradeReport:
        return await self.account(mchid).query(order_no)

    async def close(self, order_no: str, mchid: str) -> CloseResult:
        return await self.account(mchid).close_order(order_no)

    async def refund(self, request: RefundRequest) -> RefundReport:
        return await self.account(request.mchid).refund(request)

    async def query_refund(self, out_refund_no: str, mchid: str) -> RefundReport:
        return await self.account(mchid).query_refund(out_refund_no)

    async def redirect_refund(self, request: RedirectRequest) -> RefundReport:
        return await self.account(request.mchid).redirect_refund(request)

    def read_notification(self, headers: MultiMapping[str], raw_body: bytes, now_s: float) -> Notice:
        """Tries the accounts that know the serial; whose key opens it, theirs it is. The best refusal is raised.

        A serial that nobody knows makes the accounts with certificates look for new ones in the background.
        """
        serial = headers.get(SERIAL, "")
        accounts = list(self._accounts.values())
        knowing = [account for account in accounts if account.keys.knows(serial, now_s)]
        refusals: list[NotificationRefused] = []
        for account in knowing or accounts[:1]:
            try:
                return account.read_notification(headers, raw_body, now_s)
            except NotificationRefused as refused:
                refusals.append(refused)
                if refused.reason not in PERHAPS_ANOTHERS:
                    break
        refusal = max(refusals, key=_nearness)
        if refusal.reason == Flaw.SERIAL_UNKNOWN:
            self._look_for(serial)
        raise refusal

    def _look_for(self, serial: str) -> None:
        with contextlib.suppress(RuntimeError):  # no loop is running: whoever reads a recording needs no download
            for account in self._accounts.values():
                if account.certificates is not None:
                    account.certificates.met(serial)


def _nearness(refused: NotificationRefused) -> int:
    """How far the reading came."""
    reasons: list[str] = [*Flaw, *Reason]
    return reasons.index(refused.reason)


def from_config(
    config: settings.Wechat,
    session: aiohttp.ClientSession,
    store: RedisStore | None = None,
    *,
    offers_fapiao: bool = False,
) -> WeChatPay:
    """Reads the key files; raises KeyUnusable, naming the file, when one cannot be used.

    `store` keeps the quotas over all processes; without it this process counts alone. `offers_fapiao`: whether the
    receipt of a payment has an entry for the buyer's e-fapiao.
    """
    shared = Shared(
        appid=config.appid,
        notify_url=config.notify_url,
        refund_notify_url=urljoin(config.notify_url, "refund-notify"),
        transport=Transport(session, Domains(config.gateway_urls)),
        signer=Signer(thread_count=config.signers),
        quotas=Quotas(
            store,
            per_s={budget: getattr(config, f"{budget}_per_s") for budget in Budget},
            share_alone=config.share_alone,
        ),
        timeout_s=config.timeout_s,
        certificates_every_s=config.certificates_every_s,
        now_s=time.time,
        nonce=lambda: secrets.token_hex(16),
        jitter=SystemRandom().random,
        offers_fapiao=offers_fapiao,
    )
    return WeChatPay([Account(credentials(account), shared) for account in config.accounts], shared)


def credentials(account: settings.Account) -> Credentials:
    """Reads one merchant's key files; raises KeyUnusable."""
    key_id, file = account.public_key_id, account.public_key_file
    fixed = {} if key_id is None or file is None else {key_id: file}
    certificates = account.platform_certificates or not fixed
    return Credentials(
        mchid=account.mchid,
        api_v3_key=account.api_v3_key.get_secret_value().encode(),
        key=MerchantKey.load(account.certificate_serial, account.private_key_file),
        keys=VerifyingKeys.load(fixed, grows=certificates),
        public_key_id=key_id if account.answers_signed_by == "public_key" or not certificates else None,
        certificates=certificates,
        takes_orders=account.takes_orders,
    )
