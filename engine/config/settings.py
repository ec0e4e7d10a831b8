"""The sections and keys, their defaults and bounds, and what must hold between them.

The defaults suit one machine and one concert. A setting that is out of range or contradicts another
one never becomes part of a `Config`.
"""

import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from engine.config.bills import Bills
from engine.config.fapiao import Fapiao
from engine.config.kinds import (
    KeyId,
    LongSecret,
    Port,
    PostgresUrl,
    RedisUrl,
    Seconds,
    decoded,
    hex_key,
    is_loopback,
    lower,
)
from engine.config.miniprogram import Miniprogram
from engine.config.wechat import PUBLIC_KEY_HALF, Wechat, all_differ, some_take_orders

PREFIX = "FLOODGATE_"


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
    # Of one route in one worker. More are not served any faster, each only waits longer.
    concurrent_requests_max: Annotated[int, Field(ge=1, le=1000000)] = 500
    # Whose word about a client's address is taken. A proxy on the same machine is the usual one.
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(decoded)] = (
        IPv4Network("127.0.0.0/8"),
        IPv6Network("::1/128"),
    )
    drain_notice_s: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = 1.0
    drain_timeout_s: Seconds = 15.0


class Admin(_Section):
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Port = 9180
    key: LongSecret


class Seals(_Section):
    keys: Annotated[Mapping[KeyId, LongSecret], NoDecode, BeforeValidator(decoded), Field(min_length=1, max_length=256)]
    current: KeyId = 0
    buyer_seal_s: Annotated[int, Field(ge=60, le=30 * 86400)] = 86400


class Privacy(_Section):
    digest_key: LongSecret
    openid_key: Annotated[SecretStr, AfterValidator(hex_key)]


class Stock(_Section):
    batch_count_max: Annotated[int, Field(ge=1, le=1000)] = 250  # Lua passes at most 8,000 values to one call
    queue_count_max: Annotated[int, Field(ge=1, le=1000000)] = 20000
    snapshot_every_ms: Annotated[int, Field(ge=20, le=10000)] = 250


class Orders(_Section):
    commit_count_max: Annotated[int, Field(ge=1, le=10000)] = 500
    sweep_every_s: Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)] = 0.5
    audit_every_s: Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)] = 5.0
    release_grace_s: Annotated[float, Field(ge=0, le=300, allow_inf_nan=False)] = 5.0
    # Money for an order that nobody here knows: given back, or kept for a person to look at.
    refund_strays: bool = True
    # A refund that WeChat closed is tried again after so long, under a new number; 0 leaves it to a person.
    retry_closed_refunds_s: Annotated[float, Field(ge=0, le=31_536_000, allow_inf_nan=False)] = 0.0


class Line(_Section):
    # One commit for so many live places. After a loss the line goes on behind the block; the gap costs no time.
    block_count: Annotated[int, Field(ge=1, le=10000000)] = 20_000
    burst_count: Annotated[int, Field(ge=1, le=1000000)] = 100
    # More often gains nothing that a person would notice; more seldom, a pause or a full till is noticed too late.
    tick_ms: Annotated[int, Field(ge=200, le=1000)] = 250
    # How long somebody who was called is waited for before others are called instead; the turn itself is not lost.
    claim_window_s: Annotated[int, Field(ge=10, le=600)] = 90
    # How long a pass is good, in time that the sale spends serving: two minutes to choose and confirm on a phone.
    pass_serving_s: Annotated[int, Field(ge=5, le=3600)] = 120
    # Joins and claims. A person with several phones stays far below the first; a carrier has thousands of people
    # behind one address, so the second slows and asks for proofs, and never shuts anybody out.
    buyer_rate_per_s: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] = 2.0
    buyer_burst_count: Annotated[int, Field(ge=1, le=10000)] = 10
    address_rate_per_s: Annotated[float, Field(gt=0, le=1000000, allow_inf_nan=False)] = 500.0
    address_burst_count: Annotated[int, Field(ge=1, le=1000000)] = 2000
    # A stream holds a connection for as long as its client likes; beyond this a worker sends clients back to polling.
    streams_max: Annotated[int, Field(ge=0, le=100000)] = 2000
    # Hashes that solve a challenge on average: about a second of a phone, for every place that a script wants.
    proof_hashes: Annotated[int, Field(ge=1, le=100000000)] = 100_000
    proof_s: Annotated[int, Field(ge=30, le=3600)] = 300


