"""Forged seals: none of them opens, and all of them differ from what they were made of."""

import random

from hypothesis import given
from hypothesis import strategies as st

from engine.infra.seals import Opened, Purpose, SealKeys
from loadtest.crowd.bots.forgeries import decoded, encoded, forgery

KEYS = SealKeys({1: b"k" * 32}, 1)
PAYLOADS = st.binary(min_size=1, max_size=80)


@given(PAYLOADS, PAYLOADS, st.integers(0, 1 << 32))
def test_no_forged_place_opens(payload: bytes, other: bytes, seed: int) -> None:
    place = KEYS.seal(Purpose.PLACE, payload, expires_s=1000)
    admission = KEYS.seal(Purpose.PASS, other, expires_s=1000)

    forged = forgery(place, random.Random(seed), other=admission)

    assert not isinstance(KEYS.open(Purpose.PLACE, forged, now_s=10), Opened)


@given(PAYLOADS, st.integers(0, 1 << 32))
def test_a_forgery_is_not_the_same_bytes_written_otherwise(payload: bytes, seed: int) -> None:
    place = KEYS.seal(Purpose.PLACE, payload, expires_s=1000)

    forged = forgery(place, random.Random(seed))

    assert decoded(forged) != decoded(place)


@given(st.binary(max_size=100))
def test_what_is_encoded_is_decoded_again(raw: bytes) -> None:
    assert decoded(encoded(raw)) == raw
