"""Mini-program codes and links: what may be asked of them, and a real picture to answer with. Pure.

A real code is a round pattern that only WeChat can draw; this one is a square of modules computed from what it
stands for, so that two scenes never look the same. It is a valid PNG of the width that was asked for.
"""

import re
import struct
import zlib
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

SCENE_MAX = 32
WIDTHS = (280, 1280)
WIDTH = 430
QUERY_MAX = 1024
LINK_DAYS_MAX = 30
DAY_S = 86_400
VERSIONS = ("release", "trial", "develop")
MODULES = 16  # Modules a side: 256 bits of digest, one each.
_SCENE = re.compile(r"[0-9A-Za-z!#$&'()*+,/:;=?@\-._~]{1,32}")
_QUERY = re.compile(r"[0-9A-Za-z!#$&'()*+,/:;=?@\-._~%]*")
Error = tuple[int, str]


def code_fault(asked: Mapping[str, Any]) -> Error | None:
    """What is wrong with a getwxacodeunlimit."""
    scene, page, width = asked.get("scene"), asked.get("page", ""), asked.get("width", WIDTH)
    if not isinstance(scene, str) or not _SCENE.fullmatch(scene):
        return 40169, "invalid length for scene, or the data is not json string"
    if not isinstance(page, str) or page.startswith("/") or "?" in page:
        return 41030, "invalid page"
    if type(width) is not int or not WIDTHS[0] <= width <= WIDTHS[1]:
        return 40097, "invalid args"
    if asked.get("env_version", "release") not in VERSIONS or not isinstance(asked.get("check_path", True), bool):
        return 40097, "invalid args"
    return None


def link_fault(asked: Mapping[str, Any], *, now_s: int) -> Error | None:
    """What is wrong with a generate_urllink."""
    path, query, kind = asked.get("path", ""), asked.get("query", ""), asked.get("expire_type", 0)
    if not isinstance(path, str) or path.startswith("/") or "?" in path:
        return 40165, "invalid weapp pagepath"
    if not isinstance(query, str) or len(query) > QUERY_MAX or not _QUERY.fullmatch(query):
        return 40212, "invalid query"
    if asked.get("env_version", "release") not in VERSIONS:
        return 85402, "invalid env_version"
    if kind == 1:
        days = asked.get("expire_interval")
        right = type(days) is int and 1 <= days <= LINK_DAYS_MAX
    else:
        moment_s = asked.get("expire_time", now_s + LINK_DAYS_MAX * DAY_S)
        right = kind == 0 and type(moment_s) is int and now_s < moment_s <= now_s + LINK_DAYS_MAX * DAY_S
    return None if right else (85401, "invalid expire_time")


def picture(subject: str, width: int) -> bytes:
    """A PNG of `width` pixels a side (one bit each), drawn from the digest of `subject`."""
    bits = int.from_bytes(blake2b(subject.encode(), digest_size=MODULES * MODULES // 8).digest())
    stride = (width + 7) // 8
    rows = []
    for module in range(MODULES):
        row = 0
        for pixel in range(width):
            row = row << 1 | (bits >> (module * MODULES + pixel * MODULES // width) & 1)
        # Each row of pixels begins with a filter byte; spare bits at its end are nought.
        rows.append(b"\0" + (row << (stride * 8 - width)).to_bytes(stride))
    pixels = b"".join(rows[line * MODULES // width] for line in range(width))
    header = struct.pack(">IIBBBBB", width, width, 1, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(pixels)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in parts)


def link(subject: str) -> str:
    """An address that opens the mini program."""
    return f"https://wxaurl.cn/{blake2b(subject.encode(), digest_size=6).hexdigest()}"


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
