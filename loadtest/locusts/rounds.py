"""One round in one process: the scene, the people who play in it, and their books.

A round is what lies between Locust's start and stop. Whoever plays in it, a user of Locust or an arrival of the open
loop, makes a whole visit in a greenlet of their own over one wire.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import gevent
from gevent import Greenlet

from loadtest.crowd.acting import act
from loadtest.crowd.journal import Journal, Stage
from loadtest.crowd.organizer import Desk, Organizer
from loadtest.crowd.protocol import Shop
from loadtest.crowd.scene import set_scene
from loadtest.crowd.testimony import pack
from loadtest.locusts.board import Row, rows_since
from loadtest.locusts.handing import Beat, Books
from loadtest.locusts.terms import Terms
from loadtest.profiles.casting import Visitor, cast, member, newcomer
from loadtest.profiles.fitting import fitted, only_bots, only_public
from loadtest.profiles.profile import Profile
from loadtest.recording.record import Record
from loadtest.recording.recorder import Recorder, timed_as
from loadtest.wires.greenlets import GreenletWire, finish
from loadtest.wires.network import Network
from loadtest.wires.port import Outage

Teller = Callable[[str, str, float, int, str | None], None]
"""Hears of every answer for Locust's statistics: method, name, seconds, bytes, and what was wrong, if anything was."""

PULSE_S = 0.05
BEAT_S = 1.0


class Round:
    def __init__(self, terms: Terms, *, client_id: str, index: int, tell: Teller) -> None:
        self.terms = terms
        self._client_id = client_id
        self._index = index
        self._tell = tell
        story = Profile.model_validate(terms.profile)
        net = story.network
        self.profile = story
        self.recorder = Recorder(wall_s=time.time)
        self.journal = Journal(buyer_count=0, recorder=self.recorder)
        self.wire = GreenletWire(
            dice=random.Random(story.seed * 7919 + index),
            observer=self._observe,
            network=None if net is None else Network(net.median_ms, net.p95_ms, net.dropped),
        )
        self.shop = Shop.at(public_url=terms.public_url, wechat_url=terms.wechat_url, sale=terms.sale)
        self._organizer = organizer_of(terms, self.wire, self.journal)
        self.beats: list[Beat] = []
        self._beside: list[Greenlet] = []
        self._told = 0

    def begin(self) -> None:
        """Set the scene. Raises Outage when the engine does not answer or does not sell this."""
        drop = finish(set_scene(self.wire, self.shop, self.journal, cdn=self.profile.cdn))
        later_s = (self.terms.curve_ms - drop.sale.opens_ms) / 1000
        self.drop = replace(drop, opens_at=drop.opens_at + later_s)
        self.profile = fitted(self.profile, drop.sale, pace=self.terms.pace)
        self._buyers = self._drawn(only_public(self.profile), newcomer)
        self._bots = self._drawn(only_bots(self.profile), newcomer)
        self._fans = (
            member(self.profile.model_copy(update={"seed": self.terms.fans_seed}), number)
            for number in self.terms.fans(self._client_id)
        )
        self._beside = [gevent.spawn(finish, self.drop.cache.run()), gevent.spawn(self._feel)]

    def _drawn(self, profile: Profile, draw: Callable[[Profile, int], Visitor]) -> Iterator[Visitor]:
        numbers = self.terms.numbers(self._client_id, index=self._index)
        return (draw(profile, number) for number in numbers)

    # Who comes.

    def buyer(self) -> Visitor | None:
        return next(self._buyers, None)

    def bot(self) -> Visitor | None:
        return next(self._bots, None)

    def fan(self) -> Visitor | None:
        """The next on the list of members; None when all of them came."""
        return next(self._fans, None)

    def arrivals(self) -> list[Visitor]:
        """This process's part of the story's open curve, in order."""
        latest = self.profile.run.after_opening_s
        everybody = [one for one in cast(self.profile) if one.arrives_s < latest]
        lobby = self.terms.lobby
        return [
            replace(one, arrives_s=one.arrives_s * lobby) if one.arrives_s < 0 else one
            for one in self.terms.part(everybody, self._client_id)
        ]

    def attend(self) -> bool:
        """One look of the organizer's at the sale; False where nobody said how to reach the admin listener."""
        if self._organizer is None:
            return False
        finish(self._organizer.attend())
        return True

    def visit(self, visitor: Visitor) -> None:
        """A whole visit; blocks this greenlet. Raises GreenletExit when it is stopped, and whatever an answer that
        made no sense did to the visitor; that is a complaint as well."""
        self.journal.stages[Stage.COMING] += 1
        try:
            finish(act(visitor, wire=self.wire, shop=self.shop, drop=self.drop))
        except Outage:
            raise
        except Exception as fault:
            self.journal.complain(f"an answer that made no sense: {fault!r}", about=visitor.openid)
            raise

    # What is told.

    def _observe(self, kind: str, outcome: str, elapsed_s: float) -> None:
        self.journal.observe(kind, outcome, elapsed_s)
        method, size = self.wire.sent
        wrong = outcome.removeprefix("outage:") if outcome.startswith("outage:") else None
        # A quick refusal must not flatter the latency of an order, so it has a line of its own.
        name = "order (refused)" if timed_as(kind, outcome) == "refusals" else kind
        self._tell(method, name, elapsed_s, size, wrong)

    def live(self) -> list[Row]:
        """The seconds that were not told yet, and the newest ones again."""
        seconds = self.recorder.seconds
        rows = rows_since(seconds, self._told)
        self._told = max(seconds, default=0)
        return rows

    def _feel(self) -> None:
        """How late and how busy this process is."""
        while True:
            began, cpu_s, lag_s = time.monotonic(), time.process_time(), 0.0
            while time.monotonic() - began < BEAT_S:
                due = time.monotonic() + PULSE_S
                gevent.sleep(PULSE_S)
                lag_s = max(lag_s, time.monotonic() - due)
            share = (time.process_time() - cpu_s) / (time.monotonic() - began)
            self.beats.append(Beat(round(time.time(), 3), round(share, 4), round(lag_s, 4)))

    def end(self) -> Books:
        """Close the books, once everybody has gone."""
        gevent.killall(self._beside)
        self.wire.close()
        self.recorder.finish()
        return Books(
            record=Record.of(self.recorder).packed(),
            testimony=pack(self.journal, wall_offset_s=time.time() - self.wire.now()),
            line_reads=self.drop.cache.read_count,
            beats=tuple(self.beats),
        )


def organizer_of(terms: Terms, wire: GreenletWire, journal: Journal) -> Organizer | None:
    if not terms.admin_urls or not terms.admin_key:
        return None
    desk = Desk(admin_url=terms.admin_urls[0], admin_key=terms.admin_key, sale=terms.sale)
    dice = random.Random(int(terms.profile["seed"]))
    return Organizer(wire, desk, journal=journal, dice=dice, may=terms.organizer)
