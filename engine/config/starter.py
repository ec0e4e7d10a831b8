"""A first `floodgate.toml`, and how to come by what has no default."""

import secrets
from collections.abc import Callable, Mapping

_RANDOM = "python -c 'import secrets; print(secrets.token_hex(32))'"
HOW_TO_MAKE: Mapping[str, str] = {
    "admin.key": f"make one with {_RANDOM}",
    "seals.keys": f'make one with {_RANDOM} and give it a number, as in: [seals.keys] 0 = "..."',
    "privacy.digest_key": f"make one with {_RANDOM} and never change it: it is what knows a buyer again",
    "privacy.openid_key": f"make one with {_RANDOM} and keep it: it opens the stored openids",
    "wechat.appid": "the mini program's id, from mp.weixin.qq.com",
    "wechat.app_secret": "the mini program's secret, from mp.weixin.qq.com",
    "wechat.mchid": "the merchant number, from pay.weixin.qq.com",
    "wechat.api_v3_key": "the APIv3 key set at pay.weixin.qq.com, exactly 32 characters",
    "wechat.private_key_file": "the path of apiclient_key.pem, made at pay.weixin.qq.com",
    "wechat.certificate_serial": "the serial number of the merchant certificate, from pay.weixin.qq.com",
    "wechat.notify_url": "the public address of this shop's /wechatpay/notify",
}

_STARTER = """\
# Floodgate's settings. Whatever is not written here has its default: `floodgate config` shows all of them.
# FLOODGATE_<SECTION>_<KEY> in the environment wins over this file. Keep this file secret.

[redis]
url = "redis://127.0.0.1:6379/0"

[postgres]
url = "postgresql://127.0.0.1:5432/floodgate"

[admin]
key = "{admin_key}"

# To change the key: add one under a new number here, start all workers, then name it in `current`.
[seals]
current = 0
keys = {{ 0 = "{seal_key}" }}

# Never change these two: the first recognises buyers, the second opens their stored openids.
[privacy]
digest_key = "{digest_key}"
openid_key = "{openid_key}"

# From mp.weixin.qq.com (appid, app_secret) and pay.weixin.qq.com (the rest).
[wechat]
# appid = "wx..."
# app_secret = "..."
# mchid = "..."
# api_v3_key = "exactly 32 characters"
# private_key_file = "apiclient_key.pem"
# certificate_serial = "40 hexadecimal digits"
# public_key_id = "PUB_KEY_ID_..."   # without these two, platform certificates are downloaded and used
# public_key_file = "pub_key.pem"
# notify_url = "https://.../wechatpay/notify"
# A further merchant account; as many as you like.
# [[wechat.merchants]]
# mchid = "..."
# api_v3_key, private_key_file, certificate_serial, public_key_id, public_key_file: as above

# A mini program that sells must report deliveries, or WeChat keeps the money. Messages: docs/mini-program.md.
# [miniprogram]
# shipping = true
"""


def starter_toml(fresh_secret: Callable[[], str] = lambda: secrets.token_hex(32)) -> str:
    """The text of a first `floodgate.toml`: fresh secrets, and the WeChat keys left to fill in."""
    names = ("admin_key", "seal_key", "digest_key", "openid_key")
    return _STARTER.format(**{name: fresh_secret() for name in names})
