"""Checking a seal, against the one hash that it cannot do without."""

from hashlib import blake2b

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from engine.infra.seals import MAC_BYTES, Opened, Purpose, SealKeys

NOW_S = 1_800_000_000
PAYLOAD = b"b" * 16


@pytest.mark.benchmark(group="a seal is checked")
def test_yardstick_one_keyed_hash(benchmark: BenchmarkFixture) -> None:
    key, body = b"k" * 32, b"\1\0" + NOW_S.to_bytes(4, "big") + PAYLOAD
    person = Purpose.BUYER.value
    benchmark(lambda: blake2b(body, key=key, digest_size=MAC_BYTES, person=person).digest())


@pytest.mark.benchmark(group="a seal is checked")
def test_open_a_seal(benchmark: BenchmarkFixture) -> None:
    keys = SealKeys({0: b"k" * 32}, 0)
    text = keys.seal(Purpose.BUYER, PAYLOAD, expires_s=NOW_S + 60)
    opened = benchmark(lambda: keys.open(Purpose.BUYER, text, now_s=NOW_S))
    assert isinstance(opened, Opened)
