"""Points of a saturation curve."""

from hypothesis import given
from hypothesis import strategies as st

from loadtest.lab.searches.saturation import by_people, by_second
from loadtest.report.model import Timeline

seconds = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=40)


def timeline(rows: list[tuple[int, int, int]]) -> Timeline:
    """Rows of (arrivals, orders asked for, orders)."""
    return Timeline(
        t_s=[float(at) for at in range(len(rows))],
        goodput={"orders": [float(good) for *_, good in rows], "polls": [9.0] * len(rows)},
        offered={"orders": [float(asked) for _, asked, _ in rows], "polls": [9.0] * len(rows)},
        arrivals=[float(came) for came, *_ in rows],
        latency_ms={},
        stock={},
        line={},
        cpu={},
        memory_mib={},
        connections=[],
        redis_keys=[],
    )


@given(seconds)
def test_a_second_in_which_somebody_asked_is_a_point(rows: list[tuple[int, int, int]]) -> None:
    expected = sorted((float(asked), float(good)) for _, asked, good in rows if asked)
    assert by_second(timeline(rows))["orders"] == expected


@given(seconds)
def test_windows_of_one_second_are_seconds(rows: list[tuple[int, int, int]]) -> None:
    expected = sorted((float(came), float(good)) for came, _, good in rows if came)
    assert by_people(timeline(rows), window_s=1)["orders"] == expected


def test_a_window_is_a_mean() -> None:
    rows = [(10, 0, 4), (20, 0, 8), (60, 0, 30), (60, 0, 10)]
    assert by_people(timeline(rows), window_s=2)["orders"] == [(15.0, 6.0), (60.0, 20.0)]


def test_nobody_comes_for_polls() -> None:
    assert "polls" not in by_people(timeline([(1, 1, 1)] * 5))
