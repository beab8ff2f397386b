"""Whole consultations in VideoSDK's rooms: the briefing worker, a real bus, the real framework."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from videosdk.agents import LLMResponse

from tests.actors.briefing.conftest import CONNECTING, GREETING, QUESTION, UNDERSTOOD, Desk
from warmxfer.actors.briefing import BriefingSettings, run
from warmxfer.bus import Bus, subjects
from warmxfer.schemas import (
    AudioStreamEnabled,
    CommandFailed,
    ConsultationJoined,
    ConsultationLeft,
    Event,
    FailureKind,
    ParticipantJoined,
    ParticipantLeft,
    SupervisorDeclined,
    SupervisorReady,
    VoicemailDetected,
    encode,
)

from .consultation_fixture import TICKET, Consultation, offline, until
from .offline import Meeting, Mind, Mouth

DECISIONS = (SupervisorReady, SupervisorDeclined, VoicemailDetected)
ASKED_AGAIN = 2


class Judge(Mind):
    """Calls `wish` when it is offered tools; else it says what it is told to, to whoever asks."""

    def __init__(self, wish: tuple[str, dict[str, Any]] | None = None, says: str = "no") -> None:
        super().__init__()
        self.wish, self.says = wish, says

    async def chat(self, messages: Any, tools: Any = None, **_: Any) -> AsyncIterator[LLMResponse]:
        self.script.append(self.wish if tools and self.wish else self.says)
        async for chunk in super().chat(messages):
            yield chunk


@dataclass
class Floor:
    """A consultation at work: its desk, and what the framework shows of it."""

    desk: Desk
    scene: Consultation

    async def begin(self) -> None:
        """Until the supervisor is there and the briefing is ordered."""
        await self.desk.join()
        await self.desk.wait_for(ConsultationJoined)
        self.scene.meeting.joins(self.desk.supervisor, "Agent Smith")
        await self.desk.wait_for(AudioStreamEnabled, participant_id=self.desk.supervisor)
        await self.desk.brief()

    async def asked(self, count: int = 1) -> None:
        await until(lambda: len([said for said in self.said if _bare(said) == _bare(QUESTION)]) >= count)

    async def end(self) -> list[Event]:
        """Leave; returns everything that was told."""
        left = await self.desk.leave()
        assert (await self.desk.wait_for(ConsultationLeft)).command_id == left
        assert self.scene.meeting.left
        return await self.desk.events()

    @property
    def said(self) -> list[str]:
        return self.scene.mouth.said


@pytest_asyncio.fixture
async def floor(bus: Bus, transfer_id: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Floor]:
    scene = offline(monkeypatch, Consultation(mind=Judge(), mouth=Mouth(speech_s=0.02)))
    desk = Desk(bus, None, transfer_id, "room-1")  # type: ignore[arg-type]  # no sandbox: nobody dials

    async def token(_: Any) -> bytes:
        return encode(TICKET)

    async with (
        bus.serve(subjects.ASK_ROOM_TOKEN, token, queue="gateway"),
        await Bus.connect(bus.settings, name="briefing") as own,
    ):
        working = asyncio.create_task(run(own, BriefingSettings(voice=scene.settings)))
        yield Floor(desk, scene)
        working.cancel()
        await asyncio.wait((working,), timeout=5)


def _with_supervisor(id: str, config: dict[str, Any]) -> Meeting:
    class Busy(Meeting):
        async def async_join(self) -> None:
            self.joins(id)
            await super().async_join()

    return Busy(**config)


def decisions(events: list[Event]) -> list[Event]:
    return [event for event in events if isinstance(event, DECISIONS)]


def _bare(line: str) -> str:
    """A line without its blanks: the framework's chunker eats some."""
    return "".join(line.split())


async def test_a_ready_supervisor_is_told_asked_and_connected(floor: Floor) -> None:
    await floor.begin()
    await floor.asked()
    await floor.scene.ear.hears("Yes, put them through.")
    await floor.desk.wait_for(SupervisorReady)
    await until(lambda: floor.scene.mouth.has_said(CONNECTING))
    assert [type(event) for event in await floor.end()] == [
        ConsultationJoined,
        ParticipantJoined,
        AudioStreamEnabled,
        SupervisorReady,
        ConsultationLeft,
    ]
    spoken = [GREETING, "Ann was charged twice.", "She wants one charge refunded.", QUESTION, CONNECTING]
    assert [_bare(line) for line in floor.said] == [_bare(line) for line in spoken]


async def test_h3_a_yes_into_the_narration_connects_nobody(floor: Floor) -> None:
    floor.scene.mouth.speech_s = 0.6
    floor.scene.mind = Judge(("done_briefing", {}))
    await floor.begin()
    await until(lambda: floor.scene.mouth.has_said(GREETING))
    await floor.scene.ear.hears("Yes.")
    await floor.asked()
    await asyncio.sleep(0.8)
    assert decisions(await floor.desk.events()) == []
    await floor.scene.ear.hears("Yes.")
    await floor.desk.wait_for(SupervisorReady)
    assert decisions(await floor.end()) == [SupervisorReady()]


