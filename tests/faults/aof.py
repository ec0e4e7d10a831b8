"""The append-only file of a stopped server, cut back as a power cut would: what was not yet on the disk is gone.

A killed server loses nothing, because the kernel still writes what it was given; so the loss is made by hand. The
cut is at the end of a whole command or transaction, where the server itself cuts a torn end.
"""

import re
import time
from pathlib import Path

from engine.embedded.valkey import ValkeyServer

STAMP = re.compile(rb"#TS:(\d+)\r\n")


class AppendOnlyFile:
    """The incremental file that the server writes now."""

    def __init__(self, server: ValkeyServer) -> None:
        self._server = server

    @property
    def path(self) -> Path:
        (newest,) = sorted(self._server.folder.glob("appendonlydir/*.incr.aof"))[-1:]
        return newest

    def size(self) -> int:
        return self.path.stat().st_size

    def cut_to(self, size: int) -> None:
        """Forget everything after this many bytes."""
        assert not self._server.running
        with self.path.open("r+b") as opened:
            opened.truncate(size)

    def cut_back(self, seconds: float) -> int:
        """Forget the last seconds, to the nearest earlier time stamp in the file; the bytes that were lost."""
        assert not self._server.running
        whole = self.path.read_bytes()
        since_s = time.time() - seconds
        for stamp in STAMP.finditer(whole):
            if int(stamp[1]) >= since_s:
                self.cut_to(stamp.start())
                return len(whole) - stamp.start()
        return 0
