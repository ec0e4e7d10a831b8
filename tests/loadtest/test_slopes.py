"""Flat or not: what the samples of a soak run say about memory, connections, latency and keys.

The rule is statistical: one flat series in a hundred may look steeper than it is. So the examples are the same in
every run.
"""

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from loadtest.slopes import SAMPLES_MIN, Bound, Samples, Slope, judge

MEAN = 400.0
HOUR_S = 3600.0

same_examples = settings(derandomize=True, max_examples=60)
durations_s = st.sampled_from([900.0, 1800.0, 3600.0])
counts = st.integers(min_value=120, max_value=600)
seeds = st.integers(min_value=0, max_value=10**6)
bounds = st.floats(min_value=0.02, max_value=0.5)


def sampled(value_at: Callable[[float], float], *, duration_s: float, count: int = 300) -> Samples:
    return [(at * duration_s / count, value_at(at * duration_s / count)) for at in range(count)]


def noisy(seed: int, *, noise: float, per_hour: float = 0.0) -> Callable[[float], float]:
    """A series around its mean, with noise of this share of it, which grows by this share of it an hour."""
    luck = random.Random(seed)
    return lambda t_s: MEAN * (1 + per_hour * t_s / HOUR_S + luck.gauss(0, noise))


def verdict(samples: Samples, share: float = 0.05, *, absolute: float = 0.0, unit: str = "") -> Slope:
    bound = Bound(name="memory", per_hour_share_max=share, absolute_per_hour_max=absolute, unit=unit)
    return judge({"memory": samples}, [bound])[0]


@same_examples
@given(seed=seeds, duration_s=durations_s, count=counts, share=bounds)
def test_a_flat_series_passes_with_the_noise_that_its_length_allows(
    seed: int, duration_s: float, count: int, share: float
) -> None:
    noise = 0.02 * share * (duration_s / HOUR_S) * count**0.5
    assert verdict(sampled(noisy(seed, noise=noise), duration_s=duration_s, count=count), share).holds


@same_examples
@given(
    seed=seeds, duration_s=durations_s, count=counts, share=bounds, noise=st.floats(0.0, 0.5), over=st.floats(1.1, 20.0)
)
def test_a_leak_above_the_bound_never_passes_whatever_the_noise(
    seed: int, duration_s: float, count: int, share: float, noise: float, over: float
) -> None:
    """The share counts from the mean, and a leak raises that too: what matters is what the mean ends up as."""
    leak = share * over
    assume(leak > 1.1 * share * (1 + leak * duration_s / HOUR_S))
    leaking = sampled(noisy(seed, noise=noise, per_hour=leak), duration_s=duration_s, count=count)
    assert not verdict(leaking, share).holds


@same_examples
@given(seed=seeds, duration_s=durations_s, count=counts, share=bounds)
def test_a_leak_in_little_noise_is_called_one(seed: int, duration_s: float, count: int, share: float) -> None:
    noise = 0.01 * share * (duration_s / HOUR_S) * count**0.5
    leaking = sampled(noisy(seed, noise=noise, per_hour=2 * share), duration_s=duration_s, count=count)
    assert verdict(leaking, share).words.startswith("memory grows by")


@settings(same_examples, max_examples=25)
@given(
    teeth=st.integers(min_value=40, max_value=70),
    height=st.floats(min_value=0.01, max_value=0.2),
    phase=st.floats(min_value=0.0, max_value=1.0),
)
def test_a_saw_of_many_teeth_is_flat(teeth: int, height: float, phase: float) -> None:
    def saw(t_s: float) -> float:
        return MEAN * (1 + height * ((t_s / 900 * teeth + phase) % 1))

    assert verdict(sampled(saw, duration_s=900, count=900), 0.10).holds


@same_examples
@given(teeth=st.integers(min_value=40, max_value=70), height=st.floats(0.01, 0.2), leak=st.floats(0.25, 2.0))
def test_a_leak_under_a_saw_is_found(teeth: int, height: float, leak: float) -> None:
    def saw(t_s: float) -> float:
        return MEAN * (1 + leak * t_s / HOUR_S + height * ((t_s / 900 * teeth) % 1))

    assert not verdict(sampled(saw, duration_s=900), 0.10).holds


@given(value=st.floats(min_value=-1e6, max_value=1e6), duration_s=durations_s, count=counts)
def test_a_constant_series_passes_even_when_nothing_may_grow(value: float, duration_s: float, count: int) -> None:
    assert verdict(sampled(lambda _: value, duration_s=duration_s, count=count), 0.0).holds


@same_examples
@given(seed=seeds, fall=st.floats(min_value=0.1, max_value=0.9))
def test_a_series_that_falls_passes(seed: int, fall: float) -> None:
    assert verdict(sampled(noisy(seed, noise=0.001, per_hour=-fall), duration_s=HOUR_S)).holds


