"""What every bot has: a phone of its owner's machine, a time to give up, and what it may not get."""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Collection

from loadtest.crowd.answers import Order, Refusal
from loadtest.crowd.bots.bot import KINDS_PREFIX, Bot
from loadtest.crowd.buyer import Drop, arrive
from loadtest.crowd.journal import Stage
from loadtest.crowd.line import Place
from loadtest.crowd.population import NOW, Behaviour, Persona
from loadtest.crowd.protocol import Phone, Shop
from loadtest.crowd.waiting import AGAIN, SOON_MS, Waiting
from loadtest.wires.port import Outage, Wire


class Robot(ABC):
    """One bot with its phones."""

    def __init__(self, bot: Bot, *, wire: Wire, shop: Shop, drop: Drop) -> None:
        self._bot = bot
        self._wire = wire
        self._shop = shop
        self._drop = drop
        self._journal = drop.journal
        self._dice = random.Random(bot.whim)
        self._phones: list[Phone] = []
        self._key_count = 0
        self._gives_up_s = 0.0

    @abstractmethod
    async def act(self) -> None:
        """From before the arrival to the end. Cancelled when the run ends."""

    @property
    def _is_over(self) -> bool:
        return self._wire.now() >= self._gives_up_s or self._drop.cache.newest().is_over

    def _phone(self, openid: str, *, seal: str | None = None) -> Phone:
        phone = Phone(self._wire, self._shop, openid=openid, seal=seal, address=self._bot.address, prefix=KINDS_PREFIX)
        if seal is None:
            self._phones.append(phone)
        return phone

    def _luck(self, scale: float) -> float:
        return scale * self._dice.random()

    def _key(self) -> str:
        self._key_count += 1
        return f"{self._bot.openid}-{self._key_count}"

    async def _join(self, phone: Phone) -> Place | Refusal:
        """Log in and take a place, however long the draw takes. Raises Outage."""
        if (refusal := await phone.login()) is not None:
            return refusal
        while True:
            place = await phone.join()
            if isinstance(place, Place) or place.code not in AGAIN or self._is_over:
                return place
            await phone.rest((place.retry_after_ms or SOON_MS) / 1000)

    def _waiting(self, phone: Phone) -> Waiting:
        """The line as an honest account meets it, until the bot gives up."""
        return Waiting(
            self._persona(phone.openid),
            phone,
            cache=self._drop.cache,
            screen=self._drop.screen,
            journal=self._journal,
            opens_at=self._drop.opens_at,
            luck=self._luck,
        )

    def _persona(self, openid: str) -> Persona:
        return Persona(
            openid=openid,
            arrives_s=NOW,
            wishes=self._bot.wishes,
            quantity=self._bot.quantity,
            behaviour=Behaviour.PAYS,
            think_s=0.0,
            patience_s=0.0,
            away_s=0.0,
            deadline_offset_s=0.0,
            whim=self._bot.whim,
            leaves_after_s=self._bot.stays_s,
        )

    def _expect_refusal(self, answer: object, *, codes: Collection[str], what: str) -> None:
        if not isinstance(answer, Refusal):
            if isinstance(answer, Order):
                self._journal.acknowledge(self._phones[0], answer)
            self._journal.complain(f"{what} was accepted", about=self._bot.openid)
        elif answer.code not in codes:
            self._journal.complain(f"{what} was answered {answer.status} {answer.code}", about=self._bot.openid)

    def _remember(self) -> None:
        """An order may have been held that was never told."""
        for phone in self._phones:
            self._journal.remember(phone)


class Trickster(Robot):
    """A robot that plays a trick of its own until it gives up."""

    async def act(self) -> None:
        phone, stage = self._phone(self._bot.openid), Stage.COMING
        why = "was there at the end"
        try:
            await arrive(phone, self._drop, at_s=self._bot.arrives_s)
            self._gives_up_s = phone.now() + self._bot.stays_s
            self._journal.move(stage, Stage.WAITING)
            stage = Stage.WAITING
            why = await self._act(phone)
        except Outage:
            why = "met an outage too long"
            self._remember()
        except asyncio.CancelledError:
            self._remember()
            raise
        finally:
            self._journal.leavings[f"a {self._bot.kind} {why}"] += 1
            self._journal.move(stage, Stage.LEFT)

    @abstractmethod
    async def _act(self, phone: Phone) -> str:
        """Until there is nothing more to try; returns how it ended. Raises Outage."""
