"""Who plays whom, and from when: the terms of a round."""

from itertools import islice

import msgpack
from hypothesis import given
from hypothesis import strategies as st

from loadtest.locusts.terms import LATECOMERS, Terms, beginning
from loadtest.profiles.casting import MEMBERS_LISTED, cast
from loadtest.profiles.loading import load

STORY = load("concert-drop", changes={"scale.people": 0.001})
WORKERS = st.integers(1, 9)


def terms(workers: int) -> Terms:
    return Terms(
        number=1,
        profile=STORY.model_dump(mode="json"),
        pace=None,
        fans_seed=7,
        public_url="http://127.0.0.1:1",
        wechat_url="http://127.0.0.1:2",
        sale="concert",
        admin_urls=("http://127.0.0.1:3",),
        admin_key="k",
        organizer="looks",
        curve_ms=1_000_000,
        lobby=1.0,
        ranks={f"worker-{n}": n for n in range(workers)},
    )


def test_terms_survive_the_way_to_a_worker() -> None:
    ours = terms(3)
    assert Terms.unpacked(msgpack.unpackb(msgpack.packb(ours.packed()))) == ours


@given(WORKERS)
def test_no_two_workers_draw_the_same_person(workers: int) -> None:
    ours = terms(workers)
    drawn = [list(islice(ours.numbers(worker, index=99), 50)) for worker in ours.ranks]
    drawn.append(list(islice(ours.numbers("a latecomer", index=workers), 50)))
    drawn.append(list(islice(ours.numbers("another", index=workers + 1), 50)))
    everybody = [number for numbers in drawn for number in numbers]
    assert len(everybody) == len(set(everybody))


@given(WORKERS)
def test_the_listed_members_are_divided_among_the_workers(workers: int) -> None:
    ours = terms(workers)
    assert sorted(number for worker in ours.ranks for number in ours.fans(worker)) == list(range(MEMBERS_LISTED))


@given(WORKERS)
def test_the_people_of_an_open_curve_are_divided_among_the_workers(workers: int) -> None:
    ours, everybody = terms(workers), cast(STORY)
    parts = [one for worker in ours.ranks for one in ours.part(everybody, worker)]
    assert sorted(one.openid for one in parts) == sorted(one.openid for one in everybody)


def test_a_worker_that_came_late_has_no_part_and_no_members() -> None:
    ours = terms(2)
    assert (list(ours.part(cast(STORY), "late")), list(ours.fans("late"))) == ([], [])
    assert next(ours.numbers("late", index=4)) == 5 * LATECOMERS


def test_a_sale_that_opens_later_gives_the_moment() -> None:
    assert beginning(now_ms=100_000, opens_ms=130_000, lobby_s=20) == (130_000, 1.0)


def test_a_lobby_that_is_shorter_than_the_storys_is_denser() -> None:
    assert beginning(now_ms=100_000, opens_ms=105_000, lobby_s=20) == (105_000, 0.25)


def test_a_sale_that_is_open_sees_the_gathering_from_now_on() -> None:
    assert beginning(now_ms=100_000, opens_ms=99_000, lobby_s=20) == (120_000, 1.0)


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.floats(0, 3600))
def test_nobody_is_to_come_before_now(now_ms: int, opens_ms: int, lobby_s: float) -> None:
    curve_ms, lobby = beginning(now_ms=now_ms, opens_ms=opens_ms, lobby_s=lobby_s)
    assert curve_ms - lobby_s * lobby * 1000 >= now_ms - 1
