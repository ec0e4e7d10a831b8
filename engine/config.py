"""Every setting of Floodgate, checked once at start.

Settings come from `floodgate.toml` and from `FLOODGATE_<SECTION>_<KEY>` in the environment, which wins. A
`Config` that exists is valid: every value in range, every relation between bounds kept, every secret present.
Whatever is wrong is reported together, so that a new installation is corrected in one round.

This module refuses to guess: an unknown key is an error, and a secret has no default. It prints no secret.
"""

import json
import re
import secrets
import tomllib
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

PREFIX = "FLOODGATE_"
FILE_NAME = "floodgate.toml"
MASK = "********"


def _is_loopback(host: str | None) -> bool:
    if host is None:
        return False
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _url(*schemes: str) -> AfterValidator:
    def check(text: str) -> str:
        try:
            parts = urllib.parse.urlsplit(text)
            _ = "," in parts.netloc or parts.port  # several hosts are PostgreSQL's way of naming a standby
        except ValueError as error:
            raise ValueError(f"is not a URL: {error}") from None
        if parts.scheme not in schemes:
            raise ValueError(f"must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
        if schemes[0].startswith("http") and not parts.hostname:
            raise ValueError("names no host")
        return text

    return AfterValidator(check)


def _database(text: str) -> str:
    if not urllib.parse.urlsplit(text).path.strip("/"):
        raise ValueError("names no database: postgresql://user:password@host/database")
    return text


def _redis_place(text: str) -> str:
    parts = urllib.parse.urlsplit(text)
    if not (parts.path.strip("/") if parts.scheme == "unix" else parts.hostname):
        raise ValueError("names no server: redis://host:6379/0 or unix:///path/to/redis.sock")
    return text


def _hex_key(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if len(text) != 64 or set(text) - set("0123456789abcdefABCDEF"):
        raise ValueError("must be 32 bytes written as 64 hexadecimal digits")
    return secret


def _decoded(value: object) -> object:
    """The environment can hold a mapping only as JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        raise ValueError('must be JSON in the environment: {"0": "a secret of 32 characters"}') from None


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


LongSecret = Annotated[SecretStr, Field(min_length=32)]
Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]
KeyId = Annotated[int, Field(ge=0, le=255)]
Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[0-9A-Za-z_-]+$")]
HttpUrl = Annotated[str, _url("http", "https")]
# Kept out of `repr`, for the password inside.
RedisUrl = Annotated[str, _url("redis", "rediss", "unix"), AfterValidator(_redis_place), Field(repr=False)]
PostgresUrl = Annotated[str, _url("postgresql", "postgres"), AfterValidator(_database), Field(repr=False)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True)


class Redis(_Section):
    url: RedisUrl = "redis://127.0.0.1:6379/0"
    connections_max: Annotated[int, Field(ge=1, le=1000)] = 8
    timeout_s: Seconds = 2.0
    connect_timeout_s: Seconds = 2.0


class Postgres(_Section):
    url: PostgresUrl = "postgresql://127.0.0.1:5432/floodgate"
    connections_max: Annotated[int, Field(ge=2, le=1000)] = 8
    statement_timeout_s: Seconds = 5.0
    connect_timeout_s: Seconds = 5.0


class Web(_Section):
    host: Annotated[str, Field(min_length=1)] = "0.0.0.0"  # noqa: S104 - the public listener, behind a balancer
    port: Port = 8080
    body_bytes_max: Annotated[int, Field(ge=1024, le=1048576)] = 16384
    head_timeout_s: Seconds = 15.0
    body_timeout_s: Seconds = 5.0
    request_timeout_s: Seconds = 10.0
    concurrent_requests_max: Annotated[int, Field(ge=1, le=1000000)] = 5000
    drain_notice_s: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = 1.0
    drain_timeout_s: Seconds = 15.0


class Admin(_Section):
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Port = 9180
    key: LongSecret


class Seals(_Section):
    keys: Annotated[
        Mapping[KeyId, LongSecret], NoDecode, BeforeValidator(_decoded), Field(min_length=1, max_length=256)
    ]
    current: KeyId = 0
    buyer_seal_s: Annotated[int, Field(ge=60, le=30 * 86400)] = 86400
    pass_s: Annotated[int, Field(ge=5, le=3600)] = 120


class Privacy(_Section):
    digest_key: LongSecret
    openid_key: Annotated[SecretStr, AfterValidator(_hex_key)]


class Stock(_Section):
    batch_count_max: Annotated[int, Field(ge=1, le=5000)] = 250
    queue_count_max: Annotated[int, Field(ge=1, le=1000000)] = 20000
    snapshot_every_ms: Annotated[int, Field(ge=20, le=10000)] = 250


class Orders(_Section):
    commit_count_max: Annotated[int, Field(ge=1, le=10000)] = 500
    sweep_every_s: Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)] = 0.5
    audit_every_s: Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)] = 5.0
    release_grace_s: Annotated[float, Field(ge=0, le=300, allow_inf_nan=False)] = 5.0


class Line(_Section):
    block_count: Annotated[int, Field(ge=1, le=10000000)] = 20000
    burst_count: Annotated[int, Field(ge=1, le=1000000)] = 100


class Wechat(_Section):
    appid: Name
    app_secret: Annotated[SecretStr, Field(min_length=1)]
    mchid: Annotated[str, Field(pattern=r"^[0-9]{6,32}$")]
    api_v3_key: Annotated[SecretStr, Field(min_length=32, max_length=32)]
    private_key_file: Path
    certificate_serial: Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{8,64}$")]
    public_key_id: Annotated[str, Field(pattern=r"^PUB_KEY_ID_[0-9A-Za-z]+$")]
    public_key_file: Path
    gateway_url: HttpUrl = "https://api.mch.weixin.qq.com"
    login_url: HttpUrl = "https://api.weixin.qq.com"
    # WeChat cuts a longer address and refuses one with a query.
    notify_url: Annotated[HttpUrl, Field(max_length=255, pattern=r"^[^?#]*$")]
    timeout_s: Seconds = 3.0
    signers: Annotated[int, Field(ge=1, le=64)] = 2
    description: Annotated[str, Field(min_length=1, max_length=127)] = "Concert tickets"


class Log(_Section):
    level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = "info"
    format: Annotated[Literal["json", "console"], BeforeValidator(_lower)] = "json"


@dataclass(frozen=True, slots=True)
class Relation:
    """What must hold between several settings; checked as soon as each of them is valid by itself."""

    keys: tuple[str, ...]
    holds: Callable[..., bool]
    reason: str


def _https_unless_local(url: str) -> bool:
    parts = urllib.parse.urlsplit(url)
    return parts.scheme == "https" or _is_loopback(parts.hostname)


RELATIONS: tuple[Relation, ...] = (
    Relation(
        ("web.request_timeout_s", "web.body_timeout_s"),
        lambda request, body: request > body,
        "must be more than web.body_timeout_s, or a slow body would be answered as a slow request",
    ),
    Relation(
        ("web.request_timeout_s", "redis.timeout_s"),
        lambda request, redis: request > redis,
        "must be more than redis.timeout_s, or an outage of Redis could not be answered in time",
    ),
    Relation(
        ("web.request_timeout_s", "postgres.statement_timeout_s"),
        lambda request, statement: request > statement,
        "must be more than postgres.statement_timeout_s, or an order's commit would outlive its request",
    ),
    Relation(
        ("web.request_timeout_s", "wechat.timeout_s"),
        lambda request, wechat: request > wechat,
        "must be more than wechat.timeout_s, or a buyer could never be told that WeChat is slow",
    ),
    Relation(
        ("web.drain_notice_s", "web.drain_timeout_s"),
        lambda notice, timeout: notice < timeout,
        "must be less than web.drain_timeout_s, which it is a part of",
    ),
    Relation(
        ("admin.port", "web.port", "admin.host", "web.host"),
        lambda admin, web, _admin_host, _web_host: admin != web or admin == 0,
        "must differ from web.port: operators have a listener of their own",
    ),
    Relation(
        ("stock.batch_count_max", "stock.queue_count_max"),
        lambda batch, queue: batch <= queue,
        "must be at most stock.queue_count_max, or a full batch could never form",
    ),
    Relation(
        ("seals.current", "seals.keys"),
        lambda current, keys: current in keys,
        "names no key of seals.keys",
    ),
    Relation(
        ("seals.pass_s", "seals.buyer_seal_s"),
        lambda pass_s, buyer_s: pass_s <= buyer_s,
        "must be at most seals.buyer_seal_s: a pass is worthless without a logged-in buyer",
    ),
    Relation(
        ("wechat.gateway_url",),
        _https_unless_local,
        "must be https, unless it is the simulator on a loopback address",
    ),
    Relation(
        ("wechat.login_url",),
        _https_unless_local,
        "must be https, unless it is the simulator on a loopback address",
    ),
    Relation(
        ("wechat.notify_url", "wechat.gateway_url"),
        lambda notify, gateway: (
            notify.startswith("https://") or _is_loopback(urllib.parse.urlsplit(gateway).hostname)
        ),
        "must be https: WeChat calls back nothing else (only a loopback wechat.gateway_url allows http)",
    ),
)


class Config(BaseSettings):
    """All settings in force. Build it with `load_config`, or directly from sections in a test."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=PREFIX, env_nested_delimiter="_", env_nested_max_split=1
    )

    redis: Redis = Redis()
    postgres: Postgres = Postgres()
    web: Web = Web()
    admin: Admin
    seals: Seals
    privacy: Privacy
    stock: Stock = Stock()
    orders: Orders = Orders()
    line: Line = Line()
    wechat: Wechat
    log: Log = Log()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # The process's own environment is read nowhere below the command line: `load_config` is given it.
        return (init_settings,)

    @model_validator(mode="after")
    def _relations_hold(self) -> "Config":
        for relation in RELATIONS:
            values = [getattr(getattr(self, key.split(".")[0]), key.split(".")[1]) for key in relation.keys]
            if not relation.holds(*values):
                raise ValueError(f"{relation.keys[0]} {relation.reason}")
        return self


class _Environment(EnvSettingsSource):
    """The environment it is given, read by pydantic-settings' rules, not the process's own."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        super().__init__(Config)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        # FLOODGATE_WEB alone would be read as a whole section in JSON; one way to say a thing is enough.
        return {name.lower(): text for name, text in self._environ.items() if name.count("_") >= 2}


@dataclass(frozen=True, slots=True)
class Problem:
    """One wrong setting: its key, its value with secrets masked (None where it has none), where, and why."""

    key: str
    value: str | None
    source: str
    reason: str

    def __str__(self) -> str:
        shown = self.key if self.value is None else f"{self.key} = {self.value}"
        return f"{shown} ({self.source}): {self.reason}"


class ConfigInvalid(Exception):  # noqa: N818 - named as a finding, like every refusal here
    """The settings cannot be used; nothing was started."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        count = f"{len(problems)} settings are" if len(problems) != 1 else "1 setting is"
        super().__init__("\n".join([f"{count} wrong:", *(f"  {problem}" for problem in problems)]))


@dataclass(frozen=True, slots=True)
class Origin:
    """A setting in force, fit to be shown: secrets and passwords are masked."""

    key: str
    value: str
    source: str


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
    "wechat.public_key_id": "the id of the WeChat Pay public key (PUB_KEY_ID_...), from pay.weixin.qq.com",
    "wechat.public_key_file": "the path of pub_key.pem, from pay.weixin.qq.com",
    "wechat.notify_url": "the public address of this shop's /wechatpay/notify",
}


