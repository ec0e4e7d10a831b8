"""Settings: valid together or refused together, and secrets stay secret."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from engine.config import (
    RELATIONS,
    Config,
    ConfigInvalid,
    Problem,
    config_file,
    load_config,
    origins,
    shown_url,
    starter_toml,
)

SECRET = "not-for-anybody's-eyes-0123456789abcdef"

NEEDED = {
    "FLOODGATE_ADMIN_KEY": f"admin {SECRET}",
    "FLOODGATE_SEALS_KEYS": json.dumps({"0": f"seal {SECRET}"}),
    "FLOODGATE_PRIVACY_DIGEST_KEY": f"digest {SECRET}",
    "FLOODGATE_PRIVACY_OPENID_KEY": "5ec2e7" + "0" * 58,
    "FLOODGATE_WECHAT_APPID": "wx0123456789abcdef",
    "FLOODGATE_WECHAT_APP_SECRET": f"app {SECRET}",
    "FLOODGATE_WECHAT_MCHID": "1900000001",
    "FLOODGATE_WECHAT_API_V3_KEY": "5ec2e7" + "k" * 26,
    "FLOODGATE_WECHAT_PRIVATE_KEY_FILE": "merchant_key.pem",
    "FLOODGATE_WECHAT_CERTIFICATE_SERIAL": "A" * 40,
    "FLOODGATE_WECHAT_PUBLIC_KEY_ID": "PUB_KEY_ID_01",
    "FLOODGATE_WECHAT_PUBLIC_KEY_FILE": "platform_key.pem",
    "FLOODGATE_WECHAT_NOTIFY_URL": "https://shop.example/wechatpay/notify",
}


def environ(**settings: object) -> dict[str, str]:
    """A valid environment with some settings of ours: web_port=1 is FLOODGATE_WEB_PORT=1."""
    return NEEDED | {f"FLOODGATE_{name.upper()}": str(value) for name, value in settings.items()}


def refusals(path: Path | None = None, **settings: object) -> dict[str, Problem]:
    with pytest.raises(ConfigInvalid) as caught:
        load_config(path, environ(**settings))
    return {problem.key: problem for problem in caught.value.problems}


def written(folder: Path, text: str) -> Path:
    path = folder / "floodgate.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_needed_settings_alone_make_a_valid_config() -> None:
    config = load_config(None, NEEDED)

    assert config.web.port == 8080
    assert config.seals.keys[0].get_secret_value() == f"seal {SECRET}"


def test_config_is_built_from_sections_without_file_or_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    valid = load_config(None, NEEDED)
    monkeypatch.setenv("FLOODGATE_WEB_PORT", "1")

    config = Config(admin=valid.admin, seals=valid.seals, privacy=valid.privacy, wechat=valid.wechat)

    assert config.web.port == 8080


def test_a_config_cannot_be_changed() -> None:
    config = load_config(None, NEEDED)

    with pytest.raises(ValidationError):
        config.web.port = 1


def test_environment_wins_over_file(tmp_path: Path) -> None:
    path = written(tmp_path, "[web]\nport = 1000\nhost = '::1'")

    config = load_config(path, environ(web_port=2000))

    assert (config.web.port, config.web.host) == (2000, "::1")


def test_a_key_with_underscores_is_read_from_the_environment() -> None:
    config = load_config(None, environ(web_body_timeout_s="2.5", wechat_api_v3_key="x" * 32))

    assert config.web.body_timeout_s == 2.5
    assert config.wechat.api_v3_key.get_secret_value() == "x" * 32


def test_paths_in_the_file_are_meant_from_the_files_folder(tmp_path: Path) -> None:
    path = written(tmp_path, "[wechat]\nprivate_key_file = 'keys/merchant.pem'")
    without = {name: text for name, text in NEEDED.items() if "PRIVATE_KEY" not in name}

    config = load_config(path, without)

    assert config.wechat.private_key_file == tmp_path / "keys/merchant.pem"


MERCHANT = {
    "mchid": "1900000002",
    "api_v3_key": "5ec2e7" + "m" * 26,
    "private_key_file": "second.pem",
    "certificate_serial": "B" * 40,
}


def merchants(**changed: object) -> str:
    return json.dumps([MERCHANT | changed])


def test_further_merchants_are_read_from_json_in_the_environment() -> None:
    config = load_config(None, environ(wechat_merchants=merchants()))

    assert [account.mchid for account in config.wechat.accounts] == ["1900000001", "1900000002"]
    assert config.wechat.accounts[1].public_key_id is None


def test_further_merchants_are_tables_in_the_file_and_their_paths_are_meant_from_its_folder(tmp_path: Path) -> None:
    lines = "\n".join(f'{name} = "{value}"' for name, value in MERCHANT.items())
    key = 'public_key_id = "PUB_KEY_ID_02"\npublic_key_file = "second_pub.pem"'
    path = written(tmp_path, f"[[wechat.merchants]]\n{lines}\n{key}\n")

    (second,) = load_config(path, NEEDED).wechat.merchants

    assert (second.private_key_file, second.public_key_file) == (tmp_path / "second.pem", tmp_path / "second_pub.pem")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"mchid": "merchant"}, "under 0.mchid"),
        ({"mchid": None}, "under 0.mchid"),
        ({"api_v3_key": SECRET[:31]}, "under 0.api_v3_key"),
        ({"kye": SECRET}, "under 0.kye"),
        ({"public_key_id": "PUB_KEY_ID_02"}, "under 0: needs the other one"),
        ({"mchid": "1900000001"}, "names a merchant number twice"),
    ],
    ids=str,
)
def test_a_wrong_merchant_is_refused_with_its_place_and_without_its_secrets(
    changed: dict[str, object], reason: str
) -> None:
    found = refusals(None, wechat_merchants=merchants(**changed))

    assert set(found) == {"wechat.merchants"}
    assert reason in found["wechat.merchants"].reason
    assert SECRET[:20] not in str(found["wechat.merchants"])
    assert "5ec2e7" not in str(found["wechat.merchants"])


def test_a_merchant_that_lacks_a_key_is_refused_with_its_place() -> None:
    lacking = json.dumps([{name: value for name, value in MERCHANT.items() if name != "certificate_serial"}])

    assert "0.certificate_serial" in refusals(None, wechat_merchants=lacking)["wechat.merchants"].reason


def test_merchants_that_are_no_json_are_refused() -> None:
    assert set(refusals(None, wechat_merchants="1900000002")) == {"wechat.merchants"}


def test_one_merchant_at_least_takes_orders() -> None:
    settings = {"wechat_takes_orders": "false", "wechat_merchants": merchants(takes_orders=False)}

    assert set(refusals(None, **settings)) == {"wechat.takes_orders"}
    assert load_config(None, environ(wechat_takes_orders="false", wechat_merchants=merchants()))


def test_without_a_public_key_a_merchant_is_checked_by_certificates() -> None:
    bare = {name: text for name, text in NEEDED.items() if "PUBLIC_KEY" not in name}

    assert load_config(None, bare).wechat.public_key_id is None


def test_half_a_public_key_is_refused() -> None:
    half = {name: text for name, text in NEEDED.items() if "PUBLIC_KEY_FILE" not in name}

    with pytest.raises(ConfigInvalid, match=r"wechat\.public_key_id.*needs the other one"):
        load_config(None, half)


@pytest.mark.parametrize(
    ("settings", "urls"),
    [
        ({}, ("https://api.mch.weixin.qq.com", "https://api2.mch.weixin.qq.com")),
        ({"wechat_gateway_url": "http://127.0.0.1:9300"}, ("http://127.0.0.1:9300",)),
        (
            {"wechat_gateway_url": "https://a.example", "wechat_gateway_backup_url": "https://b.example"},
            ("https://a.example", "https://b.example"),
        ),
    ],
    ids=["WeChat Pay", "the simulator", "two of ours"],
)
def test_a_second_gateway_is_wechats_own_or_the_one_named(settings: dict[str, str], urls: tuple[str, ...]) -> None:
    assert load_config(None, environ(**settings)).wechat.gateway_urls == urls


def test_all_errors_are_reported_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, "[web]\nport = 65536\nprot = 1\n[wbe]\nport = 1\n[log]\nlevel = 'loud'")

    found = refusals(path, redis_url="http://h", web_body_timeout_s="30", seals_current=9)

    assert set(found) == {
        "wbe",
        "redis.url",
        "web.port",
        "web.prot",
        "log.level",
        "web.request_timeout_s",
        "seals.current",
    }


def test_an_error_names_value_source_and_reason(tmp_path: Path) -> None:
    path = written(tmp_path, "[web]\nport = 65536")

    found = refusals(path, line_burst_count="many")

    assert found["web.port"] == Problem("web.port", "65536", str(path), "should be less than or equal to 65535")
    assert found["line.burst_count"].source == "FLOODGATE_LINE_BURST_COUNT"
    assert found["line.burst_count"].value == "many"


def test_every_missing_secret_is_named_with_how_to_make_it() -> None:
    with pytest.raises(ConfigInvalid) as caught:
        load_config(None, {})

    reasons = {problem.key: problem.reason for problem in caught.value.problems}
    for key in ("admin.key", "seals.keys", "privacy.digest_key", "privacy.openid_key"):
        assert "secrets.token_hex(32)" in reasons[key]
        assert f"FLOODGATE_{key.replace('.', '_').upper()}" in reasons[key]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("admin.key", SECRET[:31]),
        ("seals.keys", json.dumps({"0": SECRET[:31]})),
        ("seals.keys", json.dumps({"256": SECRET})),
        ("seals.keys", json.dumps({})),
        ("seals.keys", SECRET),
        ("privacy.digest_key", SECRET[:31]),
        ("privacy.openid_key", SECRET + "0" * 25),
        ("privacy.openid_key", "0" * 63),
        ("wechat.api_v3_key", SECRET[:31]),
        ("wechat.api_v3_key", SECRET[:33]),
        ("wechat.mchid", "merchant"),
        ("wechat.public_key_id", "0123"),
        ("wechat.notify_url", "http://shop.example/wechatpay/notify"),
        ("wechat.notify_url", "https://shop.example/wechatpay/notify?a=1"),
        ("wechat.gateway_url", "http://api.mch.weixin.qq.com"),
        ("wechat.login_url", "http://api.weixin.qq.com"),
        ("wechat.gateway_url", "https://"),
        ("wechat.gateway_backup_url", "http://api2.mch.weixin.qq.com"),
        ("wechat.certificates_every_s", "43201"),
        ("wechat.order_per_s", "0"),
        ("wechat.answers_signed_by", "nobody"),
        ("redis.url", "redis://"),
        ("redis.url", "unix://"),
        ("redis.url", "127.0.0.1:6379"),
        ("postgres.url", "mysql://h/d"),
        ("postgres.url", "postgresql://h"),
        ("postgres.url", "postgresql://h:port/d"),
        ("redis.timeout_s", "nan"),
        ("web.request_timeout_s", "inf"),
        ("web.port", "-1"),
        ("web.port", "8080.5"),
        ("log.format", "yaml"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_key(key: str, value: str) -> None:
    found = refusals(None, **{key.replace(".", "_"): value})

    assert set(found) == {key}
    assert SECRET[:20] not in str(found[key])


@pytest.mark.parametrize(
    ("key", "settings"),
    [
        ("web.request_timeout_s", {"web_request_timeout_s": 6, "web_body_timeout_s": 6}),
        ("web.request_timeout_s", {"web_request_timeout_s": 6, "redis_timeout_s": 6}),
        ("web.request_timeout_s", {"web_request_timeout_s": 6, "postgres_statement_timeout_s": 6}),
        ("web.request_timeout_s", {"web_request_timeout_s": 6, "wechat_timeout_s": 6}),
        ("web.drain_notice_s", {"web_drain_notice_s": 15}),
        ("admin.port", {"admin_port": 8080}),
        ("stock.batch_count_max", {"stock_queue_count_max": 249}),
        ("seals.current", {"seals_current": 1}),
        ("line.pass_serving_s", {"seals_buyer_seal_s": 60}),
    ],
)
def test_bounds_that_contradict_each_other_are_refused(key: str, settings: dict[str, object]) -> None:
    assert set(refusals(None, **settings)) == {key}


def test_every_relation_holds_for_the_defaults() -> None:
    config = load_config(None, NEEDED)

    for relation in RELATIONS:
        values = [getattr(getattr(config, key.split(".")[0]), key.split(".")[1]) for key in relation.keys]
        assert relation.holds(*values), relation.reason


def test_sections_that_contradict_each_other_build_no_config() -> None:
    valid = load_config(None, NEEDED)
    seals = valid.seals.model_copy(update={"current": 7})

    with pytest.raises(ValidationError, match=r"seals\.current"):
        Config(admin=valid.admin, seals=seals, privacy=valid.privacy, wechat=valid.wechat)


def test_http_is_allowed_towards_the_simulator() -> None:
    config = load_config(
        None,
        environ(
            wechat_gateway_url="http://127.0.0.1:9300",
            wechat_login_url="http://localhost:9300",
            wechat_notify_url="http://127.0.0.1:8080/wechatpay/notify",
        ),
    )

    assert config.wechat.notify_url == "http://127.0.0.1:8080/wechatpay/notify"


def test_an_unknown_key_keeps_its_value_to_itself(tmp_path: Path) -> None:
    path = written(tmp_path, f'[admin]\nkye = "{SECRET}"')

    assert SECRET not in str(refusals(path)["admin.kye"])


def test_other_programs_variables_are_left_alone() -> None:
    load_config(None, environ(test_redis_url="redis://h", config="f.toml", web="{}") | {"WEB_PORT": "1"})


@pytest.mark.parametrize("text", ["[web", "\x00", "port = 1", 'web = "port"'])
def test_a_file_that_is_no_settings_file_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, text)

    with pytest.raises(ConfigInvalid, match=r"floodgate\.toml"):
        load_config(path, NEEDED)


def test_a_file_that_is_not_there_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match=r"absent\.toml.*cannot be read"):
        load_config(tmp_path / "absent.toml", NEEDED)


def test_secrets_are_printed_nowhere(tmp_path: Path) -> None:
    path = written(tmp_path, f'[postgres]\nurl = "postgresql://u:{SECRET}@h/d"')
    changed = environ(redis_url=f"redis://:{SECRET}@h", wechat_merchants=merchants())
    config = load_config(path, changed)

    shown = [repr(config), str(config), repr(config.model_dump()["seals"]), *map(str, origins(path, changed))]

    assert not [text for text in shown if SECRET in text or "5ec2e7" in text]


def test_origins_tell_where_each_setting_came_from(tmp_path: Path) -> None:
    path = written(tmp_path, "[web]\nport = 1000\nhost = '::1'")

    found = {each.key: each for each in origins(path, environ(web_port=2000, redis_url="redis://:pw@h"))}

    assert (found["web.port"].value, found["web.port"].source) == ("2000", "FLOODGATE_WEB_PORT")
    assert (found["web.host"].value, found["web.host"].source) == ("::1", str(path))
    assert (found["web.head_timeout_s"].value, found["web.head_timeout_s"].source) == ("15.0", "default")
    assert (found["admin.key"].value, found["admin.key"].source) == ("********", "FLOODGATE_ADMIN_KEY")
    assert found["redis.url"].value == "redis://:********@h"


def test_origins_show_every_setting_once() -> None:
    keys = [each.key for each in origins(None, NEEDED)]

    assert sorted(set(keys)) == sorted(keys)
    assert {key.partition(".")[0] for key in keys} == set(Config.model_fields)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://h:1/0", "redis://h:1/0"),
        ("redis://:pw@h/0", "redis://:********@h/0"),
        ("rediss://u:p:w@h", "rediss://u:********@h"),
        ("redis://:p@w?x@h", "redis://:********@h"),
        ("postgresql://u@/d?host=/run&password=pw&sslmode=prefer", None),
    ],
)
def test_a_shown_url_has_no_password(url: str, shown: str | None) -> None:
    masked = "postgresql://u@/d?host=/run&password=********&sslmode=prefer"

    assert shown_url(url) == (shown or masked)


def test_the_file_is_the_named_one_else_of_the_environment_else_the_one_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert config_file(None, {}) is None

    written(tmp_path, "")

    assert config_file(None, {}) == Path("floodgate.toml")
    assert config_file(None, {"FLOODGATE_CONFIG": "other.toml"}) == Path("other.toml")
    assert config_file(Path("mine.toml"), {"FLOODGATE_CONFIG": "other.toml"}) == Path("mine.toml")


def test_a_starter_file_lacks_nothing_but_what_wechat_gives(tmp_path: Path) -> None:
    path = written(tmp_path, starter_toml())

    with pytest.raises(ConfigInvalid) as caught:
        load_config(path, {})

    assert {problem.key.partition(".")[0] for problem in caught.value.problems} == {"wechat"}


def test_two_starter_files_share_no_secret() -> None:
    secrets = [
        {line for line in starter_toml().splitlines() if "key" in line and "=" in line and line[0] != "#"}
        for _ in range(2)
    ]

    assert len(secrets[0]) == 4
    assert secrets[0].isdisjoint(secrets[1])
