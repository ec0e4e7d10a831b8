"""The Authorization header: which refusal, and that the first failing check names it."""

import time

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from engine.simulator.keys import crypto
from engine.simulator.pay.refusals import Refusal
from engine.simulator.processes.authorization import (
    MALFORMED,
    SCHEME,
    TOO_OLD,
    UNKNOWN_SERIAL,
    UNREADABLE,
    Merchant,
    check,
)

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SERIAL = "A" * 40
MERCHANT = Merchant(
    mchid="1900000001",
    appids=frozenset(("wx1",)),
    certificate_serial=SERIAL,
    public_key=KEY.public_key(),
    cipher=AESGCM(b"k" * 32),
)
NOW_S = 1_700_000_000
TARGET = "/v3/pay/transactions/out-trade-no/T%7C1?mchid=1900000001"
BODY = '{"说明":"票"}'.encode()


def header(**changed: str) -> str:
    pairs = {
        "mchid": MERCHANT.mchid,
        "nonce_str": "0123456789abcdef",
        "timestamp": str(NOW_S),
        "serial_no": SERIAL,
    } | changed
    if "signature" not in pairs:
        message = crypto.request_message(
            method="POST", target=TARGET, timestamp=pairs["timestamp"], nonce=pairs["nonce_str"], body=BODY
        )
        pairs["signature"] = crypto.sign(KEY, message)
    return f"{SCHEME} " + ",".join(f'{name}="{value}"' for name, value in pairs.items())


def outcome(
    value: str | None, *, target: str = TARGET, body: bytes = BODY, transactions: bool = False
) -> Merchant | Refusal:
    found = check(
        value,
        {MERCHANT.mchid: MERCHANT},
        method="POST",
        target=target,
        body=body,
        now_s=NOW_S,
        transactions=transactions,
    )
    return found if isinstance(found, Refusal) else found[0]


def test_a_right_header_names_its_merchant() -> None:
    assert outcome(header()) is MERCHANT


def test_pairs_may_come_in_any_order() -> None:
    scheme, pairs = header().split(" ")
    assert outcome(f"{scheme} " + ",".join(reversed(pairs.split(",")))) is MERCHANT


@pytest.mark.parametrize(
    "value",
    [
        "",
        SCHEME,
        header().replace('",', '", '),
        header().replace(" ", "  "),
        header().replace('"', "'"),
        header() + ",",
        header() + ',mchid="1900000001"',
        header().replace("nonce_str", "mchid"),
        header(nonce_str=""),
        header().replace(f'timestamp="{NOW_S}"', 'timestamp="soon"'),
        header().replace(f'timestamp="{NOW_S}"', 'timestamp="-1"'),
        header().replace("WECHATPAY2-SHA256-RSA2048", "wechatpay2-sha256-rsa2048"),
    ],
)
def test_a_header_of_another_format_is_malformed(value: str) -> None:
    assert outcome(value) == MALFORMED


@pytest.mark.parametrize("value", [None, "Bearer x", ""])
def test_a_foreign_scheme_has_its_own_message_under_transactions(value: str | None) -> None:
    assert outcome(value, transactions=True) == UNREADABLE


def test_a_broken_header_of_our_scheme_is_malformed_under_transactions() -> None:
    assert outcome(f"{SCHEME} x", transactions=True) == MALFORMED


@pytest.mark.parametrize("age_s", [-301, 301])
def test_a_timestamp_more_than_five_minutes_away_is_refused(age_s: int) -> None:
    assert outcome(header(timestamp=str(NOW_S + age_s))) == TOO_OLD


@pytest.mark.parametrize("age_s", [-300, 300])
def test_a_timestamp_five_minutes_away_is_accepted(age_s: int) -> None:
    assert outcome(header(timestamp=str(NOW_S + age_s))) is MERCHANT


@pytest.mark.parametrize("changed", [{"serial_no": "B" * 40}, {"mchid": "1900000002"}])
def test_an_unknown_serial_or_merchant_is_refused(changed: dict[str, str]) -> None:
    assert outcome(header(**changed)) == UNKNOWN_SERIAL


@pytest.mark.parametrize(
    ("changed", "target", "body"),
    [
        ({"signature": "AAAA"}, TARGET, BODY),
        ({"signature": "not base64!"}, TARGET, BODY),
        ({"signature": "WECHATPAY/SIGNTEST/AAAA"}, TARGET, BODY),
        ({}, TARGET.replace("%7C", "|"), BODY),
        ({}, TARGET, BODY + b" "),
    ],
)
def test_a_signature_over_anything_but_the_raw_request_is_refused(
    changed: dict[str, str], target: str, body: bytes
) -> None:
    refusal = outcome(header(**changed), target=target, body=body)
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.code, refusal.message) == (401, "SIGN_ERROR", "签名错误")


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"nonce_str": "", "timestamp": "1", "serial_no": "B", "signature": "AAAA"}, MALFORMED),
        ({"timestamp": "1", "serial_no": "B", "signature": "AAAA"}, TOO_OLD),
        ({"serial_no": "B", "signature": "AAAA"}, UNKNOWN_SERIAL),
    ],
)
def test_the_first_failing_check_names_the_error(changed: dict[str, str], expected: Refusal) -> None:
    assert outcome(header(**changed)) == expected


def test_checking_reads_no_clock() -> None:
    assert abs(time.time() - NOW_S) > 300
    assert outcome(header()) is MERCHANT
