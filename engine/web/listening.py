"""Listening sockets: several workers on one port, and how one of them leaves it.

The kernel gives every new connection to one of the sockets on a port, for good. Closing a socket resets whatever
waits in its queue or has half shaken hands, although a neighbour would have served it. So a leaving worker first lets
the kernel drop new SYNs at its own socket; those clients ask again a second later, by themselves, and meet a
neighbour. What had begun before is taken in as usual, and then there is nothing left to reset.
"""

import ctypes
import socket
import struct
import sys

BACKLOG_COUNT = 4096
SO_ATTACH_FILTER = 26  # Linux; Python has no name for it

# A classic BPF program over the TCP header: byte 13 holds the flags, 0x02 is SYN; 0 drops, anything else keeps.
_NO_SYN = (
    (0x30, 0, 0, 13),  # load the byte at 13
    (0x45, 0, 1, 0x02),  # any of these bits set? then go on, else skip one
    (0x06, 0, 0, 0),  # drop
    (0x06, 0, 0, 0xFFFFFFFF),  # keep
)


def listen(host: str, port: int, *, shared: bool) -> socket.socket:
    """A listening socket. `shared` lets several workers listen on one port; the kernel spreads connections."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind((host, port))
    sock.listen(BACKLOG_COUNT)
    sock.setblocking(False)
    return sock


def refuse_newcomers(sock: socket.socket) -> bool:
    """Let the kernel drop new SYNs at this socket; False where it cannot, or where nobody shares the port."""
    if sys.platform != "linux" or not sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT):
        return False
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in _NO_SYN))
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", len(_NO_SYN), ctypes.addressof(code)))
    except OSError:  # a sandbox that does not know the filter
        return False
    return True
