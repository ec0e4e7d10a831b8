"""What a presale code is, whoever types it however."""

from hypothesis import given
from hypothesis import strategies as st

from engine.line.eligibility.codes import ALPHABET, code_digest, fresh_code


def test_a_code_is_twelve_characters_in_three_groups() -> None:
    assert fresh_code(lambda count: bytes(range(count))) == "2345-6789-ABCD"


@given(st.binary(min_size=12, max_size=12))
def test_no_character_of_a_code_looks_like_another_one(drawn: bytes) -> None:
    assert set(fresh_code(lambda _: drawn)) <= set(ALPHABET) | {"-"}
    assert not set(ALPHABET) & set("01OI")


@given(st.binary(min_size=12, max_size=12), st.data())
def test_spaces_hyphens_and_small_letters_make_no_other_code(drawn: bytes, choose: st.DataObject) -> None:
    code = fresh_code(lambda _: drawn)
    typed = "".join(
        character + choose.draw(st.sampled_from(["", " ", "-", "\t"]))
        for character in (code.lower() if choose.draw(st.booleans()) else code)
    )

    assert code_digest("drop", typed) == code_digest("drop", code)


@given(st.text(ALPHABET, min_size=1), st.text(ALPHABET, min_size=1))
def test_other_codes_have_other_digests(one: str, other: str) -> None:
    assert (code_digest("drop", one[:64]) == code_digest("drop", other[:64])) is (one[:64] == other[:64])


def test_the_same_code_of_another_sale_is_another_code() -> None:
    assert code_digest("drop", "2345-6789-ABCD") != code_digest("later", "2345-6789-ABCD")


@given(st.text())
def test_any_text_is_a_code_or_none(text: str) -> None:
    digest = code_digest("drop", text)

    assert digest is None or len(digest) == 32


def test_a_page_of_text_an_empty_one_and_strange_letters_are_no_codes() -> None:
    assert [code_digest("drop", text) for text in ("A" * 65, "", " - ", "２３４５", "ÄÖ", "A\0B")] == [None] * 6
