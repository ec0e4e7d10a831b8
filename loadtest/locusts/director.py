"""Where a round is decided and its books come together: Locust's master, or the one process of a Locust without
workers.

It asks the target who it is before anybody comes, draws up the terms that every worker plays by, watches the sale
while the round runs, and gathers the books at its end. Nobody is asked to stop before their books are in.
"""

from __future__ import annotations

import logging
import random
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import gevent
from gevent import Greenlet, GreenletExit
from locust.runners import STATE_MISSING, STATE_STOPPED, LocalRunner, MasterRunner

from loadtest.crowd.protocol import Shop
from loadtest.lab.target import TargetRefused
from loadtest.locusts import preflight
from loadtest.locusts.board import Board
from loadtest.locusts.collecting import Collection
from loadtest.locusts.handing import Beat, Books, Handed, write
from loadtest.locusts.player import LIVE
from loadtest.locusts.summary import Summary, summary_of
from loadtest.locusts.terms import KEY, Terms, beginning
from loadtest.locusts.watching import Watcher
from loadtest.locusts.wishes import Wishes, WishInvalid, wishes_in
from loadtest.profiles.loading import ProfileInvalid
from loadtest.wires.greenlets import GreenletWire
from loadtest.wires.port import Outage

if TYPE_CHECKING:
    from locust.env import Environment

log = logging.getLogger("floodgate")

REFUSALS = (WishInvalid, ProfileInvalid, TargetRefused, Outage)
COMING_MAX_S = 3.0
NO_VERDICT = 2
FAILED = 1


