"""Checks a published draw without trusting whoever published it. Pure: documents come in as they were served.

Every check says in plain words what was found. What could not be checked is said too: it is no failure, but nobody
should take it for a success.
"""

import enum
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from engine.line.draw.merkle import leaf, leaves, root_by_path, root_of
from engine.line.draw.permutation import permuted
from engine.line.draw.rules import ALGORITHM, commitment_of, randomness_of, seed_of, tag_of

COUNT_MAX = 1 << 32  # an index has four bytes in a leaf


class Verdict(enum.StrEnum):
    HOLDS = "holds"
    FAILS = "fails"
    UNCHECKED = "unchecked"


@dataclass(frozen=True, slots=True)
class Check:
    """One question and its answer."""

    name: str
    verdict: Verdict
    words: str


class Malformed(Exception):
    """A document lacks a field or has one of another kind; the text names it."""


def verify_draw(
    draw: Mapping[str, Any],
    *,
    entries: Mapping[int, Sequence[bytes]] | None = None,
    proof: Mapping[str, Any] | None = None,
    place: str | None = None,
    before: Mapping[str, Any] | None = None,
) -> list[Check]:
    """All checks of a draw document, in order.

    entries: the tags of a lane's whole lobby, by its ordinal; lanes may be left out. proof: one buyer's proof. place:
    the signed place that the buyer was given before the draw. before: the draw document as somebody saved it earlier.
    Raises Malformed for what is no draw document or no proof.
    """
    try:
        return list(_checks(draw, entries or {}, proof, place, before))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        raise Malformed(f"{type(error).__name__}: {error}") from error


def _checks(
    draw: Mapping[str, Any],
    entries: Mapping[int, Sequence[bytes]],
    proof: Mapping[str, Any] | None,
    place: str | None,
    before: Mapping[str, Any] | None,
) -> Iterator[Check]:
    rules, sale_id = draw["rules"], str(draw["sale"])
    yield _check(
        "algorithm",
        rules["algorithm"] == ALGORITHM,
        f"The rules name algorithm {ALGORITHM}, which is the one checked here.",
        f"The rules name algorithm {rules['algorithm']}; this program knows {ALGORITHM} only.",
    )
    if before is None:
        yield _unchecked("rules", "No earlier copy was given, so a change of the rules would not be seen here.")
    else:
        yield _check(
            "rules",
            before["rules"] == rules and before["sale"] == sale_id,
            "The rules are those of the earlier copy.",
            "The rules are not those of the earlier copy.",
        )
    if draw["state"] != "drawn":
        yield Check("drawn", Verdict.FAILS, f"The draw is not made yet; its state is {draw['state']}.")
        return
    secret = _octets(draw["secret"], 32)
    yield _check(
        "commitment",
        commitment_of(secret) == _octets(rules["commitment"], 32),
        "The secret is the one that was committed to beforehand.",
        "The secret is NOT the one that was committed to beforehand.",
    )
    yield _beacon_check(draw)
    record = draw["beacon"]
    randomness = _octets(draw["randomness"], 32)
    yield _check(
        "randomness",
        randomness == randomness_of(secret, _octets(record["randomness"], 32) if record else None),
        "The randomness is the hash of the secret" + (" and the beacon's round." if record else "."),
        "The randomness is NOT the hash that the rules ask for.",
    )
    yield from _lane_checks(draw, sale_id, randomness, entries)
    if proof is not None:
        yield from _proof_checks(draw, sale_id, entries, proof, place)


def _beacon_check(draw: Mapping[str, Any]) -> Check:
    named, record = draw["rules"]["beacon"], draw["beacon"]
    if named is None and record is None:
        return _unchecked(
            "beacon",
            "The rules name no public beacon: the organizer's server knew the secret while people gathered, so that "
            "it did not steer the draw with entries of its own is not shown.",
        )
    holds = (
        named is not None
        and record is not None
        and record["round"] == named["round"]
        and sha256(bytes.fromhex(record["signature"])).digest() == _octets(record["randomness"], 32)
    )
    url = f"{str(named['url']).rstrip('/')}/public/{named['round']}" if named else ""
    return _check(
        "beacon",
        holds,
        f"The beacon's record is of the round in the rules and hashes to its randomness; compare it with {url}",
        "The beacon's record is NOT the round that the rules name.",
    )


