"""Playing scenarios in a house, and judging each from the sandbox's own ledger.

The law of this file: what counts is what the cloud executed and who ended up talking with whom; our own
result is only one of the witnesses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from time import monotonic
from typing import Any

from msgspec import Struct

from warmxfer.client import Client, TransferHandle
from warmxfer.schemas import PhaseChanged, WarmTransferResult

from .local_stack.stack import LocalStack, PlacedCall
from .scenarios import Scenario

TALK_TIMEOUT_S = 60.0
RESULT_TIMEOUT_S = 120.0
SETTLE_S = 10.0
POLL_S = 0.1

OnPhase = Callable[[PhaseChanged], None]


class ScenarioResult(Struct, frozen=True, kw_only=True):
    """One scenario as it went. `faults` is empty when all is as it must be."""

    scenario: Scenario
    id: str
    phases: list[PhaseChanged]
    result: WarmTransferResult
    report: dict[str, Any]
    took_s: float
    problems: list[str]

    @property
    def caller_where(self) -> str:
        """Where the caller ended up, in words."""
        if not self.report["callerLegUp"]:
            return "hung up"
        if self.report["callerRoom"] == self.result.consultation_room_id and self.result.success:
            return "with the supervisor"
        if self.report["callerAlone"]:
            return "alone"
        return "on hold" if self.report["callerHeld"] else "with the AI"


async def place_calls(house: LocalStack, scenarios: list[Scenario], utterances: int) -> list[PlacedCall]:
    """A caller for each scenario, in talk with the AI: `utterances` have been said in every room."""
    callers = [await house.call(scenario.caller) for scenario in scenarios]
    await house.start("primary", rooms=[caller.room_id for caller in callers])
    async with asyncio.timeout(TALK_TIMEOUT_S):
        await asyncio.gather(*(_have_talked(house, caller.room_id, utterances) for caller in callers))
    return callers


async def play(
    house: LocalStack, client: Client, scenario: Scenario, caller: PlacedCall, on_phase: OnPhase | None = None
) -> ScenarioResult:
    """Make one transfer, follow it to its end, and judge it."""
    began = monotonic()
    transfer = await client.request(scenario.request(caller.room_id))
    phases = await _follow(transfer, scenario, on_phase)
    result = await transfer.result(RESULT_TIMEOUT_S)
    took_s = monotonic() - began
    deadline, verdict = monotonic() + SETTLE_S, await house.report(caller, transfer.id)
    # People need a moment to greet each other, and a line that is being said to end.
    while (faults := check_result(scenario, caller, result, verdict)) and monotonic() < deadline:
        await asyncio.sleep(POLL_S)
        verdict = await house.report(caller, transfer.id)
    return ScenarioResult(
        scenario=scenario,
        id=transfer.id,
        phases=phases,
        result=result,
        report=verdict,
        took_s=took_s,
        problems=faults,
    )


async def _follow(
    transfer: TransferHandle, scenario: Scenario, on_phase: OnPhase | None
) -> list[PhaseChanged]:
    phases: list[PhaseChanged] = []
    async with asyncio.timeout(RESULT_TIMEOUT_S), aclosing(transfer.phases()) as following:
        async for phase in following:
            phases.append(phase)
            if on_phase:
                on_phase(phase)
            if phase.phase is scenario.cancel_at:
                await transfer.cancel("the asker thought better of it")
    return phases


async def _have_talked(house: LocalStack, room_id: str, utterances: int) -> None:
    while len(await house.ledger(room=room_id, kind="speech")) < utterances:  # noqa: ASYNC110
        await asyncio.sleep(POLL_S)


def check_result(
    scenario: Scenario, caller: PlacedCall, result: WarmTransferResult, verdict: dict[str, Any]
) -> list[str]:
    """What is not as it must be, one sentence each. Pure."""
    complete, faults = result.success, list[str]()

    def must(true: bool, sentence: str) -> None:
        if not true:
            faults.append(sentence)

    wanted = " or ".join(scenario.expected)
    must(result.outcome in scenario.expected, f"it ended {result.outcome}, not {wanted}")
    must(all(n <= 1 for n in verdict["dials"].values()), f"the supervisor was dialled {verdict['dials']}")
    must(verdict["switches"]["forward"] <= 1, f"the caller was moved {verdict['switches']['forward']} times")
    must(verdict["switches"]["back"] <= 1, f"the caller was moved back {verdict['switches']['back']} times")
    legs = verdict["supervisorLegsUp"]
    must(legs == int(complete), f"{legs} legs of the supervisor are up")
    must(verdict["callerEndedBy"] != "api", "the caller's leg was ended by us")
    if complete:
        heard = {(speaker, hearer) for speaker, hearer in verdict["talking"]}
        must(verdict["callerRoom"] == result.consultation_room_id, "the caller is not with the supervisor")
        must(len(heard) == 2 and all((b, a) in heard for a, b in heard), "the two do not hear each other")
    elif verdict["callerLegUp"]:
        must(verdict["callerRoom"] == caller.room_id, "the caller is not back with the AI")
        must(not verdict["callerAlone"], "the caller is alone: the AI has left")
        must(not verdict["callerHeld"], "the caller is still on hold")
    return faults
