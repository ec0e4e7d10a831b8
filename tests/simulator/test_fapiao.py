"""The life of a fapiao: accepted, issued, put into the card holder, reversed, discarded; and what is refused."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.simulator.fapiao import life
from engine.simulator.fapiao.life import Document, Step
from engine.simulator.fapiao.view import view
from engine.simulator.pay.refusals import (
    FAPIAO_CHANGED,
    FAPIAO_MISMATCH,
    FAPIAO_NOT_ISSUED,
    FAPIAO_RETRIED_OUT,
    FAPIAO_TOO_MUCH,
    FAPIAO_UNKNOWN,
    Refusal,
)

CARD = {"card_appid": "wx1", "card_id": "p1", "card_openid": "o" * 28}


def item(fen: int = 100, *, rate: int = 600, discount: bool = False) -> dict[str, Any]:
    return {
        "tax_code": "3070301000000000000",
        "quantity": 100_000_000,
        "total_amount": fen,
        "tax_rate": rate,
        "discount": discount,
    }


def asked(*ids: str, fen: int = 100) -> dict[str, Any]:
    return {
        "scene": "WITH_WECHATPAY",
        "fapiao_apply_id": "4200",
        "buyer_information": {"type": "INDIVIDUAL", "name": "王小明", "phone": "sealed", "email": "sealed"},
        "fapiao_information": [{"fapiao_id": one, "total_amount": fen, "items": [item(fen)]} for one in ids or ("F1",)],
    }


def apply(
    request: dict[str, Any],
    known: Document | None = None,
    *,
    terms: str = "a",
    most_fen: int = 1000,
    card: dict[str, str] | None = CARD,
) -> Document | Refusal:
    return life.apply(known, request, mchid="19", most_fen=most_fen, terms=terms, card=card, now_ms=1)


def accepted(*ids: str, card: dict[str, str] | None = CARD) -> Document:
    document = apply(asked(*ids), card=card)
    assert isinstance(document, dict)
    return document


def numbers() -> Callable[[], str]:
    counter = count(1)
    return lambda: f"{next(counter)}" * 40


def step(document: Document, *, fails: bool = False) -> tuple[Document, list[Step]]:
    return life.advance(document, fails=lambda _state, _id: fails, fresh_number=numbers(), now_ms=1)


def issued(*ids: str) -> Document:
    return step(accepted(*ids))[0]


def reversal(document: Document, *ids: str) -> dict[str, Any]:
    found = {one["fapiao_id"]: one for one in document["fapiao"]}
    return {
        "reverse_reason": "SALES_RETURN",
        "fapiao_information": [
            {
                "fapiao_id": one,
                "fapiao_code": found[one]["blue"]["fapiao_code"],
                "fapiao_number": found[one]["blue"]["fapiao_number"],
            }
            for one in ids
        ],
    }


def states(document: Document) -> list[tuple[str, str | None]]:
    return [(one["status"], one.get("card_status")) for one in document["fapiao"]]


def test_a_fapiao_is_issued_and_then_put_into_the_card_holder() -> None:
    first, told = step(accepted())
    assert (states(first), told) == ([("ISSUED", "INSERT_ACCEPTED")], [Step("ISSUED", "F1")])
    second, told = step(first)
    assert (states(second), told) == ([("ISSUED", "INSERTED")], [Step("INSERTED", "F1")])
    assert not life.is_open(second)


def test_without_a_card_template_there_is_no_card() -> None:
    document, _ = step(accepted(card=None))
    assert states(document) == [("ISSUED", None)]
    assert not life.is_open(document)


def test_a_failed_issue_is_told_to_nobody() -> None:
    document, told = step(accepted(), fails=True)
    assert (states(document), told) == ([("ISSUE_FAILED", None)], [])


def test_a_reversal_discards_the_card() -> None:
    held = step(issued())[0]
    wanted = life.reverse(held, reversal(held, "F1"))
    assert isinstance(wanted, dict)
    first, told = step(wanted)
    assert (states(first), told) == ([("REVERSED", "DISCARD_ACCEPTED")], [Step("REVERSED", "F1")])
    second, told = step(first)
    assert (states(second), told) == ([("REVERSED", "DISCARDED")], [Step("DISCARDED", "F1")])


def test_a_failed_reversal_may_be_asked_for_again() -> None:
    held = issued()
    wanted = life.reverse(held, reversal(held, "F1"))
    assert isinstance(wanted, dict)
    failed, _ = step(wanted, fails=True)
    again = life.reverse(failed, reversal(failed, "F1"))
    assert isinstance(again, dict)
    assert (states(failed)[0][0], states(again)[0][0]) == ("REVERSE_FAILED", "REVERSE_ACCEPTED")


def test_one_of_two_is_reversed_alone() -> None:
    held = issued("F1", "F2")
    wanted = life.reverse(held, reversal(held, "F2"))
    assert isinstance(wanted, dict)
    assert [status for status, _ in states(wanted)] == ["ISSUED", "REVERSE_ACCEPTED"]


def test_asking_again_changes_nothing() -> None:
    held = issued()
    assert apply(asked(), held) is held
    wanted = life.reverse(held, reversal(held, "F1"))
    assert isinstance(wanted, dict)
    assert life.reverse(wanted, reversal(held, "F1")) is wanted


@pytest.mark.parametrize(
    ("refusal", "outcome"),
    [
        (FAPIAO_TOO_MUCH, apply(asked("F1", "F2", fen=501))),
        (FAPIAO_CHANGED, apply(asked("F2"), accepted(), terms="b")),
        (FAPIAO_CHANGED, apply(asked("F1"), step(accepted(), fails=True)[0], terms="b")),
        (FAPIAO_NOT_ISSUED, life.reverse(accepted(), reversal(issued(), "F1"))),
        (FAPIAO_UNKNOWN, life.reverse(issued(), reversal(issued("F9"), "F9"))),
        (FAPIAO_MISMATCH, life.reverse(issued("F2", "F1"), reversal(issued("F1"), "F1"))),
    ],
)
def test_each_wrong_request_has_its_refusal(refusal: Refusal, outcome: Document | Refusal) -> None:
    assert outcome == refusal


def test_a_failed_fapiao_is_replaced_by_a_new_one_four_times_at_most() -> None:
    document = step(accepted("F0"), fails=True)[0]
    for number in range(1, 5):
        again = apply(asked(f"F{number}"), document, terms=f"again {number}")
        assert isinstance(again, dict)
        document = step(again, fails=True)[0]
    assert apply(asked("F5"), document, terms="again 5") == FAPIAO_RETRIED_OUT


def test_the_buyers_phone_and_mail_are_not_kept() -> None:
    assert accepted()["buyer"] == {"type": "INDIVIDUAL", "name": "王小明"}


def test_a_query_may_ask_for_one_fapiao() -> None:
    shown = view(issued("F1", "F2"), "F2", seller={})
    assert isinstance(shown, dict)
    assert (shown["total_count"], shown["fapiao_information"][0]["fapiao_id"]) == (1, "F2")
    assert view(issued("F1"), "F9", seller={}) == FAPIAO_UNKNOWN


@pytest.mark.parametrize(
    ("request_", "path"),
    [
        ([], "/fapiao_information"),
        ([{"fapiao_id": "F1", "total_amount": 100, "items": [item()]}] * 2, "/fapiao_information"),
        ([{"fapiao_id": "F1", "total_amount": 100, "items": []}], "/fapiao_information/0/items"),
        ([{"fapiao_id": "F1", "total_amount": 99, "items": [item()]}], "/fapiao_information/0/total_amount"),
    ],
)
def test_amounts_and_names_must_fit(request_: list[dict[str, Any]], path: str) -> None:
    found = life.faults_of(request_)
    assert found is not None
    assert found[0] == path


def test_a_discount_is_taken_off() -> None:
    lines = [item(100), item(20, discount=True)]
    assert life.faults_of([{"fapiao_id": "F1", "total_amount": 80, "items": lines}]) is None


@given(
    st.lists(st.tuples(st.integers(1, 10**7), st.sampled_from([0, 100, 300, 600, 900, 1300])), min_size=1, max_size=5)
)
def test_tax_and_price_add_up_to_the_total(lines: list[tuple[int, int]]) -> None:
    total_fen = sum(fen for fen, _ in lines)
    request = asked()
    request["fapiao_information"][0] |= {
        "total_amount": total_fen,
        "items": [item(fen, rate=rate) for fen, rate in lines],
    }
    document = apply(request, most_fen=total_fen)
    assert isinstance(document, dict)
    shown = view(document, None, seller={})
    assert isinstance(shown, dict)
    (entry,) = shown["fapiao_information"]
    assert entry["amount"] + entry["tax_amount"] == entry["total_amount"] == total_fen
    for line in entry["items"]:
        # The tax is the rate on what remains, to the nearest fen.
        assert abs(line["amount"] * line["tax_rate"] - line["tax_amount"] * 10_000) <= 10_000


MOVES = {
    ("ISSUE_ACCEPTED", "ISSUED"),
    ("ISSUE_ACCEPTED", "ISSUE_FAILED"),
    ("ISSUED", "REVERSE_ACCEPTED"),
    ("REVERSE_FAILED", "REVERSE_ACCEPTED"),
    ("REVERSE_ACCEPTED", "REVERSED"),
    ("REVERSE_ACCEPTED", "REVERSE_FAILED"),
}
CARD_MOVES = {
    (None, "INSERT_ACCEPTED"),
    ("INSERT_ACCEPTED", "INSERTED"),
    ("INSERT_ACCEPTED", "DISCARD_ACCEPTED"),
    ("INSERTED", "DISCARD_ACCEPTED"),
    ("DISCARD_ACCEPTED", "DISCARDED"),
}


@given(st.lists(st.tuples(st.sampled_from(["step", "fail", "reverse"]), st.sampled_from(["F1", "F2"])), max_size=12))
def test_a_fapiao_only_moves_along_its_life_and_always_comes_to_rest(tried: list[tuple[str, str]]) -> None:
    document = accepted("F1", "F2")
    for act, fapiao_id in [*tried, *[("step", "")] * 3]:
        before = document
        if act == "reverse":
            blue = next(one for one in document["fapiao"] if one["fapiao_id"] == fapiao_id).get("blue")
            if blue is not None:
                wanted = life.reverse(document, reversal(document, fapiao_id))
                assert isinstance(wanted, dict)
                document = wanted
        else:
            document, _ = step(document, fails=act == "fail")
        for old, new in zip(states(before), states(document), strict=True):
            assert old[0] == new[0] or (old[0], new[0]) in MOVES
            assert old[1] == new[1] or (old[1], new[1]) in CARD_MOVES
    assert not life.is_open(document)
