"""Do WeChat Pay and this machine believe each other? Asked over the network, once for each merchant account.

The question is WeChat Pay's own test (the echo), and, where that is not offered, a query for an order nobody made:
either is signed by us and its answer by WeChat Pay. Nothing is created, and no money can move.
"""

import asyncio
import secrets

import aiohttp

from engine.cli.findings import Finding, fail, ok, warning
from engine.config import Wechat
from engine.payments.port import TradeState
from engine.payments.wechat.account import Account
from engine.payments.wechat.answers import Answer, Silence
from engine.payments.wechat.certificates import Refreshed
from engine.payments.wechat.client import from_config
from engine.payments.wechat.keys import KeyUnusable
from engine.payments.wechat.transport import open_session

OTHER_KEY = "answers are signed by a key that is not configured; compare public_key_id and public_key_file"
OTHER_SELF = "our signature is refused; compare certificate_serial and private_key_file with pay.weixin.qq.com"
NO_CERTIFICATES = "this merchant has no platform certificates; set public_key_id and public_key_file"
NOT_DOWNLOADED = (
    "platform certificates could not be downloaded; compare api_v3_key, certificate_serial and the private key"
)


async def check_wechat(config: Wechat) -> tuple[Finding, ...]:
    """One finding for each merchant, side by side; none while key files are unusable, which another check reports."""
    async with open_session() as session:
        try:
            provider = from_config(config, session)
        except KeyUnusable:
            return ()
        try:
            accounts = [provider.account(each.mchid) for each in config.accounts]
            return tuple(await asyncio.gather(*(_examined(account, config.gateway_url) for account in accounts)))
        except aiohttp.ClientError as error:
            return (warning("wechat pay", f"{config.gateway_url}: {error}"),)
        finally:
            provider.close_signer()


async def _examined(account: Account, gateway_url: str) -> Finding:
    subject = f"wechat {account.mchid}"
    refreshed = await account.refresh_keys()
    if not account.keys.any(account.now_s()):
        if refreshed is Refreshed.NONE_THERE:
            return fail(subject, NO_CERTIFICATES)
        return warning(subject, f"{gateway_url}: {NOT_DOWNLOADED}")
    answer = await account.echo(secrets.token_hex(8))
    if isinstance(answer, Answer) and answer.status in (404, 405):
        report = await account.query(f"doctor-{secrets.token_hex(8)}")
        if report.state is TradeState.UNKNOWN_ORDER:
            return ok(subject, f"believed by {gateway_url}, which offers no echo")
        return warning(subject, f"{gateway_url} offers no echo, and a query was not answered: {report.detail}")
    return _judged(subject, gateway_url, answer)


def _judged(subject: str, gateway_url: str, answer: Answer | Silence) -> Finding:
    if isinstance(answer, Silence):
        if answer is Silence.NOT_AUTHENTIC:
            return fail(subject, OTHER_KEY)
        return warning(subject, f"{gateway_url} did not answer ({answer}); this machine needs a way out to it by https")
    if answer.status == 401:
        return fail(subject, OTHER_SELF)
    if 200 <= answer.status < 300:
        return ok(subject, f"keys believed both ways by {gateway_url}")
    return warning(subject, f"{gateway_url} answered {answer.detail}")
