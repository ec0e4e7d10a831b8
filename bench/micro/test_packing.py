"""Packing a full batch for the reserve script, against writing the same as JSON."""

import msgpack
import orjson
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.micro.claims import fresh_claims

BATCH = 250


@pytest.mark.benchmark(group="a batch of 250 claims is packed")
def test_yardstick_the_same_as_json(benchmark: BenchmarkFixture) -> None:
    rows = [
        [
            claim.request_id.hex(),
            claim.body_digest.hex(),
            claim.buyer.hex(),
            claim.order_no,
            ["day1-floor", 1],
        ]
        for claim in fresh_claims(BATCH)
    ]
    benchmark(lambda: orjson.dumps([orjson.dumps(row).decode() for row in rows]))


@pytest.mark.benchmark(group="a batch of 250 claims is packed")
def test_pack_a_batch(benchmark: BenchmarkFixture) -> None:
    claims = fresh_claims(BATCH)
    benchmark(lambda: msgpack.packb([claim.pack() for claim in claims], use_bin_type=False))
