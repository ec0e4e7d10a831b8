"""A sale file is read whole or refused whole, and each refusal says where and why."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.catalog import bounds
from engine.catalog.records import RefundTier
from engine.catalog.refusals import Problem, SaleFileInvalid
from engine.catalog.sale_file import opening_at, parse_sale_file, read_sale_file
from tests.catalog.texts import PATH, VALID, sale_file, spoilt

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def refusals(text: str) -> tuple[Problem, ...]:
    with pytest.raises(SaleFileInvalid) as caught:
        parse_sale_file(text, PATH)
    return caught.value.problems


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def test_a_valid_file_gives_its_records() -> None:
    found = sale_file()

    assert [event.event_id for event in found.events] == ["gig"]
    assert [(session.session_id, session.event_id) for session in found.sessions] == [("sat", "gig")]
    assert [(sku.sku_id, sku.session_id, sku.capacity) for sku in found.skus] == [
        ("floor", "sat", 300),
        ("stand", "sat", 450),
    ]
    assert [sale.sale_id for sale in found.sales] == ["drop", "later"]


def test_a_sale_keeps_the_order_of_its_skus() -> None:
    assert [sku.sku_id for sku in sale_file().sales[0].skus] == ["stand", "floor"]


def test_a_time_without_offset_is_local_to_the_time_zone() -> None:
    assert sale_file().sales[0].opens_ms == ms("2027-03-01T12:00:00+08:00")


def test_a_time_with_offset_means_itself() -> None:
    found = sale_file(("opens_at = 2027-03-01T12:00:00", "opens_at = 2027-03-01T12:00:00+01:00"))

    assert found.sales[0].opens_ms == ms("2027-03-01T12:00:00+01:00")


def test_a_file_of_offsets_alone_needs_no_time_zone() -> None:
    text = VALID.replace('time_zone = "Asia/Shanghai"\n', "").replace("00:00", "00:00Z").replace("30:00", "30:00Z")

    found = parse_sale_file(text, PATH)

    assert found.sales[0].time_zone == "UTC"
    assert found.sales[0].opens_ms == ms("2027-03-01T12:00:00+00:00")


def test_a_lane_is_public_unless_named() -> None:
    assert [lane.lane_id for lane in sale_file().sales[0].lanes] == ["public"]


FLOOR = "events.gig.sessions.sat.skus.floor"

# Each row: what is spoilt, then the one refusal: key, line, and a part of the reason.
TABLE: list[tuple[str, tuple[str, str], str, int, str]] = [
    ("end before start", ("2027-03-08T12", "2027-02-08T12"), "sales.drop.closes_at", 31, "not after opens_at"),
    ("end at start", ("2027-03-08T12", "2027-03-01T12"), "sales.drop.closes_at", 31, "not after opens_at"),
    ("two skus of one id", ('"stand"\ntitle', '"floor"\ntitle'), f"{FLOOR}.id", 20, "line 12"),
    ("two sales of one id", ('"later"', '"drop"'), "sales.drop.id", 37, "taken by the sale of line 26"),
    ("unknown sku", ('["stand", ', '["stnad", '), "sales.drop.skus", 29, "'stnad', which no session"),
    ("sku named twice", ('["stand", ', '["floor", '), "sales.drop.skus", 29, "'floor' twice"),
    (
        "sku twice at once",
        ("= 2027-03-08T12:00:00\nclose", "= 2027-03-07T12:00:00\nclose"),
        "sales.later.skus",
        39,
        "'drop' offers it, too",
    ),
    ("no skus", ('["stand", "floor"]', "[]"), "sales.drop.skus", 29, "at least 1"),
    ("negative capacity", ("capacity = 300", "capacity = -1"), f"{FLOOR}.capacity", 16, "-1"),
    (
        "huge capacity",
        ("capacity = 300", f"capacity = {bounds.CAPACITY_MAX + 1}"),
        f"{FLOOR}.capacity",
        16,
        "less than or equal",
    ),
    ("capacity as text", ("capacity = 300", 'capacity = "300"'), f"{FLOOR}.capacity", 16, "whole number"),
    ("capacity as fraction", ("capacity = 300", "capacity = 300.0"), f"{FLOOR}.capacity", 16, "whole number"),
    ("capacity as truth", ("capacity = 300", "capacity = true"), f"{FLOOR}.capacity", 16, "whole number"),
    (
        "a price below nothing",
        ("price_fen = 88000", "price_fen = -1"),
        f"{FLOOR}.price_fen",
        15,
        "greater than or equal to 0",
    ),
    (
        "price too high",
        ("price_fen = 88000", f"price_fen = {bounds.PRICE_FEN_MAX + 1}"),
        f"{FLOOR}.price_fen",
        15,
        "less than or equal",
    ),
    (
        "no unit per order",
        ("per_order_max = 4", "per_order_max = 0"),
        f"{FLOOR}.per_order_max",
        17,
        "greater than or equal to 1",
    ),
    (
        "no unit per buyer",
        ("per_buyer_max = 6", "per_buyer_max = 0"),
        "sales.drop.per_buyer_max",
        33,
        "greater than or equal to 1",
    ),
    ("no hold", ("hold_s = 600", "hold_s = 0"), "sales.drop.hold_s", 32, "greater than or equal to 1"),
    (
        "a line that stands still",
        ("line_rate = 400", "line_rate = 0"),
        "sales.drop.line_rate",
        34,
        "greater than or equal to 1",
    ),
    ("id in capitals", ('id = "sat"', 'id = "Sat"'), "events.gig.sessions.Sat.id", 8, "1 to 48"),
    ("id too long", ('id = "sat"', f'id = "{"s" * 49}"'), f"events.gig.sessions.{'s' * 49}.id", 8, "1 to 48"),
    ("id with a line end", ('id = "sat"', 'id = "sat\\n"'), "events.gig.sessions.sat\n.id", 8, "1 to 48"),
    ("empty title", ('title = "Gig"', 'title = ""'), "events.gig.title", 5, "at least 1"),
    ("title of two lines", ('title = "Gig"', 'title = "Gi\\ng"'), "events.gig.title", 5, "one line"),
    ("title with a NUL", ('title = "Gig"', 'title = "Gi\\u0000g"'), "events.gig.title", 5, "one line"),
    ("missing key", ("capacity = 300\n", ""), f"{FLOOR}.capacity", 12, "is missing"),
    ("unknown key", ("hold_s = 600", "hold_s = 600\nholds = 1"), "sales.drop.holds", 33, "is no key here"),
    ("unknown key on top", ("time_zone =", "zone = 1\ntime_zone ="), "zone", 1, "is no key here"),
    ("unknown zone", ("Asia/Shanghai", "Asia/Shangri-La"), "time_zone", 1, "a name like Asia/Shanghai"),
    ("zone that leaves its folder", ("Asia/Shanghai", "../etc/passwd"), "time_zone", 1, "a name like Asia/Shanghai"),
    ("no time", ("2027-03-01T12:00:00", "2027-03-01"), "sales.drop.opens_at", 30, "date and time"),
    ("time as text", ("2027-03-01T12:00:00", '"2027-03-01T12:00:00"'), "sales.drop.opens_at", 30, "date and time"),
    (
        "sale after the show",
        ("2027-06-12T19:30:00", "2027-03-01T11:00:00"),
        "sales.drop.opens_at",
        30,
        "session sat has begun",
    ),
    ("not TOML", ("[[events]]", "[[events]"), "file", 3, "is not TOML"),
]


@pytest.mark.parametrize(("swap", "key", "line", "reason"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_nonsense_is_refused_with_key_line_and_reason(swap: tuple[str, str], key: str, line: int, reason: str) -> None:
    found = refusals(spoilt(swap))

    assert [(problem.key, problem.line) for problem in found][:1] == [(key, line)]
    assert reason in found[0].reason


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("", "events"),
        ("events = 1\n[[sales]]", "events"),
        ("events = []", "events"),
        ("events = [1]", "events"),
        ("[[events]]\nid = 1\ntitle = ''", "events.1.id"),
        ("[[events]]\nid = 'gig'\ntitle = 'Gig'", "events.gig.sessions"),
        ("[events]\nid = 'gig'", "events"),
        (VALID.replace("id = ", "# "), "events.1.id"),
        (VALID.replace("[[sales]]", "[[sale]]"), "sales"),
    ],
)
def test_a_file_without_its_tables_is_refused(text: str, key: str) -> None:
    assert key in {problem.key for problem in refusals(text)}


def test_a_ticket_may_be_free() -> None:
    assert sale_file(("price_fen = 88000", "price_fen = 0")).skus[0].price_fen == 0


REFUNDS = """\
refund_units_back = false
mchid = "1900000109"
[[sales.refunds]]
days_before = 7
percent = 80
[[sales.refunds]]
days_before = 14
percent = 100

