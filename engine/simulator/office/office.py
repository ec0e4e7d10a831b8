"""The office: everything there may be only one of, in one place and in one process.

It holds the ledger, the desk, the login codes, the luck that is in force and the callbacks. Whoever decides
anything (the tables in `routes.py` and `house.py`) is handed the office and takes what it needs from it. The
office decides nothing itself.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from engine.simulator.bills.billing import Billing
from engine.simulator.fapiao.book import Book
from engine.simulator.fapiao.invoicing import Invoicing
from engine.simulator.fapiao.settings import Settings
from engine.simulator.fapiao.titles import Titles
from engine.simulator.keys import credentials
from engine.simulator.keys.costs import Costs, Share
from engine.simulator.keys.keyring import Keyring
from engine.simulator.luck import faults
from engine.simulator.luck.faults import Faults
from engine.simulator.office.callbacks import Callbacks
from engine.simulator.office.desk import Desk
from engine.simulator.office.dispatch import Send
from engine.simulator.office.ledger import Ledger
from engine.simulator.office.till import Till
from engine.simulator.pay import shapes
from engine.simulator.pay.notices import Notice
from engine.simulator.pay.refunds import Refund, RefundStatus
from engine.simulator.weixin.logins import Logins
from engine.simulator.weixin.mini_program import MiniProgram


@dataclass(frozen=True, slots=True)
class Rules:
    """What stays the same while the office lives; clock and randomness come from outside.

    `luck_file` keeps knobs that were turned live for a ledger process that is started again. `costs` are this process'.
    """

    home: Path
    keyring: Keyring
    http_anywhere: bool
    now_ms: Callable[[], int]
    entropy: Callable[[int], bytes]
    costs: Costs
    luck_file: Path | None = None


def _alone() -> Mapping[str, object]:
    """All roles are this process."""
    pid = os.getpid()
    return {"parent": os.getppid(), "ledger": pid, "fronts": [pid], "callers": [pid], "restarts": 0}


def _turned(file: Path | None, luck: Faults) -> Faults:
    if file is None or not file.exists():
        return luck
    return faults.read(orjson.loads(file.read_bytes()), luck)


class Office:
    """Everything that decides; belongs to the running event loop."""

    def __init__(self, rules: Rules, *, luck: Faults) -> None:
        self.rules = rules
        self.faults = _turned(rules.luck_file, luck)
        self.keyring = rules.keyring
        self.merchants = rules.keyring.merchants
        self.now_ms = rules.now_ms
        self.entropy = rules.entropy
        self.life = 0  # Counts the resets; what was planned in a former life does not happen.
        self.processes: Callable[[], Mapping[str, object]] = _alone
        self.costs: Callable[[], Awaitable[Sequence[Share]]] = self._own_costs
        self.ledger = Ledger(rules.home / "journal.jsonl")
        self._first_luck = luck
        self._callers: dict[Send, Callable[[], None]] = {}
        self._furnish()

    def _furnish(self) -> None:
        """Everything that a reset makes anew; only the ledger outlives it, emptied."""
        rules = self.rules
        self.callbacks = Callbacks(
            faults=lambda: self.faults,
            delivered=self._delivered,
            signer=lambda key, mchid: self.keyring.serial(key, self.merchants[mchid]),
            fresh_id=lambda: shapes.notice_id(rules.entropy(16)),
        )
        first = rules.keyring.all_credentials[0]
        self.logins = Logins(first.appid, first.app_secret, rules.entropy)
        self.till = Till(
            ledger=self.ledger,
            merchants=self.merchants,
            faults=lambda: self.faults,
            notify=self.notify,
            now_ms=rules.now_ms,
            entropy=rules.entropy,
            verify=rules.costs.verify,
        )
        self.desk = Desk(
            ledger=self.ledger,
            merchants=self.merchants,
            faults=lambda: self.faults,
            notify=self.notify,
            settle_later=self.settle_later,
            now_ms=rules.now_ms,
            entropy=rules.entropy,
            http_anywhere=rules.http_anywhere,
            field_keys=self.keyring.field_keys,
        )

        self.mini_program = MiniProgram(
            first.appid,
            first.app_secret,
            ledger=self.ledger,
            logins=self.logins,
            mchids=self.merchants,
            faults=lambda: self.faults,
            now_ms=rules.now_ms,
            entropy=rules.entropy,
        )
        self.billing = Billing(
            ledger=self.ledger, faults=lambda: self.faults, now_ms=rules.now_ms, entropy=rules.entropy
        )

        book = Book(
            ledger=self.ledger,
            faults=lambda: self.faults,
            notify=self.notify,
            now_ms=rules.now_ms,
            entropy=rules.entropy,
            http_anywhere=rules.http_anywhere,
        )
        self.fapiao_settings, self.fapiao_titles = Settings(book), Titles(book)
        self.invoicing = Invoicing(
            book,
            field_keys=self.keyring.field_keys,
            later=self.later,
        )

    def change_faults(self, luck: Faults) -> None:
        """Put other knobs in force."""
        self.faults = luck
        if self.rules.luck_file is not None:
            credentials.write(self.rules.luck_file, orjson.dumps(luck.document()))

    def hire(self, send: Send) -> Callable[[], None]:
        """Give a caller its share of the callbacks until the returned function is called."""
        self._callers[send] = self.callbacks.add_caller(send)

        def leave() -> None:
            self._callers.pop(send)()

        return leave

    def reset(self) -> None:
        """Forget every order, notice, login, count and fault, as if this were the first start in an empty home."""
        self.life += 1
        self.callbacks.close()
        self.ledger.clear()
        self.change_faults(self._first_luck)
        self._furnish()
        for send in self._callers:
            self._callers[send] = self.callbacks.add_caller(send)

    def resume(self) -> None:
        """Take up what a former life left open: undelivered notices and refunds whose money has yet to move."""
        for notice in self.ledger.pending():
            self.notify(notice)
        for refund in self.ledger.refunds():
            if refund.status is RefundStatus.PROCESSING:
                self.settle_later(refund)
        self.invoicing.resume()

    async def _own_costs(self) -> Sequence[Share]:
        return [Share(os.getpid(), "alone", self.rules.costs.spent())]

    def notify(self, notice: Notice, late: bool = False) -> None:
        """Let a recorded notice be delivered."""
        self.callbacks.post(notice, late=late)

    def _delivered(self, notice_id: str) -> None:
        self.ledger.record(delivered=notice_id)

    def settle_later(self, refund: Refund) -> None:
        luck = self.faults
        wait_s = faults.delay_s(
            luck.refund_delay_ms, seed=luck.seed, knob="refund_delay_ms", subject=refund.out_refund_no
        )
        self.later(wait_s, lambda: self.desk.settle_refund(refund.mchid, refund.out_refund_no))

    def later(self, wait_s: float, act: Callable[[], object]) -> None:
        """Act once after a while; what is forgotten by a restart must be found again in the ledger by `resume`."""
        life = self.life
        asyncio.get_running_loop().call_later(wait_s, lambda: act() if life == self.life else None)

    async def stop(self) -> None:
        """Stop calling back and close the journal."""
        await self.callbacks.stop()
        self.ledger.close()
