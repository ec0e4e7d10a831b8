"""Writes the `floodgate.toml` of the local stack: complete, with secrets of its own that outlive restarts.

The file is generated at every start, because addresses may change; the secrets are read back from the former
file, because sealed openids and buyers' seals must stay readable. Only its owner can read it. Every other
setting is left to its default and to the environment.
"""

import json
import os
import secrets
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from engine.embedded.child import StartError

Value = str | int | float | bool | Mapping[str, str]
Sections = Mapping[str, Mapping[str, Value]]

_HEADER = """\
# Written by `floodgate up` at every start: changes here are lost, except for secrets, which are kept.
# Other settings can be given in the environment, as FLOODGATE_<SECTION>_<KEY>.
"""


class Merchant(Protocol):
    """What the simulator's credentials must offer."""

    @property
    def appid(self) -> str: ...
    @property
    def app_secret(self) -> str: ...
    @property
    def mchid(self) -> str: ...
    @property
    def api_v3_key(self) -> str: ...
    @property
    def certificate_serial(self) -> str: ...
    @property
    def public_key_id(self) -> str: ...
    @property
    def private_key_file(self) -> Path: ...
    @property
    def public_key_file(self) -> Path: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    admin_key: str
    seal_key: str
    digest_key: str
    openid_key: str


def kept_secrets(file: Path) -> Secrets:
    """The secrets of the former file, or fresh ones when there is none."""
    if not file.exists():
        return Secrets(**{name: secrets.token_hex(32) for name in Secrets.__slots__})
    try:
        former = tomllib.loads(file.read_text())
        return Secrets(
            admin_key=former["admin"]["key"],
            seal_key=former["seals"]["keys"]["0"],
            digest_key=former["privacy"]["digest_key"],
            openid_key=former["privacy"]["openid_key"],
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise StartError(
            f"{file} holds no usable secrets ({error}): repair it, or remove {file.parent} to start over"
        ) from error


def sections(
    *,
    secret: Secrets,
    merchant: Merchant,
    redis_url: str,
    postgres_url: str,
    public_host: str,
    public_port: int,
    simulator_url: str,
    notify_url: str,
) -> Sections:
    return {
        "redis": {"url": redis_url},
        "postgres": {"url": postgres_url},
        "web": {"host": public_host, "port": public_port},
        "admin": {"host": "127.0.0.1", "key": secret.admin_key},
        "seals": {"current": 0, "keys": {"0": secret.seal_key}},
        "privacy": {"digest_key": secret.digest_key, "openid_key": secret.openid_key},
        "wechat": {
            "appid": merchant.appid,
            "app_secret": merchant.app_secret,
            "mchid": merchant.mchid,
            "api_v3_key": merchant.api_v3_key,
            "private_key_file": str(merchant.private_key_file),
            "certificate_serial": merchant.certificate_serial,
            "public_key_id": merchant.public_key_id,
            "public_key_file": str(merchant.public_key_file),
            "gateway_url": simulator_url,
            "login_url": simulator_url,
            "notify_url": notify_url,
        },
        "bills": {"directory": str(merchant.private_key_file.parent / "bills")},
    }


def to_toml(content: Sections) -> str:
    parts = [_HEADER]
    for section, keys in content.items():
        lines = (f"{key} = {_toml_value(value)}" for key, value in keys.items())
        parts.append("\n".join((f"[{section}]", *lines)) + "\n")
    return "\n".join(parts)


def _toml_value(value: Value) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml_value(each)}" for key, each in value.items()) + " }"
    # What JSON writes for a string, number or boolean is TOML, too, but for surrogate escapes and a bare DEL.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", r"\u007f")


def environment_without(content: Sections, environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` without the variables that would win over what the stack decides."""
    decided = {f"FLOODGATE_{section}_{key}".upper() for section, keys in content.items() for key in keys}
    return {name: text for name, text in environment.items() if name.upper() not in decided}


def write_private(file: Path, text: str) -> None:
    """Replace `file` at once, readable for its owner only."""
    draft = file.with_name(f".{file.name}.draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(text)
    draft.replace(file)
