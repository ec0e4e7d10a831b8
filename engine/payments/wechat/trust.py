"""What arrived is believed, or it is not: the keys in use, and the rule for every response.

A 2xx is believed only with a right signature over its bytes. A refusal may come without one; if it has one, that must
be right, too. A serial that nobody knows is looked up among the certificates, when that is due, before it is given up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.payments.wechat.answers import Answer, Silence
from engine.payments.wechat.authenticity import SERIAL, SIGNATURE, Flaw, flaw_of
from engine.payments.wechat.certificates import Certificates
from engine.payments.wechat.keys import VerifyingKeys
from engine.payments.wechat.transport import Arrival

KeysIn = Callable[[bytes], VerifyingKeys]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """How one merchant's answers are checked: by `keys`, which `certificates`, if there are any, keep up to date.

    public_key_id: the key that WeChat Pay is asked to sign with; None asks for the newest certificate.
    """

    keys: VerifyingKeys
    certificates: Certificates | None
    public_key_id: str | None

    def asked_for(self, now_s: float) -> str | None:
        """The serial to name in a request: WeChat Pay signs with that key, and opens what is encrypted for it."""
        return self.public_key_id or self.keys.newest(now_s)

    async def ready(self) -> bool:
        """Whether an answer could be verified at all: without that, nothing is sent."""
        if self.certificates is None:
            return True
        self.certificates.keep_fresh()
        return await self.certificates.ready()

    async def believed(
        self, arrived: Arrival | Silence, now_s: float, keys_in: KeysIn | None = None
    ) -> Answer | Silence:
        """The answer, if its signature is right; checked with the keys in its own body for who asks for keys.

        Those may meet a "no" signed by a key that only the "yes" could have brought: it is read unsigned.
        """
        if isinstance(arrived, Silence):
            return arrived
        keys = self.keys if keys_in is None else keys_in(arrived.body)
        judged = judge(arrived, keys, now_s, refusals_too=keys_in is None)
        if judged is Flaw.SERIAL_UNKNOWN and keys_in is None and self.certificates is not None:
            await self.certificates.learned(arrived.headers[SERIAL])
            judged = judge(arrived, keys, now_s)
        return judged if isinstance(judged, Answer) else Silence.NOT_AUTHENTIC


def judge(arrived: Arrival, keys: VerifyingKeys, now_s: float, *, refusals_too: bool = True) -> Answer | Flaw:
    """What arrived as an Answer, or why its signature is not right. A 2xx needs one, anything else may have one."""
    signed = 200 <= arrived.status < 300 or (refusals_too and SIGNATURE in arrived.headers)
    if signed:
        flaw = flaw_of(arrived.headers, arrived.body, keys=keys, now_s=now_s)
        if flaw is not None:
            return flaw
    return Answer(arrived.status, arrived.body, signed, arrived.headers.get("Request-ID", ""))