def _sections() -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in Config.model_fields.items():
        assert isinstance(field.annotation, type)
        assert issubclass(field.annotation, BaseModel)
        yield name, field.annotation


def _is_secret(field: FieldInfo) -> bool:
    def holds_secret(annotation: Any) -> bool:
        return annotation is SecretStr or any(map(holds_secret, get_args(annotation)))

    return holds_secret(field.annotation)


def _shown(field: FieldInfo, value: object) -> str:
    if _is_secret(field):
        return MASK
    if isinstance(value, str) and ("://" in value or not field.repr):
        return shown_url(value)
    return str(value)


def shown_url(url: str) -> str:
    """The URL with its password masked, fit to be shown."""
    scheme, mark, rest = url.rpartition("://")
    login, at, place = rest.rpartition("@")
    if ":" in login:
        login = f"{login.partition(':')[0]}:{MASK}"
    # libpq and redis-py take a password in the query, too.
    place = re.sub(r"([?&][^=&]*password=)[^&]*", rf"\1{MASK}", place)
    return f"{scheme}{mark}{login}{at}{place}"


def config_file(flag: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The file to read: named by --config, else by FLOODGATE_CONFIG, else ./floodgate.toml if there."""
    if flag is not None:
        return flag
    if named := environ.get(f"{PREFIX}CONFIG"):
        return Path(named)
    here = Path(FILE_NAME)
    return here if here.is_file() else None


Tree = dict[str, dict[str, Any]]


def _read_file(path: Path) -> tuple[Tree, list[Problem]]:
    source = str(path)
    try:
        parsed = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigInvalid((Problem("file", None, source, f"cannot be read: {error.strerror}"),)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigInvalid((Problem("file", None, source, f"is not TOML: {error}"),)) from None
    tree: Tree = {}
    problems = []
    for name, content in parsed.items():
        if name not in Config.model_fields:
            known = ", ".join(Config.model_fields)
            problems.append(Problem(name, None, source, f"is no section; the sections are {known}"))
        elif not isinstance(content, dict):
            problems.append(Problem(name, None, source, f"must be a section: [{name}]"))
        else:
            tree[name] = content
    # A path in the file is meant from the file's own folder, whatever folder the command runs in.
    for section, model in _sections():
        for key, field in model.model_fields.items():
            given = tree.get(section, {}).get(key)
            if field.annotation is Path and isinstance(given, str):
                tree[section][key] = str(path.parent / given)
    return tree, problems


def _read_environ(environ: Mapping[str, str]) -> Tree:
    found = _Environment(environ)()
    return {section: keys for section, keys in found.items() if isinstance(keys, dict)}


@dataclass(frozen=True, slots=True)
class _Given:
    """What the file and the environment say, merged, and which of them said it."""

    tree: Tree
    sources: Mapping[str, str]
    problems: tuple[Problem, ...]


def _given(path: Path | None, environ: Mapping[str, str]) -> _Given:
    tree: Tree = {name: {} for name, _ in _sections()}
    sources: dict[str, str] = {}
    from_file, problems = _read_file(path) if path else ({}, [])
    for section, keys in from_file.items():
        tree[section].update(keys)
        sources.update({f"{section}.{key}": str(path) for key in keys})
    for section, keys in _read_environ(environ).items():
        tree[section].update(keys)
        sources.update({f"{section}.{key}": f"{PREFIX}{section}_{key}".upper() for key in keys})
    return _Given(tree, sources, tuple(problems))


def _problems(given: _Given) -> Iterator[Problem]:
    yield from given.problems
    wrong: set[str] = set()
    for section, model in _sections():
        try:
            model.model_validate(given.tree[section])
        except ValidationError as invalid:
            for error in invalid.errors(include_url=False):
                problem = _problem(section, model, error, given.sources)
                wrong.add(problem.key)
                yield problem
    for relation in RELATIONS:
        if wrong.isdisjoint(relation.keys) and not relation.holds(*(_value(given, k) for k in relation.keys)):
            key = relation.keys[0]
            section, name = key.split(".")
            shown = _shown(dict(_sections())[section].model_fields[name], _value(given, key))
            yield Problem(key, shown, given.sources.get(key, "default"), relation.reason)


def _value(given: _Given, key: str) -> Any:
    section, name = key.split(".")
    field = dict(_sections())[section].model_fields[name]
    if name not in given.tree[section]:
        return field.get_default(call_default_factory=True)
    whole: Any = Annotated[field.annotation, *field.metadata]
    return TypeAdapter(whole).validate_python(given.tree[section][name])


def _problem(section: str, model: type[BaseModel], error: Any, sources: Mapping[str, str]) -> Problem:
    name, *below = map(str, error["loc"])
    key = f"{section}.{name}"
    field = model.model_fields.get(name)
    source = sources.get(key, "not set")
    if field is None:
        # A mistyped name may carry a secret, so its value stays unprinted.
        return Problem(key, None, source, f"is no setting; [{section}] has {', '.join(model.model_fields)}")
    if error["type"] == "missing":
        name_in_environ = key.replace(".", "_").upper()
        how = HOW_TO_MAKE.get(key, "set it")
        where = f"set it in {FILE_NAME} or as {PREFIX}{name_in_environ}"
        return Problem(key, None, source, f"is missing; {where}: {how}")
    reason = str(error["msg"]).removeprefix("Value error, ").replace("Input should", "should")
    if error["type"] in ("too_short", "too_long") and isinstance(error["input"], str):
        least, most = (error["ctx"].get(bound) for bound in ("min_length", "max_length"))
        reason = f"must have {f'at least {least}' if least else f'at most {most}'} characters"
    if below:
        reason = f"under {'.'.join(part for part in below if part != '[key]')}: {reason}"
    return Problem(key, _shown(field, error["input"]), source, reason)


def load_config(path: Path | None, environ: Mapping[str, str]) -> Config:
    """The settings of `path` (None: no file) under those of `environ`; ConfigInvalid names all problems."""
    given = _given(path, environ)
    if problems := tuple(_problems(given)):
        raise ConfigInvalid(problems)
    return Config(**given.tree)  # type: ignore[arg-type]


def origins(path: Path | None, environ: Mapping[str, str]) -> tuple[Origin, ...]:
    """Every setting in force, in this module's order, with where it came from; `ConfigInvalid` as above."""
    config = load_config(path, environ)
    sources = _given(path, environ).sources
    return tuple(
        Origin(
            f"{section}.{key}",
            _shown(field, getattr(getattr(config, section), key)),
            sources.get(f"{section}.{key}", "default"),
        )
        for section, model in _sections()
        for key, field in model.model_fields.items()
    )


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
# public_key_id = "PUB_KEY_ID_..."
# public_key_file = "pub_key.pem"
# notify_url = "https://.../wechatpay/notify"
"""


def starter_toml(fresh_secret: Callable[[], str] = lambda: secrets.token_hex(32)) -> str:
    """The text of a first `floodgate.toml`: fresh secrets, and the WeChat keys left to fill in."""
    names = ("admin_key", "seal_key", "digest_key", "openid_key")
    return _STARTER.format(**{name: fresh_secret() for name in names})
