"""A draw is believed when every step holds, and not when any one of them was changed."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pytest

from engine.infra.seals import SealKeys
from engine.line.draw.merkle import leaves, levels_of, path_in, root_of
from engine.line.draw.permutation import permuted
from engine.line.draw.rules import commitment_of, randomness_of, seed_of, tag_of
from engine.line.draw.verifying import Malformed, Verdict, verify_draw
from engine.line.place import Cohort, Place, seal_place

SALE = "concert"
KEYS = SealKeys({1: b"a key of this test alone"}, 1)
FANS = 1030  # enough for the network; smaller lobbies are shuffled
MINE = 700  # the index whose proof is checked


def buyer(lane: int, index: int) -> bytes:
    return sha256(b"%d %d" % (lane, index)).digest()[:16]


@dataclass
class Published:
    """What anybody holds in hand after a draw."""

    draw: dict[str, Any]
    entries: dict[int, list[bytes]]
    proof: dict[str, Any]
    place: str

    def verdicts(self) -> dict[str, Verdict]:
        checks = verify_draw(self.draw, entries=self.entries, proof=self.proof, place=self.place)
        return {check.name: check.verdict for check in checks}

    def task(self) -> dict[str, Any]:
        entries = {str(lane): b"".join(tags).hex() for lane, tags in self.entries.items()}
        return {"task": "verify", "draw": self.draw, "entries": entries, "proof": self.proof, "place": self.place}


def published(*, with_beacon: bool = False) -> Published:
    """A draw as the rules want it: a lane that is ordered by the network and one that is shuffled."""
    counts = {0: FANS, 1: 5}
    secret = sha256(b"secret").digest()
    signature = sha256(b"signature").digest() * 3
    beacon = sha256(signature).digest()
    randomness = randomness_of(secret, beacon if with_beacon else None)
    entries = {lane: [tag_of(SALE, buyer(lane, index)) for index in range(n)] for lane, n in counts.items()}
    levels = {lane: levels_of(leaves(lane, 0, tags)) for lane, tags in entries.items()}
    roots = {lane: one[-1][0] for lane, one in levels.items()}
    seeds = {
        lane: seed_of(sale_id=SALE, lane=lane, root=root, count=counts[lane], randomness=randomness)
        for lane, root in roots.items()
    }
    draw = {
        "v": 1,
        "sale": SALE,
        "state": "drawn",
        "rules": {
            "algorithm": 1,
            "lanes": [
                {"lane": 0, "id": "fans", "entry": "codes", "weight": 1},
                {"lane": 1, "id": "public", "entry": "everyone", "weight": 1},
            ],
            "lobby_opens_ms": None,
            "lobby_closes_ms": 1,
            "commitment": commitment_of(secret).hex(),
            "beacon": {"url": "https://beacon.example", "round": 7} if with_beacon else None,
        },
        "sealed_ms": 2,
        "lanes": [
            {"lane": lane, "n": n, "root": roots[lane].hex(), "seed": seeds[lane].hex()} for lane, n in counts.items()
        ],
        "secret": secret.hex(),
        "beacon": {"round": 7, "randomness": beacon.hex(), "signature": signature.hex()} if with_beacon else None,
        "randomness": randomness.hex(),
    }
    proof = {
        "v": 1,
        "sale": SALE,
        "lane": 0,
        "index": MINE,
        "tag": entries[0][MINE].hex(),
        "path": [step.hex() for step in path_in(levels[0], MINE)],
        "n": counts[0],
        "root": roots[0].hex(),
        "position": permuted(seeds[0], MINE, counts[0]),
    }
    place = seal_place(KEYS, Place(buyer(0, MINE), SALE, 0, Cohort.LOBBY, 3, MINE), expires_s=2**31)
    return Published(draw, entries, proof, place)


HONEST = published()
WITH_BEACON = published(with_beacon=True)


def with_another_entry(one: Published) -> None:
    one.entries[1][2] = bytes(16)


def with_a_double_entry(one: Published) -> None:
    """One tag stands there twice, and the house has computed its root over that."""
    one.entries[1][2] = one.entries[1][3]
    root = root_of(leaves(1, 0, one.entries[1]))
    seed = seed_of(sale_id=SALE, lane=1, root=root, count=5, randomness=bytes.fromhex(one.draw["randomness"]))
    one.draw["lanes"][1] |= {"root": root.hex(), "seed": seed.hex()}


def with_a_missing_lane(one: Published) -> None:
    del one.draw["lanes"][1]


def of_another_place(one: Published) -> None:
    one.place = seal_place(KEYS, Place(buyer(0, 9), SALE, 0, Cohort.LOBBY, 3, MINE), expires_s=2**31)


def of_a_place_with_another_index(one: Published) -> None:
    one.place = seal_place(KEYS, Place(buyer(0, MINE), SALE, 0, Cohort.LOBBY, 3, 9), expires_s=2**31)


def of_no_place_at_all(one: Published) -> None:
    one.place = "a"


def of_a_live_place(one: Published) -> None:
    one.place = seal_place(KEYS, Place(buyer(0, MINE), SALE, 0, Cohort.LIVE, 3, MINE), expires_s=2**31)


def setting(*keys: Any, to: Any) -> Callable[[Published], None]:
    def change(one: Published) -> None:
        found: Any = {"draw": one.draw, "proof": one.proof}
        for key in keys[:-1]:
            found = found[key]
        assert found[keys[-1]] != to
        found[keys[-1]] = to

    return change


OTHER = sha256(b"other").hexdigest()
LIES = [
    ("another algorithm", "algorithm", setting("draw", "rules", "algorithm", to=2)),
    ("not drawn yet", "drawn", setting("draw", "state", to="sealed")),
    ("another secret", "commitment", setting("draw", "secret", to=OTHER)),
    ("another commitment", "commitment", setting("draw", "rules", "commitment", to=OTHER)),
    ("another randomness", "randomness", setting("draw", "randomness", to=OTHER)),
    ("another seed", "seed of fans", setting("draw", "lanes", 0, "seed", to=OTHER)),
    ("another root", "entries of fans", setting("draw", "lanes", 0, "root", to=OTHER)),
    ("another number of entries", "entries of public", setting("draw", "lanes", 1, "n", to=6)),
    ("another lane", "lanes", with_a_missing_lane),
    ("another entry", "entries of public", with_another_entry),
    ("a double entry", "one entry each in public", with_a_double_entry),
    ("another sale's proof", "proof", setting("proof", "sale", to="other")),
    ("another index", "inclusion", setting("proof", "index", to=MINE + 1)),
    ("an index beyond the lobby", "inclusion", setting("proof", "index", to=FANS)),
    ("another tag", "inclusion", setting("proof", "tag", to=OTHER[:32])),
    ("another step", "inclusion", setting("proof", "path", 3, to=OTHER)),
    ("another position", "position", setting("proof", "position", to=-1)),
    ("somebody else's place", "place", of_another_place),
    ("a place with another index", "place", of_a_place_with_another_index),
    ("what is no place", "place", of_no_place_at_all),
    ("a place behind the draw", "place", of_a_live_place),
]
LIES_WITH_A_BEACON = [
    ("another round", "beacon", setting("draw", "beacon", "round", to=8)),
    ("another signature", "beacon", setting("draw", "beacon", "signature", to=OTHER)),
    ("another beacon's randomness", "randomness", setting("draw", "beacon", "randomness", to=OTHER)),
    ("a beacon that no rule named", "beacon", setting("draw", "rules", "beacon", to=None)),
]


def told(honest: Published, lie: Callable[[Published], None]) -> Published:
    changed = copy.deepcopy(honest)
    lie(changed)
    return changed


EVERY_LIE = [
    *((words, name, told(HONEST, lie)) for words, name, lie in LIES),
    *((words, name, told(WITH_BEACON, lie)) for words, name, lie in LIES_WITH_A_BEACON),
]


def test_an_honest_draw_is_believed() -> None:
    verdicts = HONEST.verdicts()
    assert {name for name, verdict in verdicts.items() if verdict is not Verdict.HOLDS} == {"rules", "beacon"}
    assert Verdict.FAILS not in verdicts.values()


def test_an_honest_draw_with_a_beacon_is_believed() -> None:
    assert WITH_BEACON.verdicts()["beacon"] is Verdict.HOLDS


@pytest.mark.parametrize(("name", "changed"), [lie[1:] for lie in EVERY_LIE], ids=[lie[0] for lie in EVERY_LIE])
def test_a_lie_is_seen_by_its_check(name: str, changed: Published) -> None:
    assert changed.verdicts()[name] is Verdict.FAILS


def test_rules_that_changed_since_they_were_saved_are_seen() -> None:
    before = copy.deepcopy(HONEST.draw)
    assert verify_draw(HONEST.draw, before=before)[1].verdict is Verdict.HOLDS
    before["rules"]["lobby_closes_ms"] = 0
    assert verify_draw(HONEST.draw, before=before)[1].verdict is Verdict.FAILS


def test_without_entries_the_roots_are_taken_and_that_is_said() -> None:
    verdicts = {check.name: check.verdict for check in verify_draw(HONEST.draw)}
    assert verdicts["entries of fans"] is verdicts["entries of public"] is Verdict.UNCHECKED
    assert Verdict.FAILS not in verdicts.values()


@pytest.mark.parametrize("changed", [{}, {"rules": []}, {**HONEST.draw, "secret": "zz"}, {**HONEST.draw, "lanes": 1}])
def test_what_is_no_draw_is_not_judged(changed: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        verify_draw(changed)
