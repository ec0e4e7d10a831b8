"""Titles at rest: encrypted under the key that also keeps openids, and bound to their order.

Only here does a title exist in the clear, and only for as long as it is on its way to WeChat.
"""

from collections.abc import Callable

import orjson
from cryptography.exceptions import InvalidTag

from engine.payments.wechat.fapiao_answers import Title
from engine.web.buyers import Privacy


class Titles:
    """`nonce` gives 12 fresh random bytes."""

    def __init__(self, privacy: Privacy, nonce: Callable[[], bytes]) -> None:
        self._privacy = privacy
        self._nonce = nonce

    def seal(self, title: Title, order_no: str) -> bytes:
        """The title, unreadable without the key and the order's number."""
        packed = orjson.dumps([title.kind, dict(title.fields)])
        return self._privacy.seal_bytes(packed, self._nonce(), bound_to=_place(order_no))

    def open(self, sealed: bytes, order_no: str) -> Title | None:
        """The title of this order; None for another order's, or one that was sealed under another key."""
        try:
            packed = self._privacy.open_bytes(sealed, bound_to=_place(order_no))
        except InvalidTag:
            return None
        kind, fields = orjson.loads(packed)
        return Title(kind=kind, fields=fields)


def _place(order_no: str) -> bytes:
    return b"fapiao title\n" + order_no.encode()
