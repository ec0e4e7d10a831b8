"""Free ports for servers on this machine, promised to one process at a time.

A port that is free is looked for long before its server listens, and by several processes at once: tests run beside
each other, and so do stacks. Whoever is given a port here keeps it to itself until it ends, by a lock on one byte of a
file that all processes of one account share; the operating system takes the lock back whatever becomes of the process.
"""

import contextlib
import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

# Below both systems' ranges for outgoing connections (Linux from 32768, macOS from 49152), so that a port
# that was free a moment ago is not taken by somebody's client socket before the server binds it.
PORTS = range(20_000, 32_000)
LOCKS = Path(tempfile.gettempdir()) / f"floodgate-ports-{os.getuid()}.lock"

_promised: set[int] = set()


def port_is_free(port: int, *, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now; servers do not mind a port in TIME_WAIT, so neither do we."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def free_ports() -> Iterator[int]:
    """Ports that are free on the loopback address and promised to nobody else, in random order."""
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):
        if port not in _promised and _promise(port) and port_is_free(port):
            _promised.add(port)
            yield port


def claim(port: int) -> bool:
    """Whether this very port is free, and promised to us from now on."""
    if not (port_is_free(port) and _promise(port)):
        return False
    _promised.add(port)
    return True


def free_port() -> int:
    return next(free_ports())


def _promise(port: int) -> bool:
    """Whether nobody else was promised this port. Without the file nobody promises anything."""
    locks = _locks()
    if locks is None:
        return True
    try:
        fcntl.lockf(locks, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True


@cache
def _locks() -> int | None:
    """The shared file, open as long as this process lives: closing it would break every promise."""
    with contextlib.suppress(OSError):
        return os.open(LOCKS, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    return None
