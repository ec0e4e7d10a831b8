"""The test vectors of the draw: what they are made of. `python -m tests.line.draw.vectors` writes the file anew; a
difference to the file that is checked in means that draws made before could not be verified any more."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from engine.line.draw.merkle import leaves, levels_of, path_in, root_of
from engine.line.draw.permutation import permuted
from engine.line.draw.rules import commitment_of, randomness_of, seed_of, tag_of

FILE = Path(__file__).with_name("vectors.json")
SIZES = (1, 2, 3, 4, 5, 10, 255, 1000, 1023, 1024, 1025, 1026, 5000, 65_536, 65_537, 100_000, 1_000_000, 2**32 - 1)
LOBBIES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 100, 4095, 4096, 4097, 8193)


def vector_seed(number: int) -> bytes:
    return sha256(b"seed %d" % number).digest()


def vector_tags(count: int) -> list[bytes]:
    """The tags of the vectors' entries: the first half of the hash of each index in four bytes."""
    return [sha256(index.to_bytes(4, "big")).digest()[:16] for index in range(count)]


def permutations() -> list[dict[str, Any]]:
    made = []
    for number, count in enumerate(SIZES):
        seed = vector_seed(number)
        wanted = {0, 1, 2, count // 3, count // 2, count - 2, count - 1}
        indexes = sorted(index for index in wanted if 0 <= index < count)
        positions = [permuted(seed, index, count) for index in indexes]
        made.append({"seed": seed.hex(), "n": count, "indexes": indexes, "positions": positions})
    return made


def roots() -> list[dict[str, Any]]:
    return [
        {"lane": count % 8, "n": count, "root": root_of(leaves(count % 8, 0, vector_tags(count))).hex()}
        for count in LOBBIES
    ]


def proofs() -> list[dict[str, Any]]:
    made = []
    for count in LOBBIES[1:]:
        lane, tags = count % 8, vector_tags(count)
        levels = levels_of(leaves(lane, 0, tags))
        for index in sorted({0, count // 2, count - 1}):
            path = [step.hex() for step in path_in(levels, index)]
            root = levels[-1][0].hex()
            made.append(
                {"lane": lane, "index": index, "tag": tags[index].hex(), "n": count, "path": path, "root": root}
            )
    return made


def rules() -> list[dict[str, Any]]:
    made = []
    for number, (sale, beacon) in enumerate((("concert", b""), ("concert", sha256(b"beacon").digest()), ("a", b""))):
        secret, root, buyer = (sha256(b"%s %d" % (name, number)).digest() for name in (b"secret", b"root", b"buyer"))
        randomness = randomness_of(secret, beacon or None)
        given = {"sale": sale, "buyer": buyer[:16].hex(), "lane": number, "root": root.hex(), "n": 1000 * number}
        made.append(
            {
                **given,
                "secret": secret.hex(),
                "beacon": beacon.hex(),
                "tag": tag_of(sale, buyer[:16]).hex(),
                "commitment": commitment_of(secret).hex(),
                "randomness": randomness.hex(),
                "seed": seed_of(sale_id=sale, lane=number, root=root, count=1000 * number, randomness=randomness).hex(),
            }
        )
    return made


def vectors() -> dict[str, Any]:
    return {"permutations": permutations(), "roots": roots(), "proofs": proofs(), "rules": rules()}


if __name__ == "__main__":
    FILE.write_text(json.dumps(vectors(), indent=1) + "\n")
