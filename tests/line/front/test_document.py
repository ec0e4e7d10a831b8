"""The line document: small, the same for everybody, and honest about what is not known."""

import gzip
from dataclasses import replace
from typing import Any

import orjson
import pytest

from engine.line.front.document import Band, LineDocument, band_of, write_document
from engine.line.front.turns import View
from engine.line.sight import Shelves
from tests.line.front.scenes import DRAWS_MS, LANES, LOBBY_OPENS_MS, OPENS_MS, SALE, lane, sight, view

BYTES_MAX = 600  # gzipped, for 3 lanes and 6 SKUs
BANDS = dict(zip((sku.sku_id for sku in SALE.skus), (*Band, Band.LOW, Band.HELD), strict=True))


def written(seen: View) -> dict[str, Any]:
    found = orjson.loads(write_document(seen, BANDS).body)
    assert isinstance(found, dict)
    return found


def busy() -> View:
    """A line of three lanes with numbers that do not compress well."""
    lanes = tuple(
        lane(head=517_309 + at, lobby=803_921 + at * 7, tail=194_387 + at * 13, gap_from=91_837, gap_to=101_837 + at)
        for at in range(3)
    )
    seen = sight(*lanes, now_ms=1_803_873_605_119, shelves=Shelves(free=0, held=731, sold=4_269), held_until_ms=1)
    sale = replace(SALE, lanes=LANES, opens_ms=1_803_873_600_000, closes_ms=1_804_478_400_000)
    return view(replace(seen, held_until_ms=1_803_874_020_000), sale=sale)


def test_three_lanes_and_six_skus_fit_in_six_hundred_bytes() -> None:
    assert len(gzip.compress(write_document(busy(), BANDS).body)) <= BYTES_MAX


def test_everything_that_a_waiting_buyer_needs_is_there() -> None:
    found = written(busy())
    assert (found["v"], found["phase"], found["control"], found["health"]) == (2, "live", "open", "ok")
    assert [one["id"] for one in found["lanes"]] == ["public", "member", "presale"]
    assert found["lanes"][1]["tail"] == 803_928 + 194_400
    assert found["held_until_ms"] == 1_803_874_020_000
    assert [one["band"] for one in found["stock"]] == ["plenty", "low", "held", "none", "low", "held"]


def test_a_gap_is_told_until_the_head_has_passed_it() -> None:
    before, behind = lane(gap_from=10, gap_to=60), lane(gap_from=10, gap_to=60, head=200)
    assert written(view(sight(before)))["lanes"][0]["gap"] == [110, 160]
    assert "gap" not in written(view(sight(behind)))["lanes"][0]


def test_before_the_draw_nobody_is_told_how_far_the_units_reach() -> None:
    seen = sight(lane(seed=b"", head=0, tail=0), drawn=False, now_ms=DRAWS_MS - 1)
    found = written(view(seen))
    assert (found["phase"], found["lanes"][0]["lobby"], found["lanes"][0]["reach"]) == ("lobby", 100, None)


@pytest.mark.parametrize(
    ("now_ms", "phase"),
    [(LOBBY_OPENS_MS - 1, "draft"), (LOBBY_OPENS_MS, "lobby"), (DRAWS_MS, "sealed"), (OPENS_MS, "sealed")],
)
def test_no_line_goes_live_without_its_draw(now_ms: int, phase: str) -> None:
    assert written(view(sight(lane(seed=b""), drawn=False, now_ms=now_ms)))["phase"] == phase


def test_a_worker_in_doubt_says_so() -> None:
    assert written(view(sight(), doubtful=True))["health"] == "degraded"


def test_a_worker_that_never_saw_the_line_tells_no_lanes() -> None:
    found = written(view(None, doubtful=True))
    assert (found["health"], found["lanes"]) == ("degraded", [])


def test_a_pause_is_told_as_redis_has_it() -> None:
    assert written(view(sight(paused=True)))["control"] == "paused"
    assert written(view(sight(), sale=replace(SALE, paused=True)))["control"] == "open"


def test_the_tag_changes_with_every_byte_and_the_gist_with_more_than_the_time() -> None:
    def document(**facts: Any) -> LineDocument:
        return write_document(view(sight(**facts)), BANDS)

    now_ms = sight().now_ms
    first, later, moved = document(), document(now_ms=now_ms + 250), document(shelves=Shelves(free=0, held=9))
    assert first.etag != later.etag
    assert first.gist == later.gist
    assert first.gist != moved.gist


@pytest.mark.parametrize(
    ("free", "held", "band"),
    [(50, 0, Band.PLENTY), (9, 0, Band.LOW), (0, 1, Band.HELD), (-2, 2, Band.HELD), (0, 0, Band.NONE)],
)
def test_the_band_of_a_sku(free: int, held: int, band: Band) -> None:
    assert band_of(capacity=100, free=free, held=held) is band
