"""Checking passes, as the order path does before anything else: a seal opened, and bound to this buyer and sale."""

import secrets

from bench.micro.beside import Beside
from bench.micro.yardsticks import python_steps
from engine.infra.seals import SealKeys
from engine.line.place import BUYER_BYTES, NONCE_BYTES, Pass, read_pass, seal_pass

PASSES = 200
NOW_S = 1_800_000_000
SALE = "spring-2027"


def _keys() -> SealKeys:
    return SealKeys({0: b"k" * 32, 1: b"l" * 32}, 1)


def _shown() -> list[tuple[bytes, str]]:
    """Buyers, each with the pass that was sealed for them."""
    keys, shown = _keys(), []
    for _ in range(PASSES):
        admission = Pass(secrets.token_bytes(BUYER_BYTES), SALE, 0, 7, secrets.token_bytes(NONCE_BYTES))
        shown.append((admission.buyer, seal_pass(keys, admission, expires_s=NOW_S + 60)))
    return shown


def _check(keys: SealKeys, shown: list[tuple[bytes, str]]) -> None:
    for buyer, text in shown:
        assert read_pass(keys, text, buyer, SALE, now_s=NOW_S) is not None


def test_200_new_passes_are_checked(beside: Beside) -> None:
    """None was seen before: each worker sees most passes once."""
    shown = _shown()
    beside(lambda keys: _check(keys, shown), lambda _: python_steps(), prepare=lambda: (_keys(),))


def test_200_known_passes_are_checked(beside: Beside) -> None:
    """All were seen before, as in a storm of repeats."""
    keys, shown = _keys(), _shown()
    beside(lambda: _check(keys, shown), python_steps)