@same_examples
@given(seed=seeds, factor=st.floats(min_value=1e-3, max_value=1e6))
def test_the_unit_of_a_series_changes_no_verdict(seed: int, factor: float) -> None:
    samples = sampled(noisy(seed, noise=0.01, per_hour=0.05), duration_s=HOUR_S)
    scaled = [(t_s, value * factor) for t_s, value in samples]
    assert verdict(scaled).holds == verdict(samples).holds


@same_examples
@given(seed=seeds)
def test_the_order_in_which_samples_come_changes_nothing(seed: int) -> None:
    samples = list(sampled(noisy(seed, noise=0.01), duration_s=HOUR_S))
    shuffled = random.Random(seed).sample(samples, len(samples))
    assert verdict(shuffled) == verdict(samples)


@given(count=st.integers(min_value=0, max_value=SAMPLES_MIN - 1))
def test_too_few_samples_are_no_pass_and_say_so(count: int) -> None:
    found = verdict(sampled(lambda _: MEAN, duration_s=HOUR_S, count=count))
    assert (found.holds, "too few" in found.words) == (False, True)


def test_samples_of_the_warm_up_do_not_count_as_samples() -> None:
    found = verdict(sampled(lambda _: MEAN, duration_s=HOUR_S, count=SAMPLES_MIN + 5))
    assert (found.holds, "too few" in found.words) == (False, True)


def test_samples_of_one_moment_are_no_pass() -> None:
    assert not verdict([(7.0, MEAN)] * 100).holds


def test_what_fills_up_during_the_warm_up_is_flat() -> None:
    filling = sampled(lambda t_s: MEAN * min(1.0, 0.2 + t_s / 600), duration_s=HOUR_S)
    assert verdict(filling).holds


def test_what_fills_up_after_the_warm_up_is_not() -> None:
    filling = sampled(lambda t_s: MEAN * min(1.0, 0.2 + t_s / 3000), duration_s=HOUR_S)
    assert not verdict(filling).holds


def test_a_lone_spike_is_no_slope() -> None:
    samples = list(sampled(lambda _: MEAN, duration_s=HOUR_S))
    samples[-20] = (samples[-20][0], MEAN * 100)
    assert verdict(samples, 0.0).per_hour == 0.0


def test_a_flat_series_that_swings_slowly_is_no_pass_and_asks_for_a_longer_run() -> None:
    swinging = sampled(lambda t_s: MEAN * (1 - 0.1 * math.cos(t_s / 60)), duration_s=900)
    found = verdict(swinging)
    assert (found.holds, "longer run" in found.words) == (False, True)


def test_a_leak_of_whole_connections_is_found() -> None:
    leaking = sampled(lambda t_s: 40.0 + t_s // 300, duration_s=1800)
    assert not verdict(leaking).holds


def test_a_small_series_may_grow_by_its_absolute_bound() -> None:
    samples = sampled(lambda t_s: 4 + t_s / HOUR_S, duration_s=HOUR_S)
    assert [verdict(samples).holds, verdict(samples, absolute=2).holds] == [False, True]


def test_the_words_tell_growth_share_and_bound() -> None:
    samples = sampled(lambda t_s: MEAN + 12 * t_s / HOUR_S, duration_s=HOUR_S)
    assert verdict(samples, unit="MB").words == "memory grows by 12 MB an hour: 2.95 % of its mean; allowed 5 %"


def test_the_words_tell_an_absolute_bound_where_it_allows_more() -> None:
    samples = sampled(lambda t_s: 4 + t_s / HOUR_S, duration_s=HOUR_S)
    words = verdict(samples, absolute=2, unit="connections").words
    assert words == "memory grows by 1 connections an hour: 21.7 % of its mean; allowed 2 connections"


def test_every_series_is_judged_by_the_first_bound_that_names_it() -> None:
    growing = sampled(lambda t_s: MEAN * (1 + 0.2 * t_s / HOUR_S), duration_s=HOUR_S)
    series = {"web-0 memory": growing, "redis memory": growing}
    named = [Bound(name="web-* memory", per_hour_share_max=0.05), Bound(name="* memory", per_hour_share_max=0.5)]
    assert {found.name: found.holds for found in judge(series, named)} == {"web-0 memory": False, "redis memory": True}


def test_a_bound_without_a_series_is_no_pass() -> None:
    found = judge({}, [Bound(name="redis keys", per_hour_share_max=0.05)])
    assert [(one.name, one.holds) for one in found] == [("redis keys", False)]


def test_a_series_without_a_bound_is_refused() -> None:
    with pytest.raises(ValueError, match="'redis keys'"):
        judge({"redis keys": [(0.0, 1.0)]}, [])


@pytest.mark.parametrize("sample", [(0.0, float("nan")), (float("inf"), 1.0)])
def test_a_sample_that_is_no_number_is_refused(sample: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="memory"):
        verdict([sample])


def test_a_negative_bound_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        Bound(name="memory", per_hour_share_max=-0.1)
