"""The counter of the office: takes a call of a merchant, lets luck strike or the table decide, and says what to send.

The faults of answers live here, around the decision, so that an error can strike before or after the effect
while the effect itself stays whole.
"""

import asyncio
import inspect
from dataclasses import dataclass

from engine.simulator import faults
from engine.simulator.calls import JSON_TYPE, Answer, Call, Outcome
from engine.simulator.faults import Faults
from engine.simulator.office import Office
from engine.simulator.refusals import FREQUENCY_LIMITED, SYSTEM_ERROR
from engine.simulator.routes import BY_KEY, Route


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a front sends: `number` ends the Request-ID; `lost` resets the connection instead."""

    status: int
    body: bytes
    number: int
    signed: bool
    content_type: str = JSON_TYPE
    probe: bool = False
    lost: bool = False


class Counter:
    """Answers the calls of merchants that fronts have let in."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._count_of: dict[str, int] = {}

    async def serve(self, call: Call) -> Verdict:
        route = BY_KEY[call.route]
        luck = self._office.faults
        if luck.answers_suffer and (not luck.answer_routes or route.name in luck.answer_routes):
            return await self._unlucky(route, call, luck)
        return self._verdict(await self._decide(route, call))

    async def _decide(self, route: Route, call: Call) -> Outcome:
        outcome = route.decide(self._office, self._office.merchants[call.mchid], call)
        if inspect.isawaitable(outcome):
            return await outcome
        return outcome

    def _verdict(self, outcome: Outcome, *, probe: bool = False, lost: bool = False) -> Verdict:
        if isinstance(outcome, Answer):
            return Verdict(
                outcome.status, outcome.body, 0, outcome.signed, outcome.content_type, probe=probe, lost=lost
            )
        signed = self._office.faults.business_refusals_signed
        return Verdict(outcome.status, outcome.body(), outcome.number, signed, probe=probe, lost=lost)

    async def _unlucky(self, route: Route, call: Call, luck: Faults) -> Verdict:
        """The same as a lucky call, with the faults of answers on the way; the n-th call has its own fate."""
        count = self._count_of[route.name] = self._count_of.get(route.name, 0) + 1
        subject = f"{route.name} {count}"

        def strikes(knob: str, chance: float) -> bool:
            return faults.happens(chance, seed=luck.seed, knob=knob, subject=subject)

        await asyncio.sleep(
            faults.delay_s(luck.answer_delay_ms, seed=luck.seed, knob="answer_delay_ms", subject=subject)
        )
        if strikes("answer_limited", luck.answer_limited):
            return self._verdict(FREQUENCY_LIMITED)
        if strikes("answer_error_before", luck.answer_error_before):
            return self._verdict(SYSTEM_ERROR)
        outcome = await self._decide(route, call)
        if strikes("answer_lost", luck.answer_lost):
            return self._verdict(outcome, lost=True)
        if strikes("answer_error_after", luck.answer_error_after):
            return self._verdict(SYSTEM_ERROR)
        return self._verdict(outcome, probe=strikes("answer_signtest", luck.answer_signtest))
