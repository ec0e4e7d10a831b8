"""What is said about the refunds of a cancelled session."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.payments.cancelling.progress import Counts, Progress, is_reason

NOTHING = Counts(
    **dict.fromkeys([name for name in Counts.__slots__ if name != "lately_s"], 0),  # type: ignore[arg-type]
    lately_s=0.0,
)
some_counts = st.builds(
    Counts,
    **{name: st.integers(0, 10**7) for name in Counts.__slots__ if name != "lately_s"},
    lately_s=st.floats(0, 60),
)


def progress(counts: Counts = NOTHING, *, cancelled_ms: int | None = 1) -> Progress:
    return Progress(session_id="night", title="Night", cancelled_ms=cancelled_ms, reason="storm", counts=counts)


def counts(**some: float) -> Counts:
    fields = {name: getattr(NOTHING, name) for name in Counts.__slots__}
    return Counts(**{**fields, **some})


def test_a_session_that_sold_nothing_is_done_as_soon_as_it_is_cancelled() -> None:
    assert progress().done


def test_a_session_that_takes_place_is_never_done() -> None:
    assert not progress(cancelled_ms=None).done


@pytest.mark.parametrize("left", ["open", "undecided", "decided", "sent"])
def test_it_is_not_done_while_an_order_is_on_its_way(left: str) -> None:
    assert not progress(counts(**{left: 1})).done


def test_failed_refunds_do_not_keep_it_from_being_done() -> None:
    assert progress(counts(failed=1, succeeded=1)).done


def test_the_time_left_is_what_waits_at_the_pace_of_the_last_minute() -> None:
    found = progress(counts(undecided=100, decided=50, sent=50, lately=600, lately_s=60.0))
    assert (found.rate_per_s, found.left_s) == (10.0, 20.0)


def test_without_a_pace_the_time_left_is_unknown() -> None:
    assert progress(counts(sent=1, lately_s=60.0)).left_s is None


def test_it_is_said_in_plain_words() -> None:
    found = progress(
        counts(
            succeeded=1200,
            succeeded_fen=1_200_000_00,
            sent=300,
            sent_fen=300_000_00,
            failed=2,
            failed_fen=2_000_00,
            lately=60,
            lately_s=60.0,
        )
    )
    assert found.lines() == [
        "1,200 of 1,502 orders are refunded: ¥1,200,000.00 of ¥1,502,000.00.",
        "300 sent, WeChat is at it (¥300,000.00).",
        "2 failed and need a person (¥2,000.00).",
        "1.0 refunds a second; about 5 min left.",
    ]


@given(some_counts)
def test_every_order_and_every_fen_is_counted_once(found: Counts) -> None:
    document = progress(found).document()
    kinds = ("open", "undecided", "decided", "sent", "succeeded", "failed", "free")
    assert document["orders"] == sum(document[kind] for kind in kinds)
    assert document["fen"] == sum(document[f"{kind}_fen"] for kind in kinds if f"{kind}_fen" in document)


@pytest.mark.parametrize("text", ["storm", "台风，演出取消", "x" * 80])
def test_a_reason_that_wechat_shows_is_taken(text: str) -> None:
    assert is_reason(text)


@pytest.mark.parametrize("text", ["", " ", "x" * 81, "two\nlines", "tab\there", "emoji 🎫", "nul\0"])
def test_a_reason_that_wechat_would_not_show_is_not_taken(text: str) -> None:
    assert not is_reason(text)
