"""The open loop in one process: everybody sets out at their moment, whatever the server does.

Moments are fixed before the first comes. A visitor's greenlet is made shortly before the arrival, so that a hundred
thousand people to come cost nothing yet. Latencies count from the moment, not from when the greenlet ran; who could
not be sent in time, or not at all, is missed (`Journal.arrive`).
"""

from __future__ import annotations

import contextlib

import gevent
from gevent.pool import Group

from loadtest.locusts.rounds import Round
from loadtest.profiles.casting import Visitor

AHEAD_S = 0.5
AT_ONCE = 64
"""After so many visitors in one go the others get their turn."""


def play(running: Round) -> None:
    """This process's part of the story; returns when everybody is back, or was sent home at the story's end. Raises
    GreenletExit when it is stopped."""
    underway = Group()
    over_at = running.drop.opens_at + running.profile.run.after_opening_s
    ending = gevent.spawn_later(max(0.0, over_at - running.wire.now()), underway.kill)
    try:
        _send_out(running, underway, over_at=over_at)
        underway.join()
    finally:
        ending.kill()
        underway.kill()


def _send_out(running: Round, underway: Group, *, over_at: float) -> None:
    visitors = running.arrivals()
    for n, visitor in enumerate(visitors):
        wait_s = running.drop.opens_at + visitor.arrives_s - AHEAD_S - running.wire.now()
        if wait_s > 0:
            gevent.sleep(wait_s)
        elif n % AT_ONCE == 0:
            gevent.sleep(0)
        if running.wire.now() > over_at:
            for _ in visitors[n:]:
                running.recorder.arrive(missed=True)
            return
        underway.spawn(_visit, running, visitor)


def _visit(running: Round, visitor: Visitor) -> None:
    # What went wrong is a complaint in the journal already; nobody waits for it here.
    with contextlib.suppress(Exception):
        running.visit(visitor)
