"""What happened in a run, as the buyers saw it: the only memory that the verdict and the live view read.

One event loop writes it, nobody else; it keeps no request bodies and decides nothing. Latency counts from the
first attempt of a request to its final answer, so a retry or a wait for a connection is part of it.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Sequence

from loadtest.crowd.answers import Order
from loadtest.crowd.fairness import Claiming
from loadtest.crowd.line import Pass, Place
from loadtest.crowd.protocol import Phone
from loadtest.crowd.told import Told, reachable
from loadtest.recording.kinds import PAID
from loadtest.recording.recorder import Recorder
from loadtest.recording.trust import MISSED_S

ORDER = "order"


class Stage(enum.Enum):
    """Where one buyer is."""

    COMING = "still to come"
    WAITING = "in the line"
    ASKING = "asking for units"
    HOLDING = "holding units"
    PAID = "paid"
    LEFT = "left"


class Journal:
    def __init__(self, *, buyer_count: int, recorder: Recorder | None = None) -> None:
        """`recorder` hears of everything with its time."""
        self._recorder = recorder
        self.stages: Counter[Stage] = Counter({Stage.COMING: buyer_count})
        self.leavings: Counter[str] = Counter()
        self.complaints: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        self.told: dict[str, Told] = {}
        self.phones: dict[str, Phone] = {}
        """Whose orders are read at the end: all who were told of one, and all who may have one untold."""
        self.wanted: Counter[str] = Counter()
        self.places: dict[str, Place] = {}
        """The place of every buyer by openid, as it was told last."""
        self.witness: tuple[Phone, Place] | None = None
        """Somebody who was in the lobby, to ask for a proof of the draw."""
        self.claimings: list[Claiming] = []
        """Of everybody who saw that they were called."""
        self.room_waits = 0
        """How often somebody who was called was told to wait for room."""
        self.spare_pass: tuple[str, Pass] | None = None
        """The last claimed pass and its owner, for those who use another's."""
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.order_s: list[float] = []
        self.refusal_s: list[float] = []
        self.orders_at: Counter[int] = Counter()
        self.refusals_at: Counter[int] = Counter()
        """How many answers fell into each whole second of the run."""
        self.arrival_lag_s: list[float] = []
        self.second = 0

    def observe(self, kind: str, outcome: str, elapsed_s: float) -> None:
        """Hears of every request on the wire; see `protocol.Observer`."""
        self.outcomes[kind, outcome] += 1
        if self._recorder is not None:
            self._recorder.observe(kind, outcome, elapsed_s)
        if kind != ORDER or outcome.startswith("outage:"):
            return
        if outcome == "201":
            self.order_s.append(elapsed_s)
            self.orders_at[self.second] += 1
        elif not outcome.isdigit():
            self.refusal_s.append(elapsed_s)
            self.refusals_at[self.second] += 1

    def arrive(self, *, lag_s: float) -> None:
        """Somebody set out, so long after they meant to."""
        self.arrival_lag_s.append(lag_s)
        if self._recorder is not None:
            self._recorder.arrive(missed=lag_s > MISSED_S)

    def paid(self, *, waited_s: float) -> None:
        """Somebody was told that the order is paid, so long after the money moved."""
        if self._recorder is not None:
            self._recorder.observe(PAID, "200", waited_s)

    def move(self, before: Stage, after: Stage) -> None:
        self.stages[before] -= 1
        self.stages[after] += 1

    def keep_place(self, phone: Phone, place: Place) -> None:
        self.places[phone.openid] = place
        if place.cohort == "lobby" and place.position is not None and self.witness is None:
            self.witness = (phone, place)

    def shared_places(self) -> list[str]:
        """Places that more than one buyer was told to have; everybody has one of their own."""
        owners = Counter((place.lane, place.position) for place in self.places.values() if place.position is not None)
        return [f"{lane} {position}" for (lane, position), count in sorted(owners.items()) if count > 1]

    def remember(self, phone: Phone) -> None:
        if phone.is_logged_in:
            self.phones[phone.openid] = phone

    def acknowledge(self, phone: Phone, order: Order) -> Told:
        """Remember what the engine told; a state that cannot follow the one told before is a complaint."""
        told = self.told.get(order.order_no)
        if told is None:
            self.remember(phone)
            told = Told(phone.openid, order.order_no, order.units, order.amount_fen, order.deadline_ms, order.state)
            self.told[order.order_no] = told
        else:
            self.update(told, order.state)
        return told

    def update(self, told: Told, state: str) -> None:
        if state not in reachable(told.state):
            self.complain(f"an order went from {told.state} to {state}", about=told.order_no)
        told.state = state

    def complain(self, what: str, *, about: str = "") -> None:
        """Count what no promise allows, and keep the first case of each for whoever looks into it."""
        self.complaints[what] += 1
        self.examples.setdefault(what, about)

    def refusals_by_code(self) -> dict[str, int]:
        """Refused orders; what the other routes refuse is in `outcomes`."""
        codes = {
            outcome: count
            for (kind, outcome), count in self.outcomes.items()
            if kind == ORDER and not outcome.isdigit() and not outcome.startswith("outage:")
        }
        return dict(sorted(codes.items(), key=lambda item: -item[1]))

    def outage_count(self) -> int:
        return sum(count for (_, outcome), count in self.outcomes.items() if outcome.startswith("outage:"))


def percentile_ms(samples_s: Sequence[float], share: float) -> float:
    """The sample at `share` (0..1) of the sorted samples, in milliseconds; 0 without samples."""
    if not samples_s:
        return 0.0
    ranked = sorted(samples_s)
    return round(ranked[min(len(ranked) - 1, int(share * len(ranked)))] * 1000, 2)
