"""The stock scripts, typed: one method per verb, of the same name. Nothing is decided here.

Every call carries the epoch of the sale. A script that finds another epoch, or another run of the server than the
one it was opened in, answers FENCED and has changed nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgpack

from engine.catalog.records import Sale
from engine.infra.keys import SaleKeys
from engine.infra.redis import RedisStore, load_script
from engine.stock.claim import Claim, Item, pack_items
from engine.stock.codes import (
    AmendCode,
    ClearCode,
    ConfirmCode,
    DueCode,
    LoadCode,
    ObserveCode,
    OpenCode,
    ReleaseCode,
    ReserveCode,
    RetakeCode,
    ShrinkCode,
)

VERBS = ("reserve", "release", "confirm", "retake", "shrink", "amend", "clear", "load", "open", "observe", "due")

RESERVE_CODES = tuple(ReserveCode)  # by value
NO_CLAIMANTS = 1 << 40  # beyond any list: tell none


@dataclass(slots=True)  # not frozen: one is made for every order, and that doubles its cost
class Decision:
    """What was decided about one claim, under which epoch. For REPEATED, `order_no` is the first order's;
    `deadline_ms` is 0 once it is no longer held. Nobody changes it."""

    code: ReserveCode
    epoch: int
    order_no: str
    deadline_ms: int


@dataclass(frozen=True, slots=True)
class Terms:
    """What the catalog says about a sale, in the form the scripts take. quotas: the units of each lane, by ordinal."""

    opens_ms: int
    closes_ms: int
    hold_ms: int
    buyer_max: int
    paused: bool
    capacities: tuple[tuple[str, int], ...]
    quotas: tuple[int | None, ...] = (None,)
    round: int = 1

    @classmethod
    def of(cls, sale: Sale) -> "Terms":
        """The terms of a sale of the catalog."""
        return cls(
            opens_ms=sale.opens_ms,
            closes_ms=sale.closes_ms,
            hold_ms=sale.hold_s * 1000,
            buyer_max=sale.per_buyer_max,
            paused=sale.paused,
            capacities=tuple((sku.sku_id, sku.offered) for sku in sale.skus),
            quotas=tuple(lane.quota_units for lane in sale.lanes),
            round=sale.round,
        )

    def args(self) -> list[Any]:
        """ARGV 2 and on of `open` and `amend`."""
        flat = [part for capacity in self.capacities for part in capacity]
        quotas = ",".join("-" if quota is None else str(quota) for quota in self.quotas)
        window = (self.opens_ms, self.closes_ms, self.hold_ms, self.buyer_max, int(self.paused))
        return [*window, self.round, quotas, *flat]


@dataclass(frozen=True, slots=True)
class Shelf:
    """The units of one SKU. capacity = free + held + sold, always."""

    capacity: int
    free: int
    held: int
    sold: int


@dataclass(frozen=True, slots=True)
class LaneUnits:
    """Units held and sold through one lane, and how many that may be."""

    used: int = 0
    quota: int | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """One instant of a sale's stock, by the clock of Redis."""

    now_ms: int
    opens_ms: int
    closes_ms: int
    paused: bool
    shelves: dict[str, Shelf]
    new_claimants: list[bytes]
    lanes: dict[int, LaneUnits]


@dataclass(frozen=True, slots=True)
class DueHolds:
    """Holds past their deadline, and the time by which that was decided."""

    now_ms: int
    order_nos: list[str]


