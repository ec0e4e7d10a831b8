"""What each process of the simulator does, as one coroutine per role.

The ledger process has the office and its hall; fronts and callers hold a link to it and keep nothing. Every
role says when it is ready and ends when it is told to.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path

from engine.simulator.keys.costs import Costs
from engine.simulator.keys.keyring import Keyring
from engine.simulator.keys.signer import Signer
from engine.simulator.luck.faults import Faults
from engine.simulator.office import hall
from engine.simulator.office.dispatch import PLACES
from engine.simulator.office.office import Office, Rules
from engine.simulator.processes.caller import Caller
from engine.simulator.processes.front import Front
from engine.simulator.processes.reach import Reach
from engine.simulator.processes.server import Entropy, system_now_ms

SOCKET = "office.sock"
LUCK = "luck.json"


@dataclass(frozen=True, slots=True)
class Plan:
    """What all processes of one simulator share; `folder` is private and holds the socket."""

    home: Path
    folder: Path
    keyring: Keyring
    luck: Faults
    host: str
    port: int
    signers: int
    callers: int
    http_anywhere: bool


@dataclass(frozen=True, slots=True)
class Life:
    """One process: how often its role was started again before, whom to tell that it is ready, when to end."""

    pid: int
    restarts: int
    ready: Callable[[], None]
    asked_to_stop: asyncio.Event


async def ledger(plan: Plan, life: Life) -> None:
    """Decide everything; deliver callbacks, too, when there are no processes for that."""
    entropy, costs = Entropy(), Costs()
    office = Office(
        Rules(
            home=plan.home,
            keyring=plan.keyring,
            http_anywhere=plan.http_anywhere,
            now_ms=system_now_ms,
            entropy=entropy,
            costs=costs,
            luck_file=plan.folder / LUCK,
        ),
        luck=plan.luck,
    )
    meeting = hall.Hall(office, restarts=life.restarts)
    signer = caller = None
    if not plan.callers:
        signer = Signer(plan.signers, costs)
        caller = Caller(keyring=plan.keyring, signer=signer, now_ms=system_now_ms, entropy=entropy, places=PLACES)
        office.hire(caller.send)
    office.resume()
    socket = plan.folder / SOCKET
    socket.unlink(missing_ok=True)
    server = await asyncio.get_running_loop().create_unix_server(meeting.new_link, str(socket))
    life.ready()
    await life.asked_to_stop.wait()
    server.close()
    await office.stop()
    if signer is not None and caller is not None:
        await caller.stop()
        signer.stop()


async def front(plan: Plan, life: Life) -> None:
    """Serve HTTP on the port that all fronts share."""
    costs = Costs()
    reach = Reach(plan.folder / SOCKET, hello=_hello("front", life), serve=lambda _, asked: hall.answer(asked, costs))
    signer = Signer(plan.signers, costs)
    serving = Front(
        keyring=plan.keyring,
        signer=signer,
        call=lambda call: hall.bring_call(reach, call),
        visit=lambda visit: hall.bring_visit(reach, visit),
        now_ms=system_now_ms,
        entropy=Entropy(),
        costs=costs,
    )
    await _until(reach.ready(), life)
    await serving.start(host=plan.host, port=plan.port, shared=True)
    life.ready()
    await life.asked_to_stop.wait()
    await serving.stop()
    await reach.stop()
    signer.stop()


async def caller(plan: Plan, life: Life) -> None:
    """Deliver the callbacks that the office hands out."""
    costs = Costs()
    signer = Signer(plan.signers, costs)
    sender = Caller(keyring=plan.keyring, signer=signer, now_ms=system_now_ms, entropy=Entropy(), places=PLACES)
    reach = Reach(
        plan.folder / SOCKET,
        hello=_hello("caller", life),
        serve=lambda _, asked: hall.answer(asked, costs, sender.send),
    )
    await _until(reach.ready(), life)
    life.ready()
    await life.asked_to_stop.wait()
    await reach.stop()
    await sender.stop()
    signer.stop()


ROLES = {"ledger": ledger, "front": front, "caller": caller}


def _hello(role: str, life: Life) -> tuple[str, tuple[str, int, int]]:
    return hall.HELLO, (role, life.pid, life.restarts)


async def _until(ready: Coroutine[object, object, None], life: Life) -> None:
    """Wait for what is needed to begin, or for the wish to end."""
    waiting = [asyncio.ensure_future(ready), asyncio.ensure_future(life.asked_to_stop.wait())]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for each in waiting:
        each.cancel()
