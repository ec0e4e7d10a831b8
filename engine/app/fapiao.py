"""E-fapiao, wired: one ledger of them, one account at WeChat for each merchant."""

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from engine.app.house import House, open_provider
from engine.config import Config
from engine.payments.fapiao.book import FapiaoBook
from engine.payments.fapiao.desk import FapiaoDesk
from engine.payments.fapiao.forgetter import Forgetter
from engine.payments.fapiao.invoicer import Invoicer
from engine.payments.fapiao.titles import Titles
from engine.payments.wechat.client import WeChatPay
from engine.payments.wechat.fapiao import FapiaoApi

NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class FapiaoParts:
    """What the processes take of it: the desk for those who ask, the others for the jobs."""

    desk: FapiaoDesk
    invoicer: Invoicer
    forgetter: Forgetter


def fapiao_apis(provider: WeChatPay) -> dict[str, FapiaoApi]:
    """The API of each merchant account, by its number."""
    accounts = {mchid: provider.account(mchid) for mchid in provider.mchids}
    return {
        mchid: FapiaoApi(account.gateway, appid=provider.appid, seal=account.sealed, unseal=account.key.unsealed)
        for mchid, account in accounts.items()
    }


@asynccontextmanager
async def at_wechat(config: Config) -> AsyncIterator[dict[str, FapiaoApi]]:
    """The APIs alone, for a command: no store is needed."""
    async with AsyncExitStack() as stack:
        provider, _ = await open_provider(config, stack)
        yield fapiao_apis(provider)


def build_fapiao(house: House, provider: WeChatPay) -> FapiaoParts:
    """The parts, whether fapiao are switched on or not: what began before they were switched off goes on."""
    rules = house.config.fapiao
    book = FapiaoBook(house.pool)
    api_of = fapiao_apis(provider).get
    titles = Titles(house.privacy, lambda: secrets.token_bytes(NONCE_BYTES))
    return FapiaoParts(
        desk=FapiaoDesk(book, house.privacy, api_of, rules),
        invoicer=Invoicer(book, titles, api_of, rules),
        forgetter=Forgetter(book, days=rules.title_days),
    )
