"""The section [wechat]: the mini program, its merchant accounts and their keys, and how much WeChat Pay takes.

The keys of the section itself describe the first merchant; `merchants` holds further ones, which differ in nothing but
their account and keys. A merchant without a public key of WeChat Pay is checked with platform certificates, which are
downloaded; one with both is in the middle of a change, and either key is believed.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Protocol

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import NoDecode

from engine.config.kinds import HttpUrl, Name, Seconds, decoded

MERCHANT_COUNT_MAX = 64
GATEWAY = "https://api.mch.weixin.qq.com"
GATEWAY_BACKUP = "https://api2.mch.weixin.qq.com"

PUBLIC_KEY_HALF = "needs the other one of public_key_id and public_key_file; without both, certificates are used"

PerSecond = Annotated[float, Field(gt=0, le=100_000, allow_inf_nan=False)]


class Account(Protocol):
    """What the client needs to speak for one merchant: the section itself and each of `merchants` has it."""

    @property
    def mchid(self) -> str: ...
    @property
    def api_v3_key(self) -> SecretStr: ...
    @property
    def private_key_file(self) -> Path: ...
    @property
    def certificate_serial(self) -> str: ...
    @property
    def public_key_id(self) -> str | None: ...
    @property
    def public_key_file(self) -> Path | None: ...
    @property
    def platform_certificates(self) -> bool: ...
    @property
    def answers_signed_by(self) -> Literal["public_key", "certificate"]: ...
    @property
    def takes_orders(self) -> bool: ...


Mchid = Annotated[str, Field(pattern=r"^[0-9]{6,32}$")]
ApiV3Key = Annotated[SecretStr, Field(min_length=32, max_length=32)]
CertificateSerial = Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{8,64}$")]
PublicKeyId = Annotated[str, Field(pattern=r"^PUB_KEY_ID_[0-9A-Za-z]+$")]


class Merchant(BaseModel):
    """One further merchant account, of the same mini program."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True)

    mchid: Mchid
    api_v3_key: ApiV3Key
    private_key_file: Path
    certificate_serial: CertificateSerial
    public_key_id: PublicKeyId | None = None
    public_key_file: Path | None = None
    platform_certificates: bool = False
    answers_signed_by: Literal["public_key", "certificate"] = "public_key"
    takes_orders: bool = True

    @model_validator(mode="after")
    def _key_is_whole(self) -> "Merchant":
        if (self.public_key_id is None) != (self.public_key_file is None):
            raise ValueError(PUBLIC_KEY_HALF)
        return self


class Wechat(BaseModel):
    """[wechat]."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True)

    appid: Name
    app_secret: Annotated[SecretStr, Field(min_length=1)]
    mchid: Mchid
    api_v3_key: ApiV3Key
    private_key_file: Path
    certificate_serial: CertificateSerial
    public_key_id: PublicKeyId | None = None
    public_key_file: Path | None = None
    # Believe platform certificates beside the public key; without a public key they are believed anyway.
    platform_certificates: bool = False
    # Which of the two WeChat Pay is asked to sign its answers with, while there are both.
    answers_signed_by: Literal["public_key", "certificate"] = "public_key"
    # An account without new orders is still queried, refunded and listened to.
    takes_orders: bool = True
    merchants: Annotated[
        tuple[Merchant, ...], NoDecode, BeforeValidator(decoded), Field(max_length=MERCHANT_COUNT_MAX - 1)
    ] = ()
    gateway_url: HttpUrl = GATEWAY
    # Asked when the first does not answer. WeChat Pay's own has one by itself, any other none.
    gateway_backup_url: HttpUrl | None = None
    login_url: HttpUrl = "https://api.weixin.qq.com"
    # WeChat cuts a longer address and refuses one with a query.
    notify_url: Annotated[HttpUrl, Field(max_length=255, pattern=r"^[^?#]*$")]
    timeout_s: Seconds = 3.0
    signers: Annotated[int, Field(ge=1, le=64)] = 2
    description: Annotated[str, Field(min_length=1, max_length=127)] = "Concert tickets"
    # WeChat Pay lists a new certificate days before it signs with it, and asks for a look every 12 hours.
    certificates_every_s: Annotated[float, Field(ge=60, le=43200, allow_inf_nan=False)] = 36000.0
    # What each merchant account may send, over all processes. Orders: about 500 a second, more on request.
    order_per_s: PerSecond = 500.0
    query_per_s: PerSecond = 500.0
    close_per_s: PerSecond = 500.0
    refund_per_s: PerSecond = 150.0
    refund_failures_per_s: PerSecond = 6.0
    query_refund_per_s: PerSecond = 300.0
    bill_per_s: PerSecond = 3.0
    certificates_per_s: PerSecond = 1000.0
    # What one process takes of each of them while Redis, which keeps the count, is away.
    share_alone: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 0.25

    @property
    def accounts(self) -> tuple[Account, ...]:
        """The first merchant and the further ones."""
        return (self, *self.merchants)

    @property
    def gateway_urls(self) -> tuple[str, ...]:
        """The addresses of WeChat Pay, in the order to try them."""
        backup = self.gateway_backup_url or (GATEWAY_BACKUP if self.gateway_url == GATEWAY else None)
        return (self.gateway_url,) if backup is None else (self.gateway_url, backup)


def all_differ(merchants: Sequence[Merchant], first: str) -> bool:
    return len({first, *(merchant.mchid for merchant in merchants)}) == 1 + len(merchants)


def some_take_orders(merchants: Sequence[Merchant], first: bool) -> bool:
    return first or any(merchant.takes_orders for merchant in merchants)
