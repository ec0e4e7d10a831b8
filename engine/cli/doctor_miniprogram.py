"""Does WeChat know this mini program, and is everything switched on that its money depends on?

The question is for the access token in force, which changes nothing and is answered to the right secret alone.
"""

import aiohttp

from engine.cli.findings import Finding, fail, ok, warning
from engine.config import Config
from engine.infra.outage import ProviderAway
from engine.infra.reading import Unreadable, read_object
from engine.miniprogram.wire import Wire

SUBJECT = "mini program"
WHAT_TO_DO = {
    40013: "wechat.appid is not known; copy it from mp.weixin.qq.com",
    40125: "wechat.app_secret is wrong; copy it from mp.weixin.qq.com, or reset it there",
    40164: "this machine's address is not on the IP list of mp.weixin.qq.com; add it",
    41002: "wechat.appid is empty",
    41004: "wechat.app_secret is empty",
}


async def check_miniprogram(config: Config) -> tuple[Finding, ...]:
    """What WeChat says to the appid and its secret, and what the settings leave out."""
    return (await _known(config), _delivery(config))


async def _known(config: Config) -> Finding:
    url = config.wechat.login_url
    async with aiohttp.ClientSession() as session:
        wire = Wire(session=session, url=url, timeout_s=config.wechat.timeout_s)
        asked = {
            "grant_type": "client_credential",
            "appid": config.wechat.appid,
            "secret": config.wechat.app_secret.get_secret_value(),
            "force_refresh": False,
        }
        try:
            answer = read_object(await wire.post("stable_token", "/cgi-bin/stable_token", {}, asked))
        except ProviderAway as away:
            return warning(SUBJECT, f"{url} did not answer ({away}); this machine needs a way out to it by https")
        except Unreadable as error:
            return warning(SUBJECT, f"{url} answered something that is not WeChat's: {error}")
    errcode = answer.get("errcode", 0)
    if errcode == 0 and isinstance(answer.get("access_token"), str):
        return ok(SUBJECT, f"{config.wechat.appid} is known at {url}")
    if errcode in WHAT_TO_DO:
        return fail(SUBJECT, WHAT_TO_DO[errcode])
    return warning(SUBJECT, f"{url} answered with errcode {errcode}; look it up in the documents of stable_token")


def _delivery(config: Config) -> Finding:
    told = ", ".join(config.miniprogram.templates) or "nothing"
    if config.miniprogram.shipping:
        return ok("wechat deliveries", f"deliveries are reported; buyers are told: {told}")
    advice = "set miniprogram.shipping = true, or WeChat keeps the money of a trading mini program frozen"
    return warning("wechat deliveries", f"deliveries are not reported; {advice}")
