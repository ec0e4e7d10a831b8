"""Where a request comes from, as far as that can be trusted.

The peer of the connection is the client, unless it is one of our own proxies: then the client is the last hop in
X-Forwarded-For that is not ours. What stands before that hop was written by the client and says nothing. A proxy of
ours that names nobody asks for itself, and has no address here. An IPv6 client is known by its /64, because one person
has a whole one.
"""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import TypeAlias

from engine.web.http import Request

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

FORWARDED_HEADER = "X-Forwarded-For"
KNOWN_COUNT_MAX = 65_536  # texts that were read before, each with its meaning
HOPS_MAX = 16  # of a longer chain only the end is looked at
ADDRESS_CHARS_MAX = 64


class Addresses:
    """Finds the address of a client behind these proxies."""

    def __init__(self, trusted_proxies: Iterable[Network]) -> None:
        self._trusted = tuple(trusted_proxies)
        self._read = lru_cache(maxsize=KNOWN_COUNT_MAX)(self._read_hop)

    def of(self, request: Request) -> str | None:
        """The client's address, or its /64; None when it is not known."""
        peer = request.connection.peer
        if peer is None:
            return None
        # A proxy may write a line of its own below the one that the client wrote.
        lines = request.headers.getall(FORWARDED_HEADER, None) if self._trusted else None
        return self.client(peer, ",".join(lines) if lines else None)

    def client(self, peer: str, forwarded: str | None) -> str | None:
        """The same for a peer and the header it sent, if any."""
        address, ours = self._read(peer)
        if not ours:
            return address
        if forwarded is None:
            return None
        for hop in reversed(forwarded.split(",")[-HOPS_MAX:]):
            address, ours = self._read(hop.strip()[:ADDRESS_CHARS_MAX])
            if not ours:
                return address
        return None

    def _read_hop(self, text: str) -> tuple[str | None, bool]:
        """The address as it is counted, and whether it is a proxy of ours. What is no address is nobody's."""
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            return None, False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if any(address in network for network in self._trusted):
            return None, True
        if isinstance(address, ipaddress.IPv6Address):
            return str(ipaddress.IPv6Network((address, 64), strict=False)), False
        return str(address), False
