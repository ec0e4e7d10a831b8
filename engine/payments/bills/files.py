"""Bills as files: checked against the hash that came with them, and read line by line, compressed or not.

A bill names the buyer of every row, so a file is its owner's alone and lives only while it is read. Bounds hold for
what is unpacked as well: a small file may unpack to anything.
"""

import gzip
import hashlib
import os
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from engine.payments.bills.format import BillUnreadable

GZIP_MAGIC = b"\x1f\x8b"
CHUNK_BYTES = 1 << 18
PLAIN_BYTES_MAX = 1 << 30  # three million rows of 350 bytes
LINE_BYTES_MAX = 16_384  # the longest texts of a row are 127, 128 and 80 characters


def keep(directory: Path, name: str, content: bytes) -> Path:
    """Write a fetched bill to a file that only we can read. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, path = tempfile.mkstemp(prefix=f"{name}-", dir=directory)
    with open(descriptor, "wb") as file:
        file.write(content)
    return Path(path)


def check_hash(path: Path, *, sha1: str, over: str) -> None:
    """`over` is `plain`, `gzip` or `either`: what the provider hashed. Raises BillUnreadable."""
    found = {"plain": _digest_unpacked(path)} if over != "gzip" else {}
    if over != "plain":
        found["gzip"] = hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest()
    if sha1.lower() not in found.values():
        raise BillUnreadable("the file is not the one that was announced: its SHA1 differs")


def _digest_unpacked(path: Path) -> str:
    digest = hashlib.sha1(usedforsecurity=False)  # what WeChat offers
    total = 0
    with _unpacked(path) as file:
        while chunk := file.read(CHUNK_BYTES):
            total += len(chunk)
            if total > PLAIN_BYTES_MAX:
                raise BillUnreadable(f"the bill is longer than {PLAIN_BYTES_MAX} bytes")
            digest.update(chunk)
    return digest.hexdigest()


def read_lines(path: Path) -> Iterator[str]:
    """The lines as text, ends included. Raises BillUnreadable for what is no text."""
    with _unpacked(path) as file:
        total = 0
        while line := file.readline(LINE_BYTES_MAX + 1):
            total += len(line)
            if len(line) > LINE_BYTES_MAX or total > PLAIN_BYTES_MAX:
                raise BillUnreadable("a line, or the whole bill, is longer than any bill")
            try:
                yield line.decode("utf-8")
            except UnicodeDecodeError as error:
                raise BillUnreadable(f"not UTF-8: {error.reason}") from None


@contextmanager
def _unpacked(path: Path) -> Iterator[BinaryIO]:
    with path.open("rb") as raw:
        packed = raw.read(2) == GZIP_MAGIC
        raw.seek(0)
        try:
            yield cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if packed else raw
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise BillUnreadable(f"cannot be unpacked: {error}") from None


def discard(path: Path) -> None:
    """The file has been read; one that is gone already is no trouble."""
    path.unlink(missing_ok=True)


def write_private(path: Path, content: bytes) -> None:
    """Replace a file as a whole, readable by its owner alone. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = keep(path.parent, path.name, content)
    os.replace(written, path)