def _lane_checks(
    draw: Mapping[str, Any], sale_id: str, randomness: bytes, entries: Mapping[int, Sequence[bytes]]
) -> Iterator[Check]:
    names = {lane["lane"]: str(lane["id"]) for lane in draw["rules"]["lanes"]}
    yield _check(
        "lanes",
        sorted(names) == sorted(lane["lane"] for lane in draw["lanes"]),
        "The lanes that were drawn are those of the rules.",
        "The lanes that were drawn are NOT those of the rules.",
    )
    seen: set[bytes] = set()
    for lane in draw["lanes"]:
        ordinal, count, root = int(lane["lane"]), _count(lane["n"]), _octets(lane["root"], 32)
        name = names.get(ordinal, str(ordinal))
        seed = seed_of(sale_id=sale_id, lane=ordinal, root=root, count=count, randomness=randomness)
        yield _check(
            f"seed of {name}",
            seed == _octets(lane["seed"], 32),
            f"Lane {name}: the seed is the hash of its {count:,} entries' root and the randomness.",
            f"Lane {name}: the seed is NOT the hash that the rules ask for.",
        )
        tags = entries.get(ordinal)
        if tags is None:
            yield _unchecked(f"entries of {name}", f"Lane {name}: its entries were not given, so its root is taken.")
            continue
        once = len(seen) + len(tags)
        seen.update(tags)
        yield _check(
            f"entries of {name}",
            len(tags) == count and root_of(leaves(ordinal, 0, tags)) == root,
            f"Lane {name}: the root is that of all {count:,} entries.",
            f"Lane {name}: the {len(tags):,} entries do NOT give the root over {count:,}.",
        )
        yield _check(
            f"one entry each in {name}",
            len(seen) == once,
            f"Lane {name}: nobody is entered twice.",
            f"Lane {name}: {once - len(seen)} entries stand there for a second time.",
        )


def _proof_checks(
    draw: Mapping[str, Any],
    sale_id: str,
    entries: Mapping[int, Sequence[bytes]],
    proof: Mapping[str, Any],
    place: str | None,
) -> Iterator[Check]:
    ordinal, index, tag = int(proof["lane"]), int(proof["index"]), _octets(proof["tag"], 16)
    lane = next((one for one in draw["lanes"] if one["lane"] == ordinal), None)
    if lane is None or proof["sale"] != sale_id:
        yield Check("proof", Verdict.FAILS, "The proof is for another draw.")
        return
    count, root = _count(lane["n"]), _octets(lane["root"], 32)
    path = [_octets(step, 32) for step in proof["path"]]
    inside = root_by_path(leaf(ordinal, index, tag), index, count, path) == root
    tags = entries.get(ordinal)
    if tags is not None and inside:
        inside = tags[index] == tag
    yield _check(
        "inclusion",
        inside,
        f"Your entry has the index {index} among the {count:,} of your lane.",
        "Your entry is NOT among those of the root.",
    )
    position = permuted(_octets(lane["seed"], 32), index, count) if 0 <= index < count else None
    yield _check(
        "position",
        position is not None and position == proof["position"],
        f"Your position is {position}: so many of your lane's lobby stand before you.",
        f"Your position by the rules is {position}, the proof says {proof['position']}.",
    )
    if place is None:
        yield _unchecked("place", "Your signed place was not given, so that the entry is yours is not shown.")
        return
    yield _check(
        "place",
        _is_entry_of(place, sale_id, ordinal, index, tag),
        "The signed place that you were given before the draw names this entry.",
        "The signed place that you were given does NOT name this entry.",
    )


def _is_entry_of(place: str, sale_id: str, ordinal: int, index: int, tag: bytes) -> bool:
    """Whether a place is of this entry. Its bytes are laid out in docs/draw.md; only we can check its signature."""
    try:
        payload = urlsafe_b64decode(place + "=" * (-len(place) % 4))[6:-16]
    except ValueError:
        return False
    return (
        tag_of(sale_id, payload[:16]) == tag
        and payload[16:18] == bytes((ordinal, 0))
        and int.from_bytes(payload[24:32], "big") == index
        and payload[32:] == sale_id.encode()
    )


def _octets(text: str, length: int) -> bytes:
    value = bytes.fromhex(text)
    if len(value) != length:
        raise ValueError(f"{length} bytes were expected where there are {len(value)}")
    return value


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < COUNT_MAX:
        raise ValueError("a lane's n is no number of people")
    return value


def _check(name: str, holds: bool, yes: str, no: str) -> Check:
    return Check(name, Verdict.HOLDS, yes) if holds else Check(name, Verdict.FAILS, no)


def _unchecked(name: str, words: str) -> Check:
    return Check(name, Verdict.UNCHECKED, words)