class Director:
    def __init__(self, environment: Environment) -> None:
        assert isinstance(environment.runner, LocalRunner | MasterRunner)
        self._environment = environment
        assert environment.parsed_options is not None
        self._runner = environment.runner
        self._options = environment.parsed_options
        self._wire = GreenletWire(dice=random.Random(), observer=lambda *_: None)
        self._collection = Collection(self._runner, number=0)
        self._watch: Greenlet | None = None
        self._number = 0
        self.board = Board()
        self.terms: Terms | None = None
        self.summary: Summary | None = None
        self.refusal = ""
        """Why the last test was not played; empty when it was."""

    # Before.

    def refuse_now(self) -> None:
        """Where nobody can correct a mistake any more (headless), end with it."""
        try:
            self._draw_up()
        except REFUSALS as refusal:
            print(f"floodgate: {refusal}", file=sys.stderr)
            self._dismiss()
            raise SystemExit(NO_VERDICT) from None

    def _dismiss(self) -> None:
        """Workers would wait a minute for a master that is gone; those that come soon are told."""
        until = time.monotonic() + COMING_MAX_S
        if isinstance(self._runner, MasterRunner):
            while self._runner.worker_count < self._options.expect_workers and time.monotonic() < until:
                gevent.sleep(0.05)
            self._runner.quit()

    def begin(self) -> None:
        """Draw up the terms of a new round. Raises GreenletExit when it cannot be played."""
        options = vars(self._options)
        options.pop(KEY, None)
        self._number += 1
        self._collection, self.board = Collection(self._runner, number=self._number), Board()
        self.summary, self.refusal, self._environment.process_exit_code = None, "", None
        try:
            self.terms = self._draw_up()
        except REFUSALS as refusal:
            self.terms = None
            self._refuse(str(refusal))
        assert self.terms is not None
        options[KEY] = self.terms.packed()
        log.info("Round %d: %s, seed %s", self._number, self.terms.sale, self.terms.profile["seed"])
        shop = Shop.at(public_url=self.terms.public_url, wechat_url=self.terms.wechat_url, sale=self.terms.sale)
        watcher = Watcher(
            self._wire,
            self.board,
            line=shop.line,
            sale=self.terms.sale,
            admin_urls=self.terms.admin_urls,
            admin_key=self.terms.admin_key,
        )
        self._watch = gevent.spawn(watcher.run)

    def _refuse(self, sentence: str) -> NoReturn:
        """End the start that Locust is in the middle of, before a worker hears of it, and leave its tabs in sight."""
        log.error("%s", sentence)
        self.refusal = sentence
        self._environment.process_exit_code = NO_VERDICT
        if self._options.headless:
            gevent.spawn(self._runner.quit)
        shape, self._runner.shape_greenlet, self._runner.shape_last_tick = self._runner.shape_greenlet, None, None
        self._runner.update_state(STATE_STOPPED)
        if shape is not None and shape is not gevent.getcurrent():
            shape.kill(block=False)
        raise GreenletExit

    def _draw_up(self) -> Terms:
        wishes = wishes_in(self._options)
        host = (self._environment.host or "").rstrip("/")
        own = preflight.story_of(wishes, seed=wishes.seed)
        preflight.check(wishes, host=host)
        found = preflight.look(self._wire, wishes, host=host, story=own)
        seed = wishes.seed if wishes.seed is not None else random.SystemRandom().getrandbits(31)
        return self._terms(wishes, found, seed=seed, host=host)

    def _terms(self, wishes: Wishes, found: preflight.Found, *, seed: int, host: str) -> Terms:
        arrivals = found.story.lobby_s
        curve_ms, lobby = beginning(now_ms=found.now_ms, opens_ms=found.sale.opens_ms, lobby_s=arrivals)
        return Terms(
            number=self._number,
            profile=found.story.model_copy(update={"seed": seed}).model_dump(mode="json"),
            pace=wishes.pace,
            fans_seed=found.story.seed,
            public_url=host,
            wechat_url=wishes.wechat_url,
            sale=wishes.sale,
            admin_urls=wishes.admin_urls,
            admin_key=wishes.admin_key,
            organizer=wishes.organizer,
            curve_ms=curve_ms,
            lobby=lobby,
            ranks={worker: n for n, worker in enumerate(self._workers())},
        )

    def _workers(self) -> list[str]:
        if isinstance(self._runner, MasterRunner):
            return [worker.id for worker in self._runner.clients.values() if worker.state != STATE_MISSING]
        return [str(self._runner.client_id)]

    # Meanwhile.

    def hear_begun(self, environment: Environment, msg: Any) -> None:
        self._collection.hear_begun(msg)

    def hear_books(self, environment: Environment, msg: Any) -> None:
        self._collection.hear_books(msg)

    def hear_report(self, client_id: str, data: dict[str, Any]) -> None:
        live = data.get(LIVE)
        if live is not None:
            self.board.hear(client_id, live["rows"], Beat(*live["beat"]) if live["beat"] else None)

    def deliver(self, client_id: str, books: Books) -> None:
        """The books of the process that this one is itself."""
        self._collection.take(client_id, books)

    # After.

    def end(self) -> None:
        """Gather the books, keep them, and say how it was."""
        terms = self.terms
        if terms is None or self.summary is not None:
            return
        if self._watch is not None:
            self._watch.kill()
        self._collection.wait()
        missing = self._collection.missing(set(terms.ranks))
        handed = Handed.of(self._collection.books, missing=missing, about=self._about(terms))
        shop = Shop.at(public_url=terms.public_url, wechat_url=terms.wechat_url, sale=terms.sale)
        self.board.settle(handed.record)
        self.summary = summary_of(handed, wire=self._wire, shop=shop)
        folder = self._options.record_to
        if folder:
            write(Path(folder), handed)
            log.info("Record and testimonies: %s", folder)
        for line in self.summary.lines():
            log.info("%s", line)
        if missing:
            self._environment.process_exit_code = NO_VERDICT
        elif not self.summary.is_well and self._environment.process_exit_code is None:
            self._environment.process_exit_code = FAILED

    def _about(self, terms: Terms) -> dict[str, Any]:
        story = terms.profile["story"]["name"]
        return {
            "story": story,
            "profile": terms.profile,
            "seed": terms.profile["seed"],
            "sale": terms.sale,
            "target": terms.public_url,
            "curve_s": terms.curve_ms / 1000,
            "ended_s": time.time(),
            "workers": len(terms.ranks),
        }