class Log(_Section):
    level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(lower)] = "info"
    format: Annotated[Literal["json", "console"], BeforeValidator(lower)] = "json"


@dataclass(frozen=True, slots=True)
class Relation:
    """What must hold between several settings; checked as soon as each of them is valid by itself."""

    keys: tuple[str, ...]
    holds: Callable[..., bool]
    reason: str


def _https_unless_local(url: str) -> bool:
    parts = urllib.parse.urlsplit(url)
    return parts.scheme == "https" or is_loopback(parts.hostname)


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
        ("line.pass_serving_s", "seals.buyer_seal_s"),
        lambda pass_s, buyer_s: pass_s <= buyer_s,
        "must be at most seals.buyer_seal_s: a pass is worthless without a logged-in buyer",
    ),
    Relation(
        ("wechat.gateway_url",),
        _https_unless_local,
        "must be https, unless it is the simulator on a loopback address",
    ),
    Relation(
        ("wechat.gateway_backup_url",),
        lambda url: url is None or _https_unless_local(url),
        "must be https, unless it is the simulator on a loopback address",
    ),
    Relation(
        ("wechat.public_key_id", "wechat.public_key_file"),
        lambda key_id, file: (key_id is None) == (file is None),
        PUBLIC_KEY_HALF,
    ),
    Relation(
        ("wechat.merchants", "wechat.mchid"),
        all_differ,
        "names a merchant number twice; the keys of [wechat] itself are the first merchant",
    ),
    Relation(
        ("wechat.takes_orders", "wechat.merchants"),
        lambda first, merchants: some_take_orders(merchants, first),
        "must be true for one merchant at least, or no order could be paid",
    ),
    Relation(
        ("wechat.login_url",),
        _https_unless_local,
        "must be https, unless it is the simulator on a loopback address",
    ),
    Relation(
        ("wechat.notify_url", "wechat.gateway_url"),
        lambda notify, gateway: notify.startswith("https://") or is_loopback(urllib.parse.urlsplit(gateway).hostname),
        "must be https: WeChat calls back nothing else (only a loopback wechat.gateway_url allows http)",
    ),
    Relation(
        ("fapiao.tax_code", "fapiao.enabled"),
        lambda tax_code, enabled: bool(tax_code) or not enabled,
        "is needed once fapiao.enabled is true: the 19 digits of the seller's tax code, see: floodgate fapiao show",
    ),
    Relation(
        ("fapiao.goods_name", "fapiao.enabled"),
        lambda goods_name, enabled: bool(goods_name.strip()) or not enabled,
        "is needed once fapiao.enabled is true: what the tickets are called on a fapiao",
    ),
    Relation(
        ("fapiao.tax_rate_bp", "fapiao.enabled"),
        lambda tax_rate_bp, enabled: tax_rate_bp is not None or not enabled,
        "is needed once fapiao.enabled is true: the seller's rate in basis points, 600 for 6 %",
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
    miniprogram: Miniprogram = Miniprogram()
    fapiao: Fapiao = Fapiao()
    bills: Bills = Bills()
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


def sections() -> Iterator[tuple[str, type[BaseModel]]]:
    """The sections by name, in the order they are shown."""
    for name, field in Config.model_fields.items():
        assert isinstance(field.annotation, type)
        assert issubclass(field.annotation, BaseModel)
        yield name, field.annotation
