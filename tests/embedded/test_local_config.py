"""The generated settings of the local stack: valid, private, with secrets that outlive restarts."""

import tomllib
from pathlib import Path

import pytest

from engine.config import load_config
from engine.embedded import local_config
from engine.embedded.child import StartError
from engine.simulator.keys import credentials


def some_sections(folder: Path) -> local_config.Sections:
    return local_config.sections(
        secret=local_config.kept_secrets(folder / "floodgate.toml"),
        merchant=credentials.ensure(folder / "simulator"),
        redis_url="redis://:p%C3%A4ss@127.0.0.1:6380/0",
        postgres_url="postgresql://postgres@127.0.0.1:5480/floodgate",
        public_host="127.0.0.1",
        public_port=8080,
        simulator_url="http://127.0.0.1:9300",
        notify_url="http://127.0.0.1:8080/wechatpay/notify",
    )


def test_the_engine_accepts_the_generated_file(tmp_path: Path) -> None:
    file = tmp_path / "floodgate.toml"
    local_config.write_private(file, local_config.to_toml(some_sections(tmp_path)))
    config = load_config(file, {})
    assert config.web.port == 8080
    assert config.wechat.gateway_url == "http://127.0.0.1:9300"


def test_only_its_owner_can_read_the_file(tmp_path: Path) -> None:
    file = tmp_path / "floodgate.toml"
    local_config.write_private(file, "x = 1\n")
    assert file.stat().st_mode & 0o777 == 0o600


def test_secrets_outlive_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "floodgate.toml"
    first = some_sections(tmp_path)
    local_config.write_private(file, local_config.to_toml(first))
    assert some_sections(tmp_path) == first


def test_secrets_of_two_stacks_differ(tmp_path: Path) -> None:
    one = local_config.kept_secrets(tmp_path / "one.toml")
    other = local_config.kept_secrets(tmp_path / "other.toml")
    assert one.openid_key != other.openid_key


def test_a_file_without_its_secrets_is_refused_and_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "floodgate.toml"
    file.write_text('[admin]\nkey = "x"\n')
    with pytest.raises(StartError, match="start over"):
        local_config.kept_secrets(file)


@pytest.mark.parametrize("text", ['a "quote"', "back\\slash", "新年 🎆", "tab\tand\nline", "\x7f"])
def test_any_text_comes_back_from_toml(text: str) -> None:
    content = {"wechat": {"description": text}, "seals": {"keys": {"0": text}}}
    assert tomllib.loads(local_config.to_toml(content)) == content


def test_the_environment_cannot_overrule_what_the_stack_decides() -> None:
    environment = {"FLOODGATE_WEB_PORT": "1", "FLOODGATE_STOCK_BATCH_COUNT_MAX": "9", "PATH": "/bin"}
    left = local_config.environment_without({"web": {"port": 8080}}, environment)
    assert left == {"FLOODGATE_STOCK_BATCH_COUNT_MAX": "9", "PATH": "/bin"}
