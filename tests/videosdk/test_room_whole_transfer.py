"""A whole transfer whose supervisor is briefed by the framework: every other actor is a process of its own.

The room is the sandbox's, entered by the framework's handler over a real socket; on the phone are its people.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from warmxfer.actors.briefing import BriefingSettings, run
from warmxfer.adapters.rooms import JoinOptions, RoomSettings, open_room_client, token_source
from warmxfer.bus import Bus, BusSettings
from warmxfer.cli.local_stack.stack import LocalStack, PlacedCall
from warmxfer.schemas import Outcome, SpokenLines

from .cloud import CloudMeeting, CloudMouth
from .consultation_fixture import Consultation, offline
from .offline import Meeting

TIME_SCALE = 0.1
CONNECTING = SpokenLines().connecting
WITHIN_S = 40.0
ENDS = {
    "+14155550101": Outcome.COMPLETE,
    "+14155550106": Outcome.DECLINED,
    "+14155550105": Outcome.VOICEMAIL,
}
"""Whom the sandbox lets answer, and how it must end."""


@asynccontextmanager
async def briefed_by(house: LocalStack, scene: Consultation) -> AsyncIterator[None]:
    """A briefing worker in this process, whose framework sits in the house's rooms."""
    async with await Bus.connect(BusSettings(url=house.nats_url), name="briefing") as bus:

        def entered(config: dict[str, Any]) -> Meeting:
            room_id, who = config["meeting_id"], config["participant_id"]
            seat = JoinOptions(room_id, who, config["name"], token_source(bus, room_id, who))
            scene.mouth.voice = voice = open_room_client(RoomSettings(), seat)
            return CloudMeeting(voice, scene.ear, **config)

        scene.opens = entered
        working = asyncio.create_task(run(bus, BriefingSettings(voice=scene.settings)))
        yield
        working.cancel()
        await asyncio.wait((working,), timeout=5)


async def transferred(house: LocalStack, caller: PlacedCall, number: str) -> tuple[Outcome, dict[str, Any]]:
    """How the transfer to `number` ended, and what the cloud's ledger says of it."""
    destination = {"routing_rule_id": "rr_1", "sip_call_to": number, "sip_call_from": "+14155550100"}
    async with asyncio.timeout(WITHIN_S), house.client() as client:
        transfer = await client.request({"room_id": caller.room_id, "config": {"destination": destination}})
        result = await transfer.result()
    return result.outcome, await house.report(caller, transfer.id)


async def test_one_is_ready_one_declines_and_one_is_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = offline(monkeypatch, Consultation(mind=None, mouth=CloudMouth()))
    async with LocalStack(counts={"briefing": 0}, time_scale=TIME_SCALE) as house, briefed_by(house, scene):
        callers = [await house.call() for _ in ENDS]
        await house.start("primary", rooms=[caller.room_id for caller in callers])
        for caller, (number, expected) in zip(callers, ENDS.items(), strict=True):
            outcome, seen = await transferred(house, caller, number)
            ready = expected is Outcome.COMPLETE
            assert outcome is expected
            assert seen["switches"] == {"forward": int(ready), "back": 0}
            assert (seen["supervisorLegsUp"], seen["callerLegUp"]) == (int(ready), True)
            assert (seen["callerRoom"] == caller.room_id) is not ready
            assert scene.meeting.left
            assert scene.mouth.has_said(CONNECTING) is ready
            scene.mouth.said.clear()
