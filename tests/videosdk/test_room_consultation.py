"""Whole consultations in VideoSDK rooms: the briefing worker, a real bus, the real framework."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal

import pytest
import pytest_asyncio
from videosdk.agents import LLMResponse

from tests.actors.briefing.conftest import CONNECTING, GREETING, QUESTION, UNDERSTOOD, ConsultationDriver
from warmxfer.actors.briefing import BriefingSettings, run
from warmxfer.actors.briefing.dialogue import Dialogue
from warmxfer.actors.briefing.dialogue_actions import Action, DialogueState
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
    SpokenLines,
    SupervisorDeclined,
    SupervisorReady,
    VoicemailDetected,
    encode,
)

from .offline import Meeting, OfflineTTS, ScriptedLLM
from .room_fixture import TOKEN, Consultation, offline, until

AcceptBy = Literal["voice", "either", "key"]
DECISIONS = (SupervisorReady, SupervisorDeclined, VoicemailDetected)
ASKED_AGAIN = 2


class ScriptedClassifier(ScriptedLLM):
    """Returns `tool_call` when it is offered tools, else the text `says`."""

    def __init__(self, tool_call: tuple[str, dict[str, Any]] | None = None, says: str = "no") -> None:
        super().__init__()
        self.tool_call, self.says = tool_call, says

    async def chat(self, messages: Any, tools: Any = None, **_: Any) -> AsyncIterator[LLMResponse]:
        self.script.append(self.tool_call if tools and self.tool_call else self.says)
        async for chunk in super().chat(messages):
            yield chunk


class LateDetector(ScriptedClassifier):
    """Says that a machine is on the line, once `released`. The framework asks it after the first words."""

    def __init__(self) -> None:
        super().__init__(says="yes")
        self.released = asyncio.Event()

    async def chat(self, messages: Any, tools: Any = None, **_: Any) -> AsyncIterator[LLMResponse]:
        if "Text to classify" in str(messages.to_dict()):
            await self.released.wait()
        async for chunk in super().chat(messages, tools):
            yield chunk


@dataclass
class BriefingRun:
    """A running consultation: the driver that sends commands, and the framework's side."""

    driver: ConsultationDriver
    consultation: Consultation
    dialogues: list[Dialogue]

    async def begin(self, first_words: str = "Hello?", accept_by: AcceptBy = "voice") -> None:
        """Let the supervisor join and say the first words, and send the command to brief."""
        await self.driver.join()
        await self.driver.wait_for(ConsultationJoined)
        self.consultation.meeting.joins(self.driver.supervisor, "Agent Smith")
        await self.driver.wait_for(AudioStreamEnabled, participant_id=self.driver.supervisor)
        if first_words:
            await self.consultation.stt.transcribe(first_words)
        await self.driver.brief(accept_by=accept_by)

    async def wait_for_question(self, count: int = 1) -> None:
        await until(
            lambda: len([said for said in self.said if _squeezed(said) == _squeezed(QUESTION)]) >= count
        )

    async def wait_for_end_of_question(self) -> None:
        """Wait until the question was said to its end, so that a reply counts."""
        await self.wait_for_question()
        await until(lambda: bool(self.dialogues) and self.dialogues[-1].listening)

    async def end(self) -> list[Event]:
        """Leave; return all published events."""
        left = await self.driver.leave()
        assert (await self.driver.wait_for(ConsultationLeft)).command_id == left
        assert self.consultation.meeting.left
        return await self.driver.events()

    @property
    def said(self) -> list[str]:
        return self.consultation.tts.said