[[sales]]
id = "later"
"""


def with_refunds(*swaps: tuple[str, str]) -> str:
    """The valid text whose first sale has a refund policy, from line 36 on, each old part replaced once."""
    text = spoilt(('\n[[sales]]\nid = "later"\n', REFUNDS))
    for old, new in swaps:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def test_a_sale_without_a_refund_policy_refunds_nobody_on_asking() -> None:
    sale = sale_file().sales[0]

    assert (sale.refunds, sale.refund_units_back, sale.mchid) == ((), True, None)


def test_a_refund_policy_is_read_with_the_most_days_first() -> None:
    sale = parse_sale_file(with_refunds(), PATH).sales[0]

    assert sale.refunds == (RefundTier(days_before=14, percent=100), RefundTier(days_before=7, percent=80))
    assert (sale.refund_units_back, sale.mchid) == (False, "1900000109")


REFUND = "sales.drop.refunds"

REFUND_TABLE: list[tuple[str, tuple[str, str], str, int, str]] = [
    ("more than all", ("percent = 100", "percent = 101"), f"{REFUND}.2.percent", 42, "less than or equal to 100"),
    ("less than nothing", ("percent = 80", "percent = -1"), f"{REFUND}.1.percent", 39, "greater than or equal to 0"),
    ("half a percent", ("percent = 80", "percent = 80.5"), f"{REFUND}.1.percent", 39, "whole number"),
    (
        "days after",
        ("days_before = 7", "days_before = -1"),
        f"{REFUND}.1.days_before",
        38,
        "greater than or equal to 0",
    ),
    ("beyond a year", ("days_before = 14", "days_before = 366"), f"{REFUND}.2.days_before", 41, "less than or equal"),
    ("no percent", ("percent = 80\n", ""), f"{REFUND}.1.percent", 37, "is missing"),
    ("unknown key", ("percent = 80", "percent = 80\nfee_fen = 1"), f"{REFUND}.1.fee_fen", 40, "is no key here"),
    ("days twice", ("days_before = 14", "days_before = 7"), f"{REFUND}.2.days_before", 41, "as in line 37"),
    ("more later", ("percent = 100", "percent = 79"), f"{REFUND}.1.percent", 39, "more than the 79 of 14 days before"),
    ("no merchant", ('"1900000109"', '"19000001O9"'), "sales.drop.mchid", 36, "8 to 10 digits"),
    ("merchant as number", ('"1900000109"', "1900000109"), "sales.drop.mchid", 36, "text in quotes"),
    ("maybe", ("= false", '= "maybe"'), "sales.drop.refund_units_back", 35, "true or false"),
]


@pytest.mark.parametrize(
    ("swap", "key", "line", "reason"), [row[1:] for row in REFUND_TABLE], ids=[row[0] for row in REFUND_TABLE]
)
def test_a_refund_policy_that_makes_no_sense_is_refused_where_it_stands(
    swap: tuple[str, str], key: str, line: int, reason: str
) -> None:
    found = refusals(with_refunds(swap))

    assert [(problem.key, problem.line) for problem in found][:1] == [(key, line)]
    assert reason in found[0].reason


def test_a_refund_policy_that_is_no_list_of_tables_is_refused() -> None:
    found = refusals(spoilt(("line_rate = 400\n", "line_rate = 400\nrefunds = 80\n")))

    assert [(problem.key, problem.line) for problem in found] == [(REFUND, 35)]


def test_a_policy_of_more_steps_than_anybody_reads_is_refused() -> None:
    steps = "".join(f"[[sales.refunds]]\ndays_before = {days}\npercent = 1\n" for days in range(100, 121))
    found = refusals(with_refunds(("[[sales.refunds]]\n", f"{steps}[[sales.refunds]]\n")))

    assert [problem.key for problem in found] == [REFUND]


def test_a_local_time_needs_a_time_zone() -> None:
    found = refusals(VALID.replace('time_zone = "Asia/Shanghai"\n', ""))

    assert {problem.key for problem in found} == {
        "events.gig.sessions.sat.starts_at",
        "sales.drop.opens_at",
        "sales.drop.closes_at",
    }


@pytest.mark.parametrize("night", ["2027-03-28T02:30:00", "2027-10-31T02:30:00"])
def test_a_local_time_that_is_skipped_or_comes_twice_is_refused(night: str) -> None:
    found = refusals(VALID.replace("Asia/Shanghai", "Europe/Berlin").replace("2027-06-12T19:30:00", night))

    assert [problem.key for problem in found] == ["events.gig.sessions.sat.starts_at"]


def test_all_problems_are_reported_at_once_in_the_files_order() -> None:
    found = refusals(spoilt(("capacity = 300", "capacity = -1"), ("hold_s = 600", "hold_s = 0"), ("gig", "GIG")))

    assert [problem.line for problem in found] == [4, 16, 32]


def test_a_refusal_is_printed_as_file_line_key_and_reason() -> None:
    with pytest.raises(SaleFileInvalid) as caught:
        parse_sale_file(spoilt(("2027-03-08T12", "2027-02-08T12")), PATH)

    assert str(caught.value) == "drop.toml:31: sales.drop.closes_at is not after opens_at"


def test_a_sale_of_two_events_is_refused() -> None:
    other = VALID.split("[[sales]]")[0].removeprefix('time_zone = "Asia/Shanghai"\n')
    for name in ("gig", "sat", "floor", "stand"):
        other = other.replace(f'id = "{name}"', f'id = "other-{name}"')
    text = VALID.replace('"stand", "floor"', '"stand", "other-floor"').replace("[[sales]]", other + "[[sales]]")

    assert [problem.reason for problem in refusals(text)] == ["are of several events (gig, other-gig); a sale has one"]


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SaleFileInvalid, match="cannot be read"):
        read_sale_file(tmp_path / "absent.toml")


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "drop.toml").write_bytes(b"\xff")

    with pytest.raises(SaleFileInvalid, match="not UTF-8"):
        read_sale_file(tmp_path / "drop.toml")


def test_moved_windows_keep_their_length_and_distance() -> None:
    moved = opening_at(sale_file(), 1_000)

    day_ms = 86_400_000
    assert [(sale.opens_ms, sale.closes_ms) for sale in moved.sales] == [
        (1_000, 1_000 + 7 * day_ms),
        (1_000 + 7 * day_ms, 1_000 + 8 * day_ms),
    ]


def test_the_example_concert_is_what_the_demo_needs() -> None:
    concert = read_sale_file(EXAMPLES / "concert.toml")

    (sale,) = concert.sales
    assert (len(concert.events), len(concert.sessions), len(concert.skus)) == (1, 2, 4)
    assert sum(sku.capacity for sku in sale.skus) == 1500
    assert {sku.per_order_max for sku in sale.skus} == {4}
    assert (sale.sale_id, sale.per_buyer_max, sale.hold_s) == ("concert", 6, 12)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.name)
def test_every_example_opens_in_the_future(path: Path) -> None:
    for sale in read_sale_file(path).sales:
        assert datetime.fromtimestamp(sale.opens_ms / 1000, UTC).year >= 2027
