"""Every setting of Floodgate, checked once at start.

Settings come from `floodgate.toml` and from `FLOODGATE_<SECTION>_<KEY>` in the environment, which wins. A
`Config` that exists is valid: every value in range, every relation between bounds kept, every secret present.
Whatever is wrong is reported together, so that a new installation is corrected in one round.

This room refuses to guess: an unknown key is an error, and a secret has no default. It prints no secret.
"""

from engine.config.bills import Bills
from engine.config.fapiao import Fapiao
from engine.config.loading import Origin, load_config, origins, shown_url
from engine.config.miniprogram import FieldType, MessageKind, MessageTemplate, Miniprogram, Placeholder
from engine.config.problems import ConfigInvalid, Problem
from engine.config.settings import (
    RELATIONS,
    Admin,
    Config,
    Line,
    Log,
    Orders,
    Postgres,
    Privacy,
    Redis,
    Seals,
    Stock,
    Web,
)
from engine.config.sources import FILE_NAME, config_file
from engine.config.starter import starter_toml
from engine.config.wechat import Account, Merchant, Wechat

__all__ = [
    "FILE_NAME",
    "RELATIONS",
    "Account",
    "Admin",
    "Bills",
    "Config",
    "ConfigInvalid",
    "Fapiao",
    "FieldType",
    "Line",
    "Log",
    "Merchant",
    "MessageKind",
    "MessageTemplate",
    "Miniprogram",
    "Orders",
    "Origin",
    "Placeholder",
    "Postgres",
    "Privacy",
    "Problem",
    "Redis",
    "Seals",
    "Stock",
    "Web",
    "Wechat",
    "config_file",
    "load_config",
    "origins",
    "shown_url",
    "starter_toml",
]
