"""Where the roster keeps a place, and in which form."""

from hypothesis import given
from hypothesis import strategies as st

from engine.infra.keys import ROSTER_BUCKETS
from engine.line.joining.roster import FIELD_BYTES, INDEX_MAX, Kept, Roster, pack_kept, unpack_kept
from engine.line.place import Cohort

KEPT = st.builds(
    Kept,
    lane=st.integers(0, 7),
    cohort=st.sampled_from(Cohort),
    index=st.integers(0, INDEX_MAX),
    claimed=st.booleans(),
)


@given(KEPT)
def test_a_packed_place_reads_as_it_was(kept: Kept) -> None:
    assert unpack_kept(pack_kept(kept)) == kept


@given(KEPT)
def test_a_packed_place_is_exact_in_luas_numbers(kept: Kept) -> None:
    assert int(float(pack_kept(kept))) == pack_kept(kept)


@given(KEPT, KEPT)
def test_the_lobby_is_before_the_live_cohort_and_then_the_smaller_index(one: Kept, other: Kept) -> None:
    assert (one.order < other.order) == (
        one.cohort < other.cohort or (one.cohort == other.cohort and one.index < other.index)
    )


@given(st.binary(min_size=16, max_size=16))
def test_a_buyer_has_one_slot_in_every_process(buyer: bytes) -> None:
    assert Roster("spring").slot_of(buyer) == Roster("spring").slot_of(buyer)


def test_a_buyers_slots_in_two_sales_have_nothing_in_common() -> None:
    assert Roster("spring").slot_of(bytes(16))[1] != Roster("autumn").slot_of(bytes(16))[1]


def test_a_field_is_short_and_a_bucket_is_one_of_the_roster() -> None:
    bucket, field = Roster("spring").slot_of(b"%016d" % 7)
    assert len(field) == FIELD_BYTES
    assert 0 <= bucket < ROSTER_BUCKETS


def test_buyers_spread_evenly_over_the_buckets() -> None:
    roster, counts = Roster("spring"), [0] * ROSTER_BUCKETS
    for number in range(ROSTER_BUCKETS * 8):
        counts[roster.slot_of(b"%016d" % number)[0]] += 1
    assert max(counts) < 32  # eight on average; the sample is the same in every run


def test_the_slot_of_a_buyer_is_the_one_that_rosters_already_have() -> None:
    bucket, field = Roster("spring").slot_of(b"%016d" % 7)
    assert (bucket, field.hex()) == (13440, "16a99fbe9b33b437")


def test_every_epoch_has_keys_of_its_own() -> None:
    roster = Roster("spring")
    first, second = set(roster.keys(1)), set(roster.keys(2))
    assert len(first) == ROSTER_BUCKETS
    assert not first & second


def test_the_keys_of_a_sale_share_its_slot() -> None:
    assert all(b"{spring}" in key for key in Roster("spring").keys(1))
