"""Locust's users: whoever they are, one task is one visitor's whole visit, and the next task is the next visitor.

Buyers, members and bots are drawn from the story; no two of them are the same person, on no worker. They make their
requests over the round's wire and not over the client that FastHttpUser gives them (docs/locust.md says why); that
client is there for those who extend these classes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from locust import FastHttpUser, between, constant, task
from locust.exception import StopUser

from loadtest.locusts.arrivals import play
from loadtest.locusts.player import round_of
from loadtest.locusts.rounds import Round
from loadtest.profiles.casting import Visitor

log = logging.getLogger("floodgate")


class _Attendant(FastHttpUser):
    """Somebody who takes part in the round."""

    abstract = True

    def its_round(self) -> Round:
        """Raises StopUser where no round could begin."""
        running = round_of(self.environment)
        if running is None:
            raise StopUser
        return running


class _Visitor(_Attendant):
    abstract = True
    wait_time = between(0.5, 2.0)

    def send(self, draw: Callable[[Round], Visitor | None]) -> None:
        """Let the next visitor of the round come and go. Raises StopUser when there is nobody left."""
        running = self.its_round()
        visitor = draw(running)
        if visitor is None:
            raise StopUser
        running.visit(visitor)


class BuyerUser(_Visitor):
    """Anybody: login, line, pass, order, payment."""

    weight = 85

    @task
    def visit(self) -> None:
        self.send(Round.buyer)


class MemberUser(_Visitor):
    """Somebody on the organizer's list, in the members' lane; a user ends when everybody on the list has come."""

    weight = 10

    @task
    def visit(self) -> None:
        self.send(Round.fan)


class BotUser(_Visitor):
    """Polls, forges, forwards, hoards."""

    weight = 5

    @task
    def visit(self) -> None:
        self.send(Round.bot)


class OrganizerUser(_Attendant):
    """One person of the organizer's with the admin API: reads numbers; steers or pauses if --organizer allows."""

    fixed_count = 1
    wait_time = constant(2.0)

    @task
    def attend(self) -> None:
        if not self.its_round().attend():
            log.warning("An organizer needs an admin listener and its key: --admin URL --admin-key KEY")
            raise StopUser


class ArrivalsUser(_Attendant):
    """The open loop (--arrivals open): not a user but the door through which this worker's part of the story's people
    comes, each at their moment, whatever the server does."""

    fixed_count = 1

    @task
    def open_the_door(self) -> None:
        play(self.its_round())
        raise StopUser
