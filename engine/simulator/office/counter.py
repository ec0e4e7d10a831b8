"""The counter of the office: takes a call of a merchant, lets limits and luck strike or the table decide.

Limits come first, then the fate drawn for this call: an error can strike before or after the effect while
the effect itself stays whole. The verdict tells a front everything it needs to answer: also which key signs.
"""

import asyncio
import inspect
from collections.abc import Awaitable
from dataclasses import dataclass

from engine.simulator.luck import fates
from engine.simulator.luck.fates import HTML_TYPE, LUCKY, Fate, Flaw, Unavailable
from engine.simulator.luck.faults import Faults
from engine.simulator.luck.knobs import REFUND_ERRORS
from engine.simulator.luck.limits import Limits, Nonces
from engine.simulator.office.office import Office
from engine.simulator.office.routes import BY_KEY, Route
from engine.simulator.pay.refusals import LIMITED, SERIAL_UNKNOWN, Refusal
from engine.simulator.processes.authorization import NONCE_USED, Merchant
from engine.simulator.processes.calls import JSON_TYPE, Answer, Call, Outcome


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a front sends. `number` ends the Request-ID, None leaves it out; `signer` is a serial, empty: unsigned."""

    status: int
    body: bytes
    number: int | None
    signer: str
    content_type: str = JSON_TYPE
    flaw: str = Flaw.NONE


class Counter:
    """Answers the calls of merchants that fronts have let in."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._forget()

    def _forget(self) -> None:
        self._life = self._office.life
        self._limits = Limits()
        self._nonces = Nonces()
        self._count_of: dict[str, int] = {}
        self._suffering: tuple[Faults, dict[str, bool]] = (self._office.faults, {})

    def serve(self, call: Call) -> Verdict | Awaitable[Verdict]:
        """The verdict, or the promise of one when the call has to wait."""
        if self._life != self._office.life:
            self._forget()
        route = BY_KEY[call.route]
        luck = self._office.faults
        merchant = self._office.merchants[call.mchid]
        signer = self._signer(call, merchant)
        refusal = self._refusal(route, call, luck)
        if refusal is not None:
            return self._verdict(refusal, signer)
        fate = LUCKY
        if self._suffers(luck, route.name):
            count = self._count_of[route.name] = self._count_of.get(route.name, 0) + 1
            fate = fates.fate(luck, route.name, count)
        if fate.delay_s:
            return self._decide_late(route, merchant, call, signer, fate)
        outcome = self._decide(route, merchant, call, fate)
        if inspect.isawaitable(outcome):
            return self._await(outcome, call, signer, fate)
        return self._finish(outcome, call, signer, fate)

    def _refusal(self, route: Route, call: Call, luck: Faults) -> Refusal | None:
        """What is refused whatever the call says."""
        now_ms = self._office.now_ms()
        if luck.nonce_replay_refused and not self._nonces.is_new(call.mchid, call.nonce, now_ms=now_ms):
            return NONCE_USED
        if luck.unknown_serial == "refused" and call.serial and not self._is_known(call):
            return SERIAL_UNKNOWN
        if not luck.limits_per_s:
            return None
        per_s = luck.limits_per_s.get(route.name, 0)
        if per_s and not self._limits.take(call.mchid, route.name, per_s=per_s, now_ms=now_ms):
            return LIMITED[luck.limited_code]
        errors_per_s = luck.limits_per_s.get(REFUND_ERRORS, 0) if route.name == "refund" else 0
        if errors_per_s and not self._limits.has(call.mchid, REFUND_ERRORS, per_s=errors_per_s, now_ms=now_ms):
            return LIMITED[luck.limited_code]
        return None

    def _suffers(self, luck: Faults, route: str) -> bool:
        if self._suffering[0] is not luck:
            self._suffering = (luck, {})
        known = self._suffering[1]
        if route not in known:
            known[route] = fates.suffers(luck, route)
        return known[route]

    def _decide(
        self, route: Route, merchant: Merchant, call: Call, fate: Fate
    ) -> Outcome | Unavailable | Flaw | Awaitable[Outcome]:
        if fate.before is not None:
            return fate.before
        return route.decide(self._office, merchant, call)

    async def _decide_late(self, route: Route, merchant: Merchant, call: Call, signer: str, fate: Fate) -> Verdict:
        await asyncio.sleep(fate.delay_s)
        outcome = self._decide(route, merchant, call, fate)
        if inspect.isawaitable(outcome):
            return await self._await(outcome, call, signer, fate)
        return self._finish(outcome, call, signer, fate)

    async def _await(self, outcome: Awaitable[Outcome], call: Call, signer: str, fate: Fate) -> Verdict:
        return self._finish(await outcome, call, signer, fate)

    def _finish(self, outcome: Outcome | Unavailable | Flaw, call: Call, signer: str, fate: Fate) -> Verdict:
        if isinstance(outcome, Flaw):
            return Verdict(500, b"", None, "", flaw=outcome)
        errors_per_s = self._office.faults.limits_per_s.get(REFUND_ERRORS, 0)
        if errors_per_s and isinstance(outcome, Refusal) and BY_KEY[call.route].name == "refund":
            self._limits.take(call.mchid, REFUND_ERRORS, per_s=errors_per_s, now_ms=self._office.now_ms())
        return self._verdict(outcome if fate.after is None else fate.after, signer, fate.flaw)

    def _verdict(self, outcome: Outcome | Unavailable, signer: str, flaw: Flaw = Flaw.NONE) -> Verdict:
        if isinstance(outcome, Unavailable):
            return Verdict(outcome.status, outcome.body, None, "", HTML_TYPE)
        if isinstance(outcome, Answer):
            return Verdict(
                outcome.status, outcome.body, 0, signer if outcome.signed else "", outcome.content_type, flaw
            )
        if not self._office.faults.business_refusals_signed or outcome.status == 401:
            signer = ""
        return Verdict(outcome.status, outcome.body(), outcome.number, signer, flaw=flaw)

    def _signer(self, call: Call, merchant: Merchant) -> str:
        """The key that the request names signs, or else the one the knob says."""
        if call.serial and self._is_known(call):
            return call.serial
        return self._office.keyring.serial(self._office.faults.answers_signed_by, merchant)

    def _is_known(self, call: Call) -> bool:
        return self._office.keyring.may_sign(call.serial, self._office.merchants[call.mchid])
