"""Seals: what one key signed for one purpose opens again, and nothing else does."""

from hypothesis import given
from hypothesis import strategies as st

from engine.infra.seals import Opened, Purpose, SealKeys, SealRefusal
from engine.line.place import Cohort, Pass, Place, read_pass, read_place, seal_pass, seal_place

KEYS = SealKeys({1: b"first secret of the tests........", 2: b"second secret of the tests......."}, current=2)
ANN, BOB = b"a" * 16, b"b" * 16
ANNS_PASS = Pass(ANN, "spring", 2, 7, b"nonce--1")
NOW_S, LATER_S = 1_000, 2_000


@given(payload=st.binary(max_size=200))
def test_a_seal_opens_to_what_was_sealed(payload: bytes) -> None:
    sealed = KEYS.seal(Purpose.BUYER, payload, expires_s=LATER_S)
    assert KEYS.open(Purpose.BUYER, sealed, now_s=NOW_S) == Opened(payload, LATER_S)


@given(at=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_a_seal_with_any_byte_changed_is_forged(at: int, flip: int) -> None:
    sealed = KEYS.seal(Purpose.BUYER, ANN, expires_s=LATER_S).encode()
    at %= len(sealed)
    changed = (sealed[:at] + bytes([sealed[at] ^ flip]) + sealed[at + 1 :]).decode("latin-1")
    opened = KEYS.open(Purpose.BUYER, changed, now_s=NOW_S)
    # The last character has spare bits: changing only those leaves the same bytes, and so the same seal.
    assert opened is SealRefusal.FORGED or opened == Opened(ANN, LATER_S)


@given(text=st.text(max_size=600))
def test_no_text_at_all_breaks_the_reader(text: str) -> None:
    assert KEYS.open(Purpose.PASS, text, now_s=NOW_S) is SealRefusal.FORGED


def test_a_seal_expires() -> None:
    sealed = KEYS.seal(Purpose.PASS, ANN, expires_s=LATER_S)
    assert KEYS.open(Purpose.PASS, sealed, now_s=LATER_S) is SealRefusal.EXPIRED


def test_a_seal_of_one_purpose_is_a_forgery_for_another() -> None:
    sealed = KEYS.seal(Purpose.BUYER, ANN, expires_s=LATER_S)
    assert KEYS.open(Purpose.PASS, sealed, now_s=NOW_S) is SealRefusal.FORGED


def test_a_seal_of_the_former_key_is_still_read_and_one_of_a_dropped_key_is_not() -> None:
    former = SealKeys({1: b"first secret of the tests........"}, current=1)
    sealed = former.seal(Purpose.BUYER, ANN, expires_s=LATER_S)
    dropped = SealKeys({2: b"second secret of the tests......."}, current=2)
    assert KEYS.open(Purpose.BUYER, sealed, now_s=NOW_S) == Opened(ANN, LATER_S)
    assert dropped.open(Purpose.BUYER, sealed, now_s=NOW_S) is SealRefusal.FORGED


def test_a_seal_of_an_unknown_version_is_forged() -> None:
    assert KEYS.open(Purpose.BUYER, "AgI" + "A" * 60, now_s=NOW_S) is SealRefusal.FORGED


def test_a_place_is_read_by_its_buyer_in_its_sale_only() -> None:
    place = Place(ANN, "spring", 2, Cohort.LOBBY, 7, 41)
    sealed = seal_place(KEYS, place, expires_s=LATER_S)
    assert read_place(KEYS, sealed, ANN, "spring", now_s=NOW_S) == place
    assert read_place(KEYS, sealed, BOB, "spring", now_s=NOW_S) is None
    assert read_place(KEYS, sealed, ANN, "autumn", now_s=NOW_S) is None


def test_a_pass_is_read_by_its_buyer_in_its_sale_until_it_expires() -> None:
    sealed = seal_pass(KEYS, ANNS_PASS, expires_s=LATER_S)
    assert read_pass(KEYS, sealed, ANN, "spring", now_s=NOW_S) == ANNS_PASS
    assert read_pass(KEYS, sealed, BOB, "spring", now_s=NOW_S) is None
    assert read_pass(KEYS, sealed, ANN, "autumn", now_s=NOW_S) is None
    assert read_pass(KEYS, sealed, ANN, "spring", now_s=LATER_S) is None


def test_a_place_is_not_a_pass() -> None:
    sealed = seal_place(KEYS, Place(ANN, "spring", 0, Cohort.LIVE, 1, 0), expires_s=LATER_S)
    assert read_pass(KEYS, sealed, ANN, "spring", now_s=NOW_S) is None
