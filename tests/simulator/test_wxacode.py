"""Codes and links of the mini program: their limits, and a picture that any reader of PNG can read."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.simulator.weixin.wxacode import DAY_S, code_fault, link, link_fault, picture

NOW_S = 1_900_000_000


def pixels(image: bytes) -> tuple[int, list[bytes]]:
    """The side and the rows of a one-bit PNG, every checksum verified."""
    assert image.startswith(b"\x89PNG\r\n\x1a\n")
    position, content, side = 8, b"", 0
    while position < len(image):
        size, kind = struct.unpack(">I4s", image[position : position + 8])
        chunk = image[position + 8 : position + 8 + size]
        (checksum,) = struct.unpack(">I", image[position + 8 + size : position + 12 + size])
        assert checksum == zlib.crc32(kind + chunk)
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", chunk[:10])
            assert (width, depth, colour) == (height, 1, 0)
            side = width
        content += chunk if kind == b"IDAT" else b""
        position += 12 + size
    plain = zlib.decompress(content)
    stride = (side + 7) // 8 + 1
    assert len(plain) == stride * side
    return side, [plain[row : row + stride] for row in range(0, len(plain), stride)]


@given(st.integers(280, 1280), st.text(max_size=32))
def test_the_picture_is_a_png_of_the_width_asked_for(width: int, subject: str) -> None:
    side, rows = pixels(picture(subject, width))
    assert side == width
    assert all(row[0] == 0 for row in rows)


def test_two_scenes_never_look_the_same() -> None:
    assert picture("wx1 seat=1", 280) != picture("wx1 seat=2", 280)


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"scene": "s=1&o=T00001"}, None),
        ({"scene": "a" * 32, "page": "pages/ticket/index", "width": 280, "env_version": "trial"}, None),
        ({}, 40169),
        ({"scene": ""}, 40169),
        ({"scene": "a" * 33}, 40169),
        ({"scene": "a%20"}, 40169),
        ({"scene": "票"}, 40169),
        ({"scene": "a", "page": "/pages/ticket"}, 41030),
        ({"scene": "a", "page": "pages/ticket?x=1"}, 41030),
        ({"scene": "a", "width": 279}, 40097),
        ({"scene": "a", "width": 1281}, 40097),
        ({"scene": "a", "env_version": "beta"}, 40097),
    ],
)
def test_a_code_is_asked_for_rightly_or_refused(asked: dict[str, object], code: int | None) -> None:
    fault = code_fault(asked)
    assert (fault and fault[0]) == code


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({}, None),
        ({"path": "pages/sale", "query": "sale=spring", "expire_type": 1, "expire_interval": 30}, None),
        ({"expire_type": 0, "expire_time": NOW_S + 30 * DAY_S}, None),
        ({"path": "/pages/sale"}, 40165),
        ({"query": "a" * 1025}, 40212),
        ({"query": "票"}, 40212),
        ({"env_version": "beta"}, 85402),
        ({"expire_type": 1, "expire_interval": 31}, 85401),
        ({"expire_type": 1}, 85401),
        ({"expire_time": NOW_S}, 85401),
        ({"expire_time": NOW_S + 30 * DAY_S + 1}, 85401),
        ({"expire_type": 2}, 85401),
    ],
)
def test_a_link_is_asked_for_rightly_or_refused(asked: dict[str, object], code: int | None) -> None:
    fault = link_fault(asked, now_s=NOW_S)
    assert (fault and fault[0]) == code


def test_a_link_opens_the_mini_program() -> None:
    assert link("x").startswith("https://wxaurl.cn/")