@pytest_asyncio.fixture
async def briefing(bus: Bus, transfer_id: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[BriefingRun]:
    consultation = offline(monkeypatch, Consultation(llm=ScriptedClassifier(), tts=OfflineTTS(speech_s=0.02)))
    dialogues = list[Dialogue]()

    def dialogue(*arguments: Any) -> Dialogue:
        dialogues.append(Dialogue(*arguments))
        return dialogues[-1]

    monkeypatch.setattr("warmxfer.actors.briefing.dialogue_runner.Dialogue", dialogue)
    driver = ConsultationDriver(bus, None, transfer_id, "room-1")  # type: ignore[arg-type]  # without a sandbox: the test dials no number

    async def token(_: Any) -> bytes:
        return encode(TOKEN)

    async with (
        bus.serve(subjects.ASK_ROOM_TOKEN, token, queue="gateway"),
        await Bus.connect(bus.settings, name="briefing") as own,
    ):
        working = asyncio.create_task(run(own, BriefingSettings(voice=consultation.settings)))
        yield BriefingRun(driver, consultation, dialogues)
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


def _squeezed(line: str) -> str:
    """Return the line without blanks: the framework's chunker removes some."""
    return "".join(line.split())


async def test_a_ready_supervisor_is_briefed_asked_and_connected(briefing: BriefingRun) -> None:
    await briefing.begin()
    await briefing.wait_for_question()
    await briefing.consultation.stt.transcribe("Yes, put them through.")
    await briefing.driver.wait_for(SupervisorReady)
    await until(lambda: briefing.consultation.tts.has_said(CONNECTING))
    # Their join is an event of its own only if their audio starts later.
    types = [type(event) for event in await briefing.end()]
    assert [each for each in types if each is not ParticipantJoined] == [
        ConsultationJoined,
        AudioStreamEnabled,
        SupervisorReady,
        ConsultationLeft,
    ]
    spoken = [GREETING, "Ann was charged twice.", "She wants one charge refunded.", QUESTION, CONNECTING]
    assert [_squeezed(line) for line in briefing.said] == [_squeezed(line) for line in spoken]


@pytest.mark.parametrize(
    ("key", "decision"),
    [("1", SupervisorReady(by="key", words="1")), ("2", SupervisorDeclined(reason="pressed 2"))],
)
async def test_a_key_of_the_supervisor_decides_and_no_other_participants(
    briefing: BriefingRun, key: str, decision: Event
) -> None:
    await briefing.begin(accept_by="key")
    await briefing.wait_for_question()
    briefing.consultation.meeting.joins("stranger")
    briefing.consultation.meeting.press("stranger", "1")
    briefing.consultation.meeting.leaves("stranger")
    briefing.consultation.meeting.press(briefing.driver.supervisor, key)
    await briefing.driver.wait_for(type(decision))
    assert decisions(await briefing.end()) == [decision]


async def test_h3_a_yes_during_the_narration_does_not_count(briefing: BriefingRun) -> None:
    briefing.consultation.tts.speech_s = 0.6
    briefing.consultation.llm = ScriptedClassifier(("done_briefing", {}))
    await briefing.begin()
    await until(lambda: briefing.consultation.tts.has_said(GREETING))
    await briefing.consultation.stt.transcribe("Yes.")
    await briefing.wait_for_end_of_question()
    assert decisions(await briefing.driver.events()) == []
    await briefing.consultation.stt.transcribe("Yes.")
    await briefing.driver.wait_for(SupervisorReady)
    assert decisions(await briefing.end()) == [SupervisorReady(by="voice", words="Yes.")]


async def test_the_pipelines_llm_classifies_what_the_rules_cannot(briefing: BriefingRun) -> None:
    briefing.consultation.llm = ScriptedClassifier(
        ("decline_transfer", {"reason": "The supervisor is cooking."})
    )
    await briefing.begin()
    await briefing.wait_for_end_of_question()
    await briefing.consultation.stt.transcribe("The pasta is on the stove.")
    declined = SupervisorDeclined(reason="The supervisor is cooking.")
    assert await briefing.driver.wait_for(SupervisorDeclined) == declined
    await until(lambda: briefing.consultation.tts.has_said(UNDERSTOOD))
    assert decisions(await briefing.end()) == [declined]


async def test_a_tool_call_against_the_supervisors_words_does_not_count(briefing: BriefingRun) -> None:
    briefing.consultation.llm = ScriptedClassifier(("done_briefing", {}))
    await briefing.begin()
    await briefing.wait_for_end_of_question()
    await briefing.consultation.stt.transcribe("If the pasta allows it, yes.")
    await briefing.wait_for_question(ASKED_AGAIN)
    assert decisions(await briefing.end()) == []


@pytest.mark.parametrize(
    "said",
    ["Sí, páselo por favor.", "Ja, bitte durchstellen.", "Haan, connect kar do.", "No hay problema, páselo."],
)
async def test_a_supervisor_who_says_yes_in_their_own_language_gets_the_caller(
    briefing: BriefingRun, said: str
) -> None:
    briefing.consultation.llm = ScriptedClassifier(("done_briefing", {}))
    await briefing.begin()
    await briefing.wait_for_end_of_question()
    await briefing.consultation.stt.transcribe(said)
    await briefing.driver.wait_for(SupervisorReady)
    assert decisions(await briefing.end()) == [SupervisorReady(by="voice", words=said)]


async def test_h20_a_line_that_the_frameworks_detector_suspects_is_asked_and_ends_if_silent(
    briefing: BriefingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warmxfer.adapters.rooms.videosdk.agent_session.DETECT_AFTER_S", 0.05)
    monkeypatch.setattr("warmxfer.actors.briefing.dialogue_runner.SILENCE_S", 0.3)
    briefing.consultation.llm = ScriptedClassifier(says="yes")
    briefing.consultation.tts.speech_s = 0.5
    await briefing.begin(first_words="")
    await briefing.consultation.stt.transcribe("Grüezi, hier ist der Anschluss von Familie Meier.")
    await briefing.driver.wait_for(VoicemailDetected)
    assert decisions(await briefing.end()) == [VoicemailDetected()]
    assert briefing.consultation.tts.has_said(SpokenLines().identify)
    assert not briefing.consultation.tts.has_said(QUESTION)


async def test_after_the_question_the_detector_does_not_count(
    briefing: BriefingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warmxfer.adapters.rooms.videosdk.agent_session.DETECT_AFTER_S", 0.05)
    suspected, machine_suspected = list[str](), Dialogue.machine_suspected

    def suspect(dialogue: Dialogue) -> list[Action]:
        suspected.append(dialogue.state)
        return machine_suspected(dialogue)

    monkeypatch.setattr(Dialogue, "machine_suspected", suspect)
    briefing.consultation.llm = detector = LateDetector()
    await briefing.begin()
    await briefing.wait_for_end_of_question()
    detector.released.set()
    await until(lambda: suspected == [DialogueState.LISTENING])
    await briefing.consultation.stt.transcribe("Could you say that again?")
    await briefing.wait_for_question(ASKED_AGAIN)
    assert decisions(await briefing.end()) == []
    assert not briefing.consultation.tts.has_said(SpokenLines().identify)


async def test_a_supervisor_who_hangs_up_is_published_as_left(briefing: BriefingRun) -> None:
    await briefing.begin()
    briefing.consultation.meeting.leaves(briefing.driver.supervisor)
    assert await briefing.driver.wait_for(ParticipantLeft, participant_id=briefing.driver.supervisor)
    await briefing.end()


async def test_a_lost_connection_is_restored_and_the_briefing_repeated(briefing: BriefingRun) -> None:
    await briefing.begin()
    await briefing.wait_for_question()
    lost = briefing.consultation.meeting
    briefing.consultation.make_meeting = lambda config: _with_supervisor(briefing.driver.supervisor, config)
    lost._emit("on_error", "Internal socket Error")
    await until(lambda: briefing.said.count(GREETING) == ASKED_AGAIN)
    await briefing.consultation.stt.transcribe("Hello?")
    await briefing.wait_for_question(ASKED_AGAIN)
    assert lost.left
    assert briefing.consultation.meeting is not lost
    await until(lambda: briefing.dialogues[-1].listening)
    await briefing.consultation.stt.transcribe("Yes, put them through.")
    await briefing.driver.wait_for(SupervisorReady)
    assert decisions(await briefing.end()) == [SupervisorReady(by="voice", words="Yes, put them through.")]


async def test_h21_a_component_that_hangs_on_close_does_not_delay_the_end(
    briefing: BriefingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warmxfer.adapters.rooms.videosdk.agent_session.CLOSE_TIMEOUT_S", 0.2)
    briefing.consultation.tts.hangs_on_close = True
    await briefing.begin()
    async with asyncio.timeout(3):
        await briefing.end()


async def test_a_failing_factory_is_one_sentence_in_the_reply(briefing: BriefingRun) -> None:
    briefing.consultation.make = dict
    command = await briefing.driver.join()
    failed = await briefing.driver.wait_for(CommandFailed)
    assert (failed.command_id, failed.failure) == (command, FailureKind.REFUSED)
    assert failed.detail.startswith("WARMXFER_BRIEFING_PIPELINE is 'ours:briefing', which returned a dict")
    left = await briefing.driver.leave()
    assert (await briefing.driver.wait_for(ConsultationLeft)).command_id == left
