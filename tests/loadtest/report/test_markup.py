"""Nothing becomes markup that was not made as markup."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from loadtest.report.markup import Term, element, escaped
from tests.loadtest.report.documents import Document

printable = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn")), min_size=1)


@given(printable)
def test_any_text_is_read_back_as_it_was(text: str) -> None:
    assert "".join(Document(element("p", text)).texts) == text


@given(st.text())
def test_no_text_becomes_an_element(text: str) -> None:
    assert Document(element("p", text, title=text)).names == ["p"]


@given(st.text())
def test_every_text_can_be_written_as_utf_8(text: str) -> None:
    assert escaped(text).encode("utf-8").decode("utf-8") == escaped(text)


def test_markup_is_not_escaped_twice() -> None:
    assert element("p", element("b", "a & b")) == "<p><b>a &amp; b</b></p>"


def test_a_term_stands_in_both_languages() -> None:
    assert element("p", Term("held", "锁定")) == (
        '<p><span class="en" lang="en">held</span><span class="zh" lang="zh-Hans">锁定</span></p>'
    )


def test_a_term_in_a_title_is_plain_text() -> None:
    assert element("title", Term("held", "锁定")) == "<title>held · 锁定</title>"


def test_attributes_that_are_false_or_none_are_left_out() -> None:
    assert element("input", checked=True, disabled=False, class_=None) == "<input checked>"
