"""Where members stand in a lobby of a million: computed when somebody asks, for nothing is written down."""

import secrets

from bench.micro.beside import Beside
from bench.micro.yardsticks import python_steps
from engine.line.draw.permutation import permuted

MEMBERS = 1_000_000
MANY, FEW = 500, 50


def _indexes(count: int) -> list[int]:
    return [at * (MEMBERS // count) for at in range(count)]


def test_500_positions_under_a_known_seed(beside: Beside) -> None:
    """The seed has answered often: its round functions are remembered."""
    seed, indexes = b"s" * 32, _indexes(MANY)
    for index in range(0, MEMBERS, 50):
        permuted(seed, index, MEMBERS)
    beside(lambda: [permuted(seed, index, MEMBERS) for index in indexes], python_steps)


def test_50_positions_under_a_new_seed(beside: Beside) -> None:
    """Right after a draw: nearly every round still costs a hash."""
    indexes = _indexes(FEW)
    beside(
        lambda seed: [permuted(seed, index, MEMBERS) for index in indexes],
        lambda _: python_steps(),
        prepare=lambda: (secrets.token_bytes(32),),
    )
