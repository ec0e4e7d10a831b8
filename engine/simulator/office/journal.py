"""One file of JSON lines that only grows, and is rewritten at a start when most of it is superseded.

A line reaches the operating system before anybody is told what it says, so a `kill -9` loses nothing that was
answered; it is not forced to the platter, so a power cut may lose the tail. A last line cut short by a crash is
dropped. A rewritten file is forced to the platter and takes the old one's place at once. Only one process may
hold a journal.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import orjson


class LedgerError(Exception):
    """The journal is damaged before its last line, or another process holds it."""


class Journal:
    """Opens and locks the file. Raises LedgerError when another process has it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.lines = 0
        self._size = 0
        self._descriptor = _open(file)
        try:
            _lock(self._descriptor, file)
        except LedgerError:
            os.close(self._descriptor)
            raise

    def close(self) -> None:
        os.close(self._descriptor)

    def replay(self) -> Iterator[object]:
        """Every whole line, parsed; then a torn last one is cut off. Raises LedgerError for a damaged one."""
        with self.file.open("rb") as journal:
            for line in journal:
                if not line.endswith(b"\n"):
                    os.ftruncate(self._descriptor, self._size)
                    break
                self.lines += 1
                try:
                    yield orjson.loads(line)
                except orjson.JSONDecodeError as error:
                    raise self.damaged(error) from error
                self._size += len(line)

    def damaged(self, why: object) -> LedgerError:
        """What to raise about the line that `replay` gave last."""
        return LedgerError(f"{self.file}, line {self.lines}: {why}")

    def append(self, change: object) -> None:
        """Write one line, all of it or nothing. Raises OSError when the file cannot take it."""
        line = _line(change)
        try:
            if os.write(self._descriptor, line) != len(line):
                raise OSError("the journal took only a part of a line")
        except OSError:
            os.ftruncate(self._descriptor, self._size)
            raise
        self._size += len(line)
        self.lines += 1

    def rewrite(self, changes: Iterable[object]) -> None:
        """Put these lines in place of all there are. After a crash on the way the old file is still there."""
        draft = self.file.with_name(f".{self.file.name}.draft")
        draft.unlink(missing_ok=True)
        descriptor = _open(draft)
        try:
            _lock(descriptor, draft)
            size = lines = 0
            for change in changes:
                line = _line(change)
                _write_whole(descriptor, line)
                size += len(line)
                lines += 1
            os.fsync(descriptor)
            draft.replace(self.file)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(self._descriptor)
        self._descriptor, self._size, self.lines = descriptor, size, lines

    def clear(self) -> None:
        os.ftruncate(self._descriptor, 0)
        self._size = self.lines = 0


def _line(change: object) -> bytes:
    return orjson.dumps(change, option=orjson.OPT_APPEND_NEWLINE)


def _write_whole(descriptor: int, line: bytes) -> None:
    while line:
        line = line[os.write(descriptor, line) :]


def _open(file: Path) -> int:
    return os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)


def _lock(descriptor: int, file: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The holder may have put a rewritten file in its place since we opened it.
        if os.fstat(descriptor).st_ino == file.stat().st_ino:
            return
    except (BlockingIOError, FileNotFoundError):
        pass
    raise LedgerError(f"{file}: another simulator is using this home")
