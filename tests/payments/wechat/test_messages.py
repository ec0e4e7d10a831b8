"""The byte strings, against the vectors of the documents."""

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.payments.wechat import messages


def test_request_message_ends_every_line_also_an_empty_body() -> None:
    message = messages.request_message("GET", "/v3/certificates?a=b", "1554208460", "593BEC0C", b"")
    assert message == b"GET\n/v3/certificates?a=b\n1554208460\n593BEC0C\n\n"


def test_request_message_holds_the_body_byte_for_byte() -> None:
    body = '{"description":"票", "x":1}'.encode()
    message = messages.request_message("POST", "/v3/p", "1", "n", body)
    assert message == b"POST\n/v3/p\n1\nn\n" + body + b"\n"


def test_payment_message_has_the_package_with_its_prefix() -> None:
    message = messages.payment_message("wxd678efh567hg6787", "1554208460", "593BEC", "prepay_id=wx2014")
    assert message == b"wxd678efh567hg6787\n1554208460\n593BEC\nprepay_id=wx2014\n"


def test_answer_message_of_no_content_ends_with_an_empty_line() -> None:
    assert messages.answer_message("1554209980", "c5ac7061", b"") == b"1554209980\nc5ac7061\n\n"


def test_authorization_is_one_line_of_five_quoted_pairs() -> None:
    header = messages.authorization(
        mchid="1900009191", serial="1DDE55AD", timestamp="1554208460", nonce="593BEC", signature="uOVR+/=="
    )
    assert header == (
        'WECHATPAY2-SHA256-RSA2048 mchid="1900009191",nonce_str="593BEC",signature="uOVR+/==",'
        'timestamp="1554208460",serial_no="1DDE55AD"'
    )


VECTOR_KEY = b"0123456789abcdef0123456789ABCDEF"
VECTOR = "YOZ0/AYhCiKPoeP4ZKU2lztKffXtwmpnStIii9o9ixXwxDxozNlCFMite5Bkg5Q="


def test_the_documented_resource_opens() -> None:
    content = messages.decrypted(
        VECTOR_KEY, nonce="abcdefghijkl", associated="transaction", ciphertext=messages.from_base64(VECTOR)
    )
    assert content == '{"out_trade_no":"T1","n":"票"}'.encode()


@pytest.mark.parametrize(
    ("key", "nonce", "associated"),
    [
        (VECTOR_KEY[::-1], "abcdefghijkl", "transaction"),
        (VECTOR_KEY, "abcdefghijkL", "transaction"),
        (VECTOR_KEY, "abcdefghijkl", ""),
    ],
    ids=["another key", "another nonce", "another associated text"],
)
def test_the_documented_resource_stays_shut_for(key: bytes, nonce: str, associated: str) -> None:
    with pytest.raises(InvalidTag):
        messages.decrypted(key, nonce=nonce, associated=associated, ciphertext=messages.from_base64(VECTOR))


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_base64_comes_back(raw: bytes) -> None:
    assert messages.from_base64(messages.to_base64(raw)) == raw


@pytest.mark.parametrize("text", ["QQ=", "QQ", "QR==", "QQ==\n", " QQ==", "QQ==QQ==", "Q-_Q", "票", "\udcff"])
def test_base64_in_any_other_spelling_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (binascii and the codec word it in their own ways)
        messages.from_base64(text)


@pytest.mark.parametrize("code", ["ORDER_PAID", "ORDERPAID"])
def test_both_spellings_of_a_code_are_one(code: str) -> None:
    assert messages.normalised(code) == "ORDERPAID"
