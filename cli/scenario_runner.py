"""Plays scenarios in a local stack and checks each one by the sandbox's ledger.

Invariant: the checks use what the sandbox executed, and which participants hear each other at the end. The
result that warmxfer publishes is only one of the checks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from time import monotonic
from typing import Any

from msgspec import Struct, structs

from warmxfer.client import Client, TransferHandle
from warmxfer.schemas import (
    PhaseChanged,
    SpokenLines,
    WarmTransferResult,
    in_their_language,
    participant_ids,
)

from .local_stack.stack import LocalStack, PlacedCall
from .scenarios import Scenario

TALK_TIMEOUT_S = 60.0
RESULT_TIMEOUT_S = 120.0
"""With people as fast as in life, or faster. Slower people have as much more time."""
SETTLE_S = 10.0
"""Time after the result in which the people greet each other and the last utterance ends."""

POLL_S = 0.1

OnPhase = Callable[[PhaseChanged], None]


class ScenarioResult(Struct, frozen=True, kw_only=True):
    """One played scenario. `problems` is empty if every check passed."""

    scenario: Scenario
    id: str
    phases: list[PhaseChanged]
    result: WarmTransferResult
    report: dict[str, Any]
    took_s: float
    problems: list[str]

    @property
    def caller_where(self) -> str:
        """Where the caller is at the end."""
        if not self.report["callerLegUp"]:
            return "hung up"
        if self.report["callerRoom"] == self.result.consultation_room_id and self.result.success:
            return "with the supervisor"
        if self.report["callerAlone"]:
            return "alone"
        return "on hold" if self.report["callerHeld"] else "with the AI"


async def place_calls(stack: LocalStack, scenarios: list[Scenario], utterances: int) -> list[PlacedCall]:
    """Place one call per scenario. Returns once caller and AI have spoken `utterances` in each room."""
    callers = [await stack.call(scenario.caller) for scenario in scenarios]
    await stack.start("primary", rooms=[caller.room_id for caller in callers])
    async with asyncio.timeout(stack.slower(TALK_TIMEOUT_S)):
        await asyncio.gather(*(_wait_for_speech(stack, caller.room_id, utterances) for caller in callers))
    return callers


async def play(
    stack: LocalStack, client: Client, scenario: Scenario, caller: PlacedCall, on_phase: OnPhase | None = None
) -> ScenarioResult:
    """Request one transfer, follow it to its end, and check it."""
    began = monotonic()
    transfer = await client.request(scenario.request(caller.room_id))
    timeout_s = stack.slower(RESULT_TIMEOUT_S)
    phases = await _follow(transfer, scenario, on_phase, timeout_s)
    result = await transfer.result(timeout_s)
    took_s = monotonic() - began
    deadline, report = monotonic() + SETTLE_S, await stack.report(caller, transfer.id)
    while (problems := check_result(scenario, caller, result, report)) and monotonic() < deadline:
        await asyncio.sleep(POLL_S)
        report = await stack.report(caller, transfer.id)
    if result.consultation_room_id is not None:
        speech = await stack.ledger(room=result.consultation_room_id, kind="speech")
        problems += check_briefing(scenario, result, speech)
    return ScenarioResult(
        scenario=scenario,
        id=transfer.id,
        phases=phases,
        result=result,
        report=report,
        took_s=took_s,
        problems=problems,
    )


async def _follow(
    transfer: TransferHandle, scenario: Scenario, on_phase: OnPhase | None, timeout_s: float
) -> list[PhaseChanged]:
    phases: list[PhaseChanged] = []
    async with asyncio.timeout(timeout_s), aclosing(transfer.phases()) as following:
        async for phase in following:
            phases.append(phase)
            if on_phase:
                on_phase(phase)
            if phase.phase is scenario.cancel_at:
                await transfer.cancel("cancelled by the demo")
    return phases


async def _wait_for_speech(stack: LocalStack, room_id: str, utterances: int) -> None:
    while len(await stack.ledger(room=room_id, kind="speech")) < utterances:  # noqa: ASYNC110
        await asyncio.sleep(POLL_S)


def check_briefing(scenario: Scenario, result: WarmTransferResult, speech: list[dict[str, Any]]) -> list[str]:
    """Return one sentence per part of the summary that was told before a person was on the line. Pure.

    `speech`: the ledger of the consultation room. A caller is only moved to a supervisor who was briefed.
    """
    problems, person, told = list[str](), False, False
    for entry in speech:
        text, speaker = entry["text"], participant_ids.parse(entry["participantId"])
        role = None if speaker is None else speaker.role
        if role == "supervisor":
            person |= scenario.person_says is not None and scenario.person_says.startswith(text)
        elif role == "agent" and text in result.summary and not _begins_fixed_line(scenario, text):
            told = True
            if not person:
                problems.append(f"{text!r} was told before a person was on the line")
    if result.success and not told:
        problems.append("the supervisor was not told the summary")
    return problems


def _begins_fixed_line(scenario: Scenario, text: str) -> bool:
    """Return whether `text` may be a fixed line that was interrupted: "Hi," begins the greeting."""
    lines = in_their_language(SpokenLines(language=scenario.config.get("lines")))
    return any(line.startswith(text) for line in structs.asdict(lines).values() if isinstance(line, str))


def check_result(
    scenario: Scenario, caller: PlacedCall, result: WarmTransferResult, report: dict[str, Any]
) -> list[str]:
    """Return one sentence per failed check. Pure."""
    complete, problems = result.success, list[str]()

    def check(passed: bool, problem: str) -> None:
        if not passed:
            problems.append(problem)

    expected = " or ".join(scenario.expected)
    ended = f"the outcome is {result.outcome}, not {expected} ({result.detail})"
    check(result.outcome in scenario.expected, ended)
    dials, moves = report["dials"], report["switches"]
    check(all(n <= 1 for n in dials.values()), f"the supervisor was dialled more than once: {dials}")
    check(moves["forward"] <= 1, f"the caller was moved {moves['forward']} times")
    check(moves["back"] <= 1, f"the caller was moved back {moves['back']} times")
    legs, expected_legs = report["supervisorLegsUp"], int(complete)
    check(legs == expected_legs, f"the supervisor legs still up are {legs}, not {expected_legs}")
    check(report["callerEndedBy"] != "api", "warmxfer ended the caller's leg")
    if complete:
        hears = {(speaker, listener) for speaker, listener in report["talking"]}
        both_ways = len(hears) == 2 and all((b, a) in hears for a, b in hears)
        check(report["callerRoom"] == result.consultation_room_id, "the caller is not with the supervisor")
        check(both_ways, "the caller and the supervisor do not hear each other")
    elif report["callerLegUp"]:
        check(report["callerRoom"] == caller.room_id, "the caller is not back with the AI")
        check(not report["callerAlone"], "the caller is alone: the AI has left")
        check(not report["callerHeld"], "the caller is still on hold")
    return problems
