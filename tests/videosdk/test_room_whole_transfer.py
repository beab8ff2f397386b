"""Whole transfers with a briefing by the framework. Each other actor is a process of its own.

The framework's handler joins the sandbox's room over a real socket; the sandbox's people are on the phone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from warmxfer.actors.briefing import BriefingSettings, run
from warmxfer.adapters.rooms import JoinOptions, RoomSettings, open_room_client, token_source
from warmxfer.bus import Bus
from warmxfer.cli.local_stack.stack import LocalStack, PlacedCall
from warmxfer.schemas import Outcome, SpokenLines

from .offline import Meeting
from .room_fixture import Consultation, offline
from .sandbox_meeting import SandboxMeeting, SandboxTTS

TIME_SCALE = 0.1
CONNECTING = SpokenLines().connecting
WITHIN_S = 40.0
ENDS = {
    "+14155550101": Outcome.COMPLETE,
    "+14155550106": Outcome.DECLINED,
    "+14155550105": Outcome.VOICEMAIL,
}
"""The numbers that are dialled, and the expected outcomes."""


@asynccontextmanager
async def briefed_by(local_stack: LocalStack, consultation: Consultation) -> AsyncIterator[None]:
    """Run a briefing worker in this process; its framework joins the rooms of the local stack."""
    async with await Bus.connect(local_stack.settings("briefing"), name="briefing") as bus:

        def make_meeting(config: dict[str, Any]) -> Meeting:
            room_id, participant = config["meeting_id"], config["participant_id"]
            options = JoinOptions(
                room_id, participant, config["name"], token_source(bus, room_id, participant)
            )
            consultation.tts.client = client = open_room_client(RoomSettings(), options)
            return SandboxMeeting(client, consultation.stt, **config)

        consultation.make_meeting = make_meeting
        working = asyncio.create_task(run(bus, BriefingSettings(voice=consultation.settings)))
        yield
        working.cancel()
        await asyncio.wait((working,), timeout=5)


async def transferred(
    local_stack: LocalStack, caller: PlacedCall, number: str
) -> tuple[Outcome, dict[str, Any]]:
    """Transfer to `number`; return the outcome and the ledger's report."""
    destination = {"routing_rule_id": "rr_1", "sip_call_to": number, "sip_call_from": "+14155550100"}
    async with asyncio.timeout(WITHIN_S), local_stack.client() as client:
        transfer = await client.request({"room_id": caller.room_id, "config": {"destination": destination}})
        result = await transfer.result()
    return result.outcome, await local_stack.report(caller, transfer.id)


async def test_a_ready_supervisor_a_decline_and_a_voicemail(monkeypatch: pytest.MonkeyPatch) -> None:
    consultation = offline(monkeypatch, Consultation(llm=None, tts=SandboxTTS()))
    async with (
        LocalStack(counts={"briefing": 0}, time_scale=TIME_SCALE) as local_stack,
        briefed_by(local_stack, consultation),
    ):
        callers = [await local_stack.call() for _ in ENDS]
        await local_stack.start("primary", rooms=[caller.room_id for caller in callers])
        for caller, (number, expected) in zip(callers, ENDS.items(), strict=True):
            outcome, seen = await transferred(local_stack, caller, number)
            ready = expected is Outcome.COMPLETE
            assert outcome is expected
            assert seen["switches"] == {"forward": int(ready), "back": 0}
            assert (seen["supervisorLegsUp"], seen["callerLegUp"]) == (int(ready), True)
            assert (seen["callerRoom"] == caller.room_id) is not ready
            assert consultation.meeting.left
            assert consultation.tts.has_said(CONNECTING) is ready
            consultation.tts.said.clear()
