"""Where the other processes meet the office: fronts bring calls and visits, callers are given parcels.

This is the ledger process's end of every link. Who is connected is also who is alive, so the list of
processes is read from here. Everything crosses as plain tuples in the order of the records' fields.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, TypeVar

from engine.simulator.keys.costs import Costs, Share, Spent
from engine.simulator.office import house
from engine.simulator.office.counter import Counter, Verdict
from engine.simulator.office.dispatch import CallerLost, Send
from engine.simulator.office.office import Office
from engine.simulator.pay.notices import Notice
from engine.simulator.pay.parcels import Flaw, Parcel
from engine.simulator.processes.calls import Call, Page, Visit
from engine.simulator.processes.front import OfficeAway
from engine.simulator.processes.links import Link, LinkLost, RemoteError
from engine.simulator.processes.reach import Reach

HELLO, CALL, VISIT = "hello", "call", "visit"  # what the office is asked
PARCEL, COSTS = "parcel", "costs"  # what the office asks

COSTS_TIMEOUT_S = 2.0  # A process that hangs must not keep the others' costs back.

_T = TypeVar("_T")


def _packer(kind: type[_T]) -> Callable[[_T], tuple[Any, ...]]:
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]  # only dataclasses come here
    return attrgetter(*names)


pack_call = _packer(Call)
pack_verdict = _packer(Verdict)
pack_visit = _packer(Visit)
pack_page = _packer(Page)
_pack_notice = _packer(Notice)


def pack_parcel(parcel: Parcel) -> tuple[Any, ...]:
    return (_pack_notice(parcel.notice), parcel.signer, parcel.flaw, parcel.aad_empty, parcel.timeout_ms)


def unpack_parcel(packed: Any) -> Parcel:
    notice, signer, flaw, aad_empty, timeout_ms = packed
    return Parcel(Notice(*notice), signer, Flaw(flaw), aad_empty, timeout_ms)


@dataclass(frozen=True, slots=True)
class _Guest:
    role: str
    pid: int
    restarts: int
    leave: Callable[[], None] | None


class Hall:
    """`restarts` is how often the ledger process itself was started again."""

    def __init__(self, office: Office, *, restarts: int) -> None:
        self._office = office
        self._counter = Counter(office)
        self._restarts = restarts
        self._guests: dict[Link, _Guest] = {}
        office.processes = self.processes
        office.costs = self.costs

    def new_link(self) -> Link:
        """For `create_unix_server`."""
        return Link(self._serve, self._gone)

    def processes(self) -> Mapping[str, object]:
        """The pids by role, the oldest first."""
        guests = self._guests.values()
        return {
            "parent": os.getppid(),
            "ledger": os.getpid(),
            "fronts": [guest.pid for guest in guests if guest.role == "front"],
            "callers": [guest.pid for guest in guests if guest.role == "caller"] or [os.getpid()],
            "restarts": self._restarts + sum(guest.restarts for guest in guests),
        }

    async def costs(self) -> Sequence[Share]:
        """What this process and every other that is there has spent so far, asked of them all at once."""
        guests = list(self._guests.items())
        own = Share(os.getpid(), "ledger", self._office.rules.costs.spent())
        spent = await asyncio.gather(*(_spent_of(link) for link, _ in guests))
        return [own, *(Share(guest.pid, guest.role, told) for (_, guest), told in zip(guests, spent, strict=True))]

    def _serve(self, link: Link, question: Any) -> object | Awaitable[object]:
        kind, content = question
        if kind == CALL:
            verdict = self._counter.serve(Call(*content))
            return pack_verdict(verdict) if isinstance(verdict, Verdict) else _verdict_later(verdict)
        if kind == VISIT:
            page = house.serve(self._office, Visit(*content))
            return pack_page(page) if isinstance(page, Page) else _page_later(page)
        self._welcome(link, *content)
        return None

    def _welcome(self, link: Link, role: str, pid: int, restarts: int) -> None:
        leave = None
        if role == "caller":
            leave = self._office.hire(lambda parcel: _send_over(link, parcel))
        self._guests[link] = _Guest(role, pid, restarts, leave)

    def _gone(self, link: Link) -> None:
        guest = self._guests.pop(link, None)
        if guest is not None and guest.leave is not None:
            guest.leave()


async def _verdict_later(verdict: Awaitable[Verdict]) -> object:
    return pack_verdict(await verdict)


async def _page_later(page: Awaitable[Page]) -> object:
    return pack_page(await page)


async def _send_over(link: Link, parcel: Parcel) -> int | None:
    try:
        status: int | None = await link.ask((PARCEL, pack_parcel(parcel)))
    except LinkLost as error:
        raise CallerLost from error
    except RemoteError:
        return None  # A defect of the caller's, which its own log tells; the notice is tried again.
    return status


async def _spent_of(link: Link) -> Spent | None:
    try:
        return Spent(**await asyncio.wait_for(link.ask((COSTS, None)), COSTS_TIMEOUT_S))
    except (LinkLost, RemoteError, TimeoutError):
        return None


def answer(question: Any, costs: Costs, send: Send | None = None) -> object | Awaitable[object]:
    """How a front or a caller answers the office: fronts are given no parcels."""
    kind, content = question
    if kind == COSTS:
        return costs.spent().document()
    assert send is not None
    return send(unpack_parcel(content))


async def bring_call(reach: Reach, call: Call) -> Verdict:
    """A front's way to the counter. Raises OfficeAway."""
    return Verdict(*await _ask(reach, (CALL, pack_call(call))))


async def bring_visit(reach: Reach, visit: Visit) -> Page:
    """A front's way to the doors of the house. Raises OfficeAway."""
    return Page(*await _ask(reach, (VISIT, pack_visit(visit))))


async def _ask(reach: Reach, question: object) -> Any:
    try:
        return await reach.ask(question)
    except (LinkLost, TimeoutError) as error:
        raise OfficeAway from error
