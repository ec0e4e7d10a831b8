"""The floor under a paid checkout: the RSA-2048 work that WeChat Pay's protocol makes unavoidable.

The engine signs the order request and the parameters for `wx.requestPayment`, and verifies the answer
and the callback. The simulator signs its answer and its callback, and verifies the request. No checkout
can cost less, whatever is done around it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

SIGNS_PER_CHECKOUT = 4
VERIFIES_PER_CHECKOUT = 3
MESSAGE = b"x" * 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    sign_us: float
    verify_us: float

    @property
    def checkout_us(self) -> float:
        return SIGNS_PER_CHECKOUT * self.sign_us + VERIFIES_PER_CHECKOUT * self.verify_us

    def checkouts_per_s(self, cores: int) -> float:
        return cores * 1e6 / self.checkout_us


def _cpu_us(work: Callable[[], object], times: int) -> float:
    # CPU time of this thread, not wall time: somebody else on the core must not raise the floor's price.
    began_s = time.thread_time()
    for _ in range(times):
        work()
    return (time.thread_time() - began_s) * 1e6 / times


def measure(*, times: int = 300) -> Floor:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public, padded, digest = key.public_key(), padding.PKCS1v15(), SHA256()
    signature = key.sign(MESSAGE, padded, digest)
    return Floor(
        sign_us=_cpu_us(lambda: key.sign(MESSAGE, padded, digest), times),
        verify_us=_cpu_us(lambda: public.verify(signature, MESSAGE, padded, digest), times * 10),
    )
