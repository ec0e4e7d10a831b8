"""What RSA costs a process: how many signatures it made and verified, and the CPU time of just that.

A load test plays WeChat on the machine that it measures. What WeChat's own servers would have paid is told apart here,
so that it can be taken off. The time is that of the thread in which the work is done, so neither waiting for a core
nor what other threads do is in it; reading base64 is.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from engine.simulator.keys import crypto


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Signatures made and verified, right or wrong, and the seconds of CPU for each; `cpu_s` is for everything the
    process has done so far, these included."""

    cpu_s: float = 0.0
    signed: int = 0
    sign_cpu_s: float = 0.0
    verified: int = 0
    verify_cpu_s: float = 0.0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(**{each.name: getattr(self, each.name) + getattr(other, each.name) for each in fields(Spent)})

    def document(self) -> dict[str, int | float]:
        """For JSON, and for the links between the processes."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Share:
    """What one process of a simulator has spent; None when it did not say in time."""

    pid: int
    role: str
    spent: Spent | None


def document(shares: Sequence[Share]) -> dict[str, object]:
    """What all processes spent, one by one and together; `silent` are those that did not say."""
    told = [(share, share.spent) for share in shares if share.spent is not None]
    return {
        "processes": [{"pid": share.pid, "role": share.role, **spent.document()} for share, spent in told],
        "silent": [share.pid for share in shares if share.spent is None],
        "total": sum((spent for _, spent in told), Spent()).document(),
    }


class Costs:
    """Signs and verifies as `crypto` does, and counts. May be used by many threads at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._signed = self._verified = 0
        self._sign_cpu_s = self._verify_cpu_s = 0.0

    def sign(self, key: RSAPrivateKey, message: bytes) -> str:
        began_s = time.thread_time()
        signature = crypto.sign(key, message)
        spent_s = time.thread_time() - began_s
        with self._lock:
            self._signed += 1
            self._sign_cpu_s += spent_s
        return signature

    def verify(self, key: RSAPublicKey, message: bytes, signature: str) -> bool:
        began_s = time.thread_time()
        is_right = crypto.verify(key, message, signature)
        spent_s = time.thread_time() - began_s
        with self._lock:
            self._verified += 1
            self._verify_cpu_s += spent_s
        return is_right

    def spent(self) -> Spent:
        """So far, by this process."""
        with self._lock:
            # The whole is read last: it is never less than its parts.
            return Spent(
                signed=self._signed,
                sign_cpu_s=self._sign_cpu_s,
                verified=self._verified,
                verify_cpu_s=self._verify_cpu_s,
                cpu_s=time.process_time(),
            )
