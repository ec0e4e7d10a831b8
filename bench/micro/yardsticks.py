"""What the units are measured in: fixed work of the same kind, done in the same run.

Plain Python for plain Python, an RSA verification for callbacks, a script of small reads for scripts. None of them
touches the engine, so a change of the engine never moves a yardstick. They must not change: every baseline is
counted in them.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

STEPS = 2_000
VERIFICATIONS = 20
READS = 1_000

# Takes whatever keys and arguments a script of ours takes, and does as little as a script can do with one key.
SMALL_READS = f"""#!lua flags=no-writes
local found = 0
for i = 1, {READS} do
  found = found + redis.call('HEXISTS', KEYS[1], i)
end
return found
"""

_TEXT = bytes(range(256))
_KNOWN = {_TEXT[at : at + 8]: at for at in range(0, 248, 2)}
_PRIME = 2_147_483_647


def python_steps() -> int:
    """Slicing, looking up, reckoning, making tuples: what the engine's own Python is made of."""
    total, made = 1, []
    for step in range(STEPS):
        word = _TEXT[step % 248 : step % 248 + 8]
        total = (total * 31 + int.from_bytes(word, "big")) % _PRIME
        made.append((_KNOWN.get(word, -1), total))
    return len(made)


def verifications(key: RSAPrivateKey, message: bytes) -> Callable[[], None]:
    """RSA-2048 over this message: no callback can be believed for less."""
    padding, digest = PKCS1v15(), SHA256()
    signature, public = key.sign(message, padding, digest), key.public_key()

    def verify_all() -> None:
        for _ in range(VERIFICATIONS):
            public.verify(signature, message, padding, digest)

    return verify_all