async def test_the_pipelines_llm_judges_what_the_rules_cannot(floor: Floor) -> None:
    floor.scene.mind = Judge(("decline_transfer", {"reason": "The supervisor is cooking."}))
    await floor.begin()
    await floor.asked()
    await asyncio.sleep(0.1)
    await floor.scene.ear.hears("The pasta is on the stove.")
    declined = SupervisorDeclined(reason="The supervisor is cooking.")
    assert await floor.desk.wait_for(SupervisorDeclined) == declined
    await until(lambda: floor.scene.mouth.has_said(UNDERSTOOD))
    assert decisions(await floor.end()) == [declined]


async def test_what_the_llm_wishes_is_gated(floor: Floor) -> None:
    floor.scene.mind = Judge(("done_briefing", {}))
    await floor.begin()
    await floor.asked()
    await asyncio.sleep(0.1)
    await floor.scene.ear.hears("Yes, hold on, the pasta is on the stove.")
    await floor.asked(ASKED_AGAIN)
    assert decisions(await floor.end()) == []


@pytest.mark.parametrize(
    "said",
    ["Sí, páselo por favor.", "Ja, bitte durchstellen.", "Haan, connect kar do.", "No hay problema, páselo."],
)
async def test_a_supervisor_who_says_yes_in_their_own_language_gets_the_caller(
    floor: Floor, said: str
) -> None:
    floor.scene.mind = Judge(("done_briefing", {}))
    await floor.begin()
    await floor.asked()
    await asyncio.sleep(0.1)
    await floor.scene.ear.hears(said)
    await floor.desk.wait_for(SupervisorReady)
    assert decisions(await floor.end()) == [SupervisorReady()]


async def test_h20_the_frameworks_detector_ends_a_briefing_told_to_a_machine(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warmxfer.adapters.rooms.videosdk.agent_session.DETECT_AFTER_S", 0.05)
    floor.scene.mind = Judge(says="yes")
    floor.scene.mouth.speech_s = 0.5
    await floor.begin()
    await floor.scene.ear.hears("Grüezi, hier ist der Anschluss von Familie Meier.")
    await floor.desk.wait_for(VoicemailDetected)
    assert decisions(await floor.end()) == [VoicemailDetected()]
    assert not floor.scene.mouth.has_said(QUESTION)


async def test_after_the_question_the_detector_is_not_believed(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warmxfer.adapters.rooms.videosdk.agent_session.DETECT_AFTER_S", 0.05)
    floor.scene.mind = Judge(says="yes")
    await floor.begin()
    await floor.asked()
    await asyncio.sleep(0.1)
    await floor.scene.ear.hears("Could you say that again?")
    await until(lambda: "Text to classify" in str(floor.scene.mind and floor.scene.mind.asked))
    await floor.asked(ASKED_AGAIN)
    assert decisions(await floor.end()) == []


async def test_a_supervisor_who_hangs_up_is_told_of(floor: Floor) -> None:
    await floor.begin()
    floor.scene.meeting.leaves(floor.desk.supervisor)
    assert await floor.desk.wait_for(ParticipantLeft, participant_id=floor.desk.supervisor)
    await floor.end()


async def test_a_line_that_is_lost_is_had_back_and_the_briefing_told_again(floor: Floor) -> None:
    await floor.begin()
    await floor.asked()
    lost = floor.scene.meeting
    floor.scene.opens = lambda config: _with_supervisor(floor.desk.supervisor, config)
    lost._tell("on_error", "Internal socket Error")
    await floor.asked(ASKED_AGAIN)
    assert lost.left
    assert floor.scene.meeting is not lost
    await asyncio.sleep(0.1)
    await floor.scene.ear.hears("Yes, put them through.")
    await floor.desk.wait_for(SupervisorReady)
    assert decisions(await floor.end()) == [SupervisorReady()]


async def test_h21_a_component_that_hangs_does_not_keep_the_transfer_from_its_end(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warmxfer.adapters.rooms.videosdk.agent_session.CLOSE_TIMEOUT_S", 0.2)
    floor.scene.mouth.hangs_on_close = True
    await floor.begin()
    async with asyncio.timeout(3):
        await floor.end()


async def test_a_factory_that_fails_is_one_sentence_to_whoever_asked(floor: Floor) -> None:
    floor.scene.made = dict
    command = await floor.desk.join()
    failed = await floor.desk.wait_for(CommandFailed)
    assert (failed.command_id, failed.failure) == (command, FailureKind.REFUSED)
    assert failed.detail.startswith("WARMXFER_BRIEFING_PIPELINE is 'ours:briefing', which returned a dict")
    left = await floor.desk.leave()
    assert (await floor.desk.wait_for(ConsultationLeft)).command_id == left
