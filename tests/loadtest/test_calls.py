"""When the document called whom, as the crowd remembers it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.crowd.calls import Calls
from loadtest.crowd.line import Lane


def lane(head: int) -> Lane:
    return Lane(head=head, lobby=0, end=head, rate_per_s=0.0)


@pytest.fixture
def calls() -> Calls:
    """The head stood at 0, 10, 10, 8 (an older copy) and 30 at the seconds 0 to 4."""
    calls = Calls()
    for second, head in enumerate((0, 10, 10, 8, 30)):
        calls.note({"public": lane(head)}, at_s=float(second))
    return calls


@pytest.mark.parametrize(("position", "second"), [(0, 1.0), (9, 1.0), (10, 4.0), (29, 4.0)])
def test_a_position_is_called_when_the_head_first_passes_it(calls: Calls, position: int, second: float) -> None:
    assert calls.when_s("public", position) == second


@pytest.mark.parametrize(("span_s", "count"), [(0.5, 20), (3.0, 30)])
def test_the_most_that_were_called_within_a_span(calls: Calls, span_s: float, count: int) -> None:
    assert calls.most_within(span_s) == count


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 30)), max_size=12), st.integers(0, 20))
def test_the_most_within_a_span_is_that_of_trying_every_span(steps: list[tuple[int, int]], span_s: int) -> None:
    calls, head, at_s, risen = Calls(), 0, 0, []
    for pause_s, rise in steps:
        head, at_s = head + rise, at_s + pause_s
        calls.note({"public": lane(head)}, at_s=float(at_s))
        risen.append((at_s, rise))
    slow = [sum(rise for at, rise in risen if end - span_s <= at <= end) for end, _ in risen]

    assert calls.most_within(span_s) == max(slow, default=0)