class Stock:
    """The eleven verbs. Raises RedisAway when the outcome is unknown."""

    def __init__(self, store: RedisStore) -> None:
        self._store = store
        self._scripts = {verb: load_script("stock", verb) for verb in VERBS}

    async def reserve(self, keys: SaleKeys, epoch: int, claims: Sequence[Claim]) -> list[Decision]:
        """Decide the claims in order."""
        reply = await self._store.run(
            self._scripts["reserve"],
            [
                keys.control,
                keys.stock,
                keys.buyers,
                keys.requests,
                keys.claims,
                keys.deadlines,
                keys.claimants,
                keys.line,
                keys.passes,
                keys.admitted,
                keys.turns,
            ],
            [
                epoch,
                msgpack.packb([claim.pack() for claim in claims], use_bin_type=False),
                b"".join([claim.nonce for claim in claims]),
            ],
        )
        if not reply:
            return [Decision(ReserveCode.FENCED, epoch, claim.order_no, 0) for claim in claims]
        deadline_ms, codes, repeats = reply
        decisions = [
            Decision(RESERVE_CODES[code], epoch, claim.order_no, deadline_ms)
            for code, claim in zip(codes, claims, strict=True)
        ]
        for at in range(0, len(repeats), 3):
            index, order_no, first_deadline_ms = repeats[at : at + 3]
            decisions[index] = Decision(ReserveCode.REPEATED, epoch, order_no.decode(), int(first_deadline_ms))
        return decisions

    async def release(
        self,
        keys: SaleKeys,
        epoch: int,
        order_nos: Sequence[str],
        *,
        sold: bool = False,
        forget: bool = False,
    ) -> list[ReleaseCode]:
        """Give units back: of holds, or with `sold` of refunded orders. `forget` drops the request id as well."""
        codes = await self._store.run(
            self._scripts["release"],
            [keys.control, keys.stock, keys.buyers, keys.requests, keys.claims, keys.deadlines],
            [epoch, "sold" if sold else "held", int(forget), *order_nos],
        )
        if codes == [ReleaseCode.FENCED]:
            return [ReleaseCode.FENCED] * len(order_nos)
        return [ReleaseCode(code) for code in codes]

    async def confirm(self, keys: SaleKeys, epoch: int, order_nos: Sequence[str]) -> list[ConfirmCode]:
        """The orders are paid: held becomes sold."""
        codes = await self._store.run(
            self._scripts["confirm"],
            [keys.control, keys.stock, keys.claims, keys.deadlines],
            [epoch, *order_nos],
        )
        if codes == [ConfirmCode.FENCED]:
            return [ConfirmCode.FENCED] * len(order_nos)
        return [ConfirmCode(code) for code in codes]

    async def retake(self, keys: SaleKeys, epoch: int, claim: Claim) -> RetakeCode:
        """Take the units of a released order again, straight to sold."""
        code = await self._store.run(
            self._scripts["retake"],
            [keys.control, keys.stock, keys.buyers, keys.claims, keys.deadlines, keys.claimants],
            [epoch, claim.pack()],
        )
        return RetakeCode(code)

    async def shrink(self, keys: SaleKeys, epoch: int, kept: Mapping[str, Sequence[Item]]) -> dict[str, ShrinkCode]:
        """Each of these paid orders keeps only these items; no item: it keeps nothing."""
        if not kept:
            return {}
        flat = [part for order_no, items in kept.items() for part in (order_no, pack_items(items))]
        codes = await self._store.run(
            self._scripts["shrink"],
            [keys.control, keys.stock, keys.buyers, keys.claims, keys.deadlines],
            [epoch, *flat],
        )
        if codes == [ShrinkCode.FENCED]:
            return dict.fromkeys(kept, ShrinkCode.FENCED)
        return {order_no: ShrinkCode(code) for order_no, code in zip(kept, codes, strict=True)}

    async def amend(self, keys: SaleKeys, epoch: int, terms: Terms) -> AmendCode:
        """Bring window, limits, pause and capacities in line with the catalog."""
        code = await self._store.run(
            self._scripts["amend"], [keys.control, keys.stock, keys.line], [epoch, *terms.args()]
        )
        return AmendCode(code)

    async def clear(self, keys: SaleKeys, epoch: int) -> tuple[ClearCode, int]:
        """Forget the sale and fence it under a new epoch; also tells the epoch that Redis had."""
        code, before = await self._store.run(self._scripts["clear"], keys.all(), [epoch])
        return ClearCode(code), int(before)

    async def load(self, keys: SaleKeys, epoch: int, claims: Sequence[tuple[Claim, int]]) -> LoadCode:
        """Put claims back, each with its deadline_ms; 0 when it is sold, -1 when it has no units any more."""
        flat: list[Any] = []
        for claim, deadline_ms in claims:
            flat.append(claim.pack())
            flat.append(deadline_ms)
        code = await self._store.run(
            self._scripts["load"],
            [
                keys.control,
                keys.stock,
                keys.buyers,
                keys.requests,
                keys.claims,
                keys.deadlines,
                keys.claimants,
            ],
            [epoch, *flat],
        )
        return LoadCode(code)

    async def open(self, keys: SaleKeys, epoch: int, terms: Terms) -> OpenCode:
        """Count what is free and let the sale sell in this run of the server."""
        code = await self._store.run(self._scripts["open"], [keys.control, keys.stock], [epoch, *terms.args()])
        return OpenCode(code)

    async def observe(self, keys: SaleKeys, epoch: int, claimants_known: int = NO_CLAIMANTS) -> Observation | None:
        """The sale at one instant, or None when it is fenced. Claimants are told from the given one on."""
        reply = await self._store.run(
            self._scripts["observe"], [keys.control, keys.stock, keys.claimants], [epoch, claimants_known]
        )
        if reply[0] == ObserveCode.FENCED:
            return None
        _, now_ms, opens_ms, closes_ms, paused, stock, claimants = reply
        shelves, lanes = _counted(stock)
        return Observation(now_ms, opens_ms, closes_ms, bool(paused), shelves, claimants, lanes)

    async def due(self, keys: SaleKeys, epoch: int, *, grace_ms: int, count_max: int) -> DueHolds | None:
        """Holds past their deadline by the grace, or None when the sale is fenced."""
        reply = await self._store.run(
            self._scripts["due"], [keys.control, keys.deadlines], [epoch, grace_ms, count_max]
        )
        if reply[0] == DueCode.FENCED:
            return None
        return DueHolds(reply[1], [order_no.decode() for order_no in reply[2]])


def _counted(flat: list[bytes]) -> tuple[dict[str, Shelf], dict[int, LaneUnits]]:
    numbers: dict[str, dict[str, int]] = {}
    lanes: dict[int, dict[str, int]] = {}
    for at in range(0, len(flat), 2):
        kind, _, sku_id = flat[at].decode().partition(":")
        if kind in LaneUnits.__slots__:
            lanes.setdefault(int(sku_id), {})[kind] = int(flat[at + 1])
            continue
        # A SKU that left the sale may have orders, and then it has no capacity here.
        numbers.setdefault(sku_id, dict.fromkeys(Shelf.__slots__, 0))[kind] = int(flat[at + 1])
    shelves = {sku_id: Shelf(**kinds) for sku_id, kinds in sorted(numbers.items())}
    return shelves, {lane: LaneUnits(**units) for lane, units in sorted(lanes.items())}
