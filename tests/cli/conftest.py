"""The command as people run it: a process of its own, with a complete environment."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Ended:
    """How one run of the command ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture(scope="session")
def merchant_keys(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    folder = tmp_path_factory.mktemp("keys")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private, public = folder / "merchant.pem", folder / "platform.pem"
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    public.write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return {"private_key_file": str(private), "public_key_file": str(public)}


@pytest.fixture
def settings(merchant_keys: Mapping[str, str]) -> dict[str, str]:
    """Every needed setting, and addresses that nobody listens on: a test names the ones it has."""
    return {
        "FLOODGATE_REDIS_URL": "redis://127.0.0.1:1/0",
        "FLOODGATE_POSTGRES_URL": "postgresql://nobody:hunter2@127.0.0.1:1/none",
        "FLOODGATE_ADMIN_KEY": "k" * 32,
        "FLOODGATE_SEALS_KEYS": json.dumps({"0": "s" * 32}),
        "FLOODGATE_PRIVACY_DIGEST_KEY": "d" * 32,
        "FLOODGATE_PRIVACY_OPENID_KEY": "0" * 64,
        "FLOODGATE_WECHAT_APPID": "wx0123456789abcdef",
        "FLOODGATE_WECHAT_APP_SECRET": "secret",
        "FLOODGATE_WECHAT_MCHID": "1900000001",
        "FLOODGATE_WECHAT_API_V3_KEY": "v" * 32,
        "FLOODGATE_WECHAT_CERTIFICATE_SERIAL": "A" * 40,
        "FLOODGATE_WECHAT_PUBLIC_KEY_ID": "PUB_KEY_ID_01",
        "FLOODGATE_WECHAT_GATEWAY_URL": "http://127.0.0.1:1",
        "FLOODGATE_WECHAT_NOTIFY_URL": "https://shop.example/wechatpay/notify",
        "FLOODGATE_WECHAT_PRIVATE_KEY_FILE": merchant_keys["private_key_file"],
        "FLOODGATE_WECHAT_PUBLIC_KEY_FILE": merchant_keys["public_key_file"],
    }


@pytest.fixture
def run(tmp_path: Path, settings: dict[str, str]) -> Run:
    """Run `floodgate WORDS` in an empty folder; keyword arguments are settings, as redis_url=..."""

    def run_command(*words: str | Path, bare: bool = False, **changed: str) -> Ended:
        given = {f"FLOODGATE_{name.upper()}": text for name, text in changed.items()}
        ended = subprocess.run(
            [sys.executable, "-m", "engine.cli", *map(str, words)],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT),
                "COLUMNS": "200",
                **({} if bare else settings),
                **given,
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    return run_command
