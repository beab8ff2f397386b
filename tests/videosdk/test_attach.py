"""A live session on a real bus: it executes commands and publishes events of its room."""

from __future__ import annotations

import asyncio

import pytest
from videosdk.agents import AgentSession, Pipeline

from tests.actors.primary.conftest import Boss
from tests.testkit.sent_log import log_awaits_summary
from warmxfer.bus import Bus, InvalidRequest, subjects
from warmxfer.integrations.videosdk import attach_agent_session
from warmxfer.schemas import (
    AudioStreamEnabled,
    CallerHeld,
    CallerReleased,
    History,
    HistoryQuery,
    ParticipantLeft,
    TranscriptTurn,
    WarmTransferPhase,
    decode_as,
    encode,
)

from .offline import CALLER, OfflineSTT, OfflineTTS, ScriptedLLM, SimpleAgent
from .test_session_adapter import until


async def test_a_caller_is_held_and_released(bus: Bus, boss: Boss, room: str, call) -> None:
    live = await call()
    async with attach_agent_session(bus, live.session):
        await boss.send(boss.hold())
        assert await boss.hears() == CallerHeld(
            command_id=f"{boss.transfer_id}-1", caller_participant_id=CALLER
        )
        await until(lambda: live.tts.said == ["Please hold."])
        await live.stt.transcribe("Hello?")
        assert (live.session._accept_user_input, live.llm.requests) == (False, [])
        await boss.send(boss.release("Sorry."))
        assert await boss.hears() == CallerReleased(command_id=f"{boss.transfer_id}-2")
        await until(lambda: live.tts.said == ["Please hold.", "Sorry."])
        assert live.session._accept_user_input is True


async def test_events_of_the_room_are_published_and_those_of_another_session_are_not(
    bus: Bus, boss: Boss, room: str, call
) -> None:
    live, other = await call(), await call("another-room")
    async with attach_agent_session(bus, live.session), attach_agent_session(bus, other.session):
        await boss.send(boss.hold())
        await boss.hears()
        other.meeting.leaves(CALLER)
        live.meeting.joins(f"wxr-{boss.transfer_id}")
        returned = AudioStreamEnabled(room_id=room, participant_id=f"wxr-{boss.transfer_id}")
        assert await boss.hears() == returned
        live.meeting.leaves(CALLER)
        assert await boss.hears() == ParticipantLeft(room_id=room, participant_id=CALLER)
        await boss.hears_nothing()


async def test_a_session_that_closes_on_hold_publishes_caller_released(
    bus: Bus, boss: Boss, room: str, call
) -> None:
    live = await call()
    async with attach_agent_session(bus, live.session) as attachment:
        await boss.send(boss.hold())
        await boss.hears()
        await live.session.close()
        assert await boss.hears() == CallerReleased(command_id=None, cause="session_closed")
        async with asyncio.timeout(15):
            await attachment.detached()


async def test_after_a_handover_the_session_leaves_and_its_handlers_get_the_last_phase(
    bus: Bus, boss: Boss, room: str, call
) -> None:
    live, seen = await call(), []
    live.session.on_warm_transfer(callback=lambda payload: seen.append(payload["phase"].value))
    async with attach_agent_session(bus, live.session):
        await boss.send(boss.hold())
        await boss.hears()
        await boss.phase(1, WarmTransferPhase.STARTED)
        await boss.send(boss.leave())
        await boss.hears_nothing()
        assert live.meeting.left is False, "its handlers have not received the last phase yet"
        await boss.phase(2, WarmTransferPhase.TRANSFER_COMPLETE)
        await until(lambda: live.meeting.left)
    assert seen == ["started", "transfer_complete"]


async def test_the_transcript_is_sent_on_request(bus: Bus, transfer_id: str, call) -> None:
    live = await call()
    live.session.agent.chat_context.add_message(role="user", content="I was charged twice.")
    await log_awaits_summary(bus, transfer_id, "a-name")
    async with attach_agent_session(bus, live.session, "a-name"):
        query = encode(HistoryQuery(transfer_id))
        answer = await bus.request(subjects.ask_history("a-name"), query, 2.0)
    assert decode_as(History, answer) == History([TranscriptTurn("caller", "I was charged twice.")])


async def test_a_session_without_a_room_is_refused(bus: Bus, call) -> None:
    session = AgentSession(
        agent=SimpleAgent(), pipeline=Pipeline(stt=OfflineSTT(), llm=ScriptedLLM(), tts=OfflineTTS())
    )
    with pytest.raises(InvalidRequest):
        async with attach_agent_session(bus, session):
            pass
