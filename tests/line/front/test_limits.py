"""How often somebody may ask, and who that somebody is."""

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from engine.web.addresses import Addresses
from engine.web.buckets import Buckets

PROXIES = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8")]
addresses = Addresses(PROXIES)
gaps_s = st.lists(st.floats(min_value=0.0, max_value=3.0), max_size=80)


def buckets(*, rate_per_s: float = 2.0, burst_count: int = 10, keys_max: int = 100) -> Buckets[str]:
    return Buckets(rate_per_s=rate_per_s, burst_count=burst_count, keys_max=keys_max)


def test_a_burst_is_let_through_and_the_next_one_waits() -> None:
    of = buckets(burst_count=3)
    assert [of.take("ann", 100.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]


def test_whoever_waits_as_told_is_let_through() -> None:
    of = buckets(burst_count=1)
    of.take("ann", 100.0)
    wait_s = of.take("ann", 100.125)
    assert wait_s > 0.0
    assert of.take("ann", 100.125 + wait_s) == 0.0


def test_one_who_asks_too_often_does_not_slow_the_others() -> None:
    of = buckets(burst_count=1)
    of.take("ann", 100.0)
    assert of.take("ann", 100.0) > 0.0
    assert of.take("ben", 100.0) == 0.0


@given(gaps_s)
def test_no_more_than_the_burst_and_the_rate_are_ever_let_through(gaps: list[float]) -> None:
    of, now_s, taken_s = buckets(rate_per_s=2.0, burst_count=5), 1000.0, []
    for gap_s in gaps:
        now_s += gap_s
        if of.take("ann", now_s) == 0.0:
            taken_s.append(now_s)
    for first, began_s in enumerate(taken_s):
        for last, ended_s in enumerate(taken_s[first:], start=first):
            assert last - first + 1 <= 5 + 2.0 * (ended_s - began_s) + 1e-6


@given(st.lists(st.integers(min_value=0, max_value=500), max_size=400))
def test_memory_stays_bounded_whoever_asks(keys: list[int]) -> None:
    of: Buckets[int] = Buckets(rate_per_s=1.0, burst_count=1, keys_max=20)
    for at, key in enumerate(keys):
        of.take(key, float(at))
        assert len(of) <= 40


def test_a_bucket_outlives_one_change_of_generation() -> None:
    of = buckets(burst_count=1, keys_max=3)
    of.take("ann", 100.0)
    for other in ("ben", "cat", "dan"):
        of.take(other, 100.0)
    assert of.take("ann", 100.0) > 0.0


def test_a_stranger_is_the_peer_whatever_the_header_says() -> None:
    assert addresses.client("203.0.113.9", "198.51.100.1") == "203.0.113.9"


def test_behind_our_proxies_the_last_hop_that_is_not_ours_counts() -> None:
    assert addresses.client("10.0.0.1", "192.0.2.66, 198.51.100.7, 10.1.2.3") == "198.51.100.7"


def test_a_proxy_of_ours_that_names_nobody_has_no_address() -> None:
    assert addresses.client("10.0.0.1", None) is None


def test_a_hop_that_is_no_address_is_nobody() -> None:
    assert addresses.client("10.0.0.1", "198.51.100.7, <script>") is None


def test_one_person_with_many_ipv6_addresses_is_one_client() -> None:
    first = addresses.client("2001:db8:1:2::1", None)
    assert first == addresses.client("2001:db8:1:2:ffff::9", None)
    assert first != addresses.client("2001:db8:1:3::1", None)


def test_an_ipv4_client_on_an_ipv6_socket_is_the_same_client() -> None:
    assert addresses.client("::ffff:203.0.113.9", None) == addresses.client("203.0.113.9", None)


@given(st.text(max_size=200))
def test_any_header_at_all_can_be_read(forwarded: str) -> None:
    found = addresses.client("10.0.0.1", forwarded)
    assert found is None or "/" in found or ipaddress.ip_address(found)
