"""Briefing in the session's own process, as upstream does it, without a briefing worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from videosdk.agents.warm_transfer import (
    SIPDestination,
    WarmTransferConfig,
    WarmTransferError,
    WarmTransferResult,
)

from tests.actors.briefing.conftest import GREETING, QUESTION, ConsultationDriver
from warmxfer.actors.briefing import brief_here
from warmxfer.adapters.rooms import Disconnected, DisconnectReason, PipelineFactory, VoicemailSuspected
from warmxfer.bus import Bus, BusSettings, subjects
from warmxfer.cli.local_stack.stack import LocalStack
from warmxfer.integrations.videosdk import attach_agent_session
from warmxfer.schemas import ConsultationJoined, ConsultationLeft, SpokenLines, SupervisorReady, encode

from .event_loop_stalls import StallWatcher
from .offline import Call, Meeting, OfflineTTS, ScriptedLLM
from .room_fixture import SUPERVISOR, TOKEN, Consultation, joined, offline, until
from .upstream_fixture import AgentConnections, EscalatingAgent, close, framework_offline, open_escalating

READY, DECLINES = "+14155550101", "+14155550106"
CONNECTING = SpokenLines().connecting
ENDS_S = 40.0
MAX_WARMXFER_S = 0.1


def config(number: str = READY, **more: Any) -> WarmTransferConfig:
    destination = SIPDestination(routing_rule_id="rr_1", sip_call_to=number, sip_call_from="+14155550100")
    return WarmTransferConfig(destination=destination, **more)


# ── whole transfers ────────────────────────────────────────────────────────────────────────────────────────


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def local_stack() -> AsyncIterator[LocalStack]:
    """Run a local stack without a briefing worker."""
    async with LocalStack(counts={"briefing": 0}, time_scale=0.1) as local_stack:
        yield local_stack


@asynccontextmanager
async def escalating(
    local_stack: LocalStack, number: str, *, factory: bool, **settings: Any
) -> AsyncIterator[Any]:
    """Yield the agent, connections and call of a caller whose AI requests a transfer to `number`."""
    async with AsyncExitStack() as stack:
        stack.enter_context(framework_offline())
        connections = AgentConnections(local_stack, await local_stack.call())
        more = {"briefing_pipeline_factory": connections.briefing} if factory else {}
        agent = EscalatingAgent(config(number, **more))
        live = await open_escalating(local_stack, agent, connections, with_warmxfer=True, **settings)
        stack.push_async_callback(close, live, connections)
        yield agent, connections, live


async def ending(agent: EscalatingAgent, live: Call) -> Any:
    await live.stt.transcribe("Get me a supervisor.")
    async with asyncio.timeout(ENDS_S):
        return await agent.ending


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("factory", [True, False], ids=["by the user's function", "by the classes"])
@pytest.mark.parametrize("number", [READY, DECLINES])
async def test_only_a_ready_supervisor_gets_the_caller_and_the_loop_is_not_stalled(
    local_stack: LocalStack, number: str, factory: bool
) -> None:
    settings = {} if factory else {"brief_by": "session"}
    async with (
        escalating(local_stack, number, factory=factory, **settings) as (agent, connections, live),
        StallWatcher() as stalls,
    ):
        result = await ending(agent, live)
        assert isinstance(result, WarmTransferResult), result
        ready = number == READY
        assert (result.success, result.error) == (ready, None if ready else "declined")
        assert connections.briefings == int(factory)
        assert connections.all_tts[-1].has_said(CONNECTING) is ready
        assert [task for task in asyncio.all_tasks() if "consultation" in task.get_name()] == []
    assert stalls.worst_warmxfer.warmxfer_s < MAX_WARMXFER_S
    entries = await local_stack.ledger(room=result.consultation_room_id or "")
    left = [each["participantId"] for each in entries if each["kind"] == "left"]
    assert [id for id in left if id.startswith("wxa-")], "the briefing agent has left"


@pytest.mark.asyncio(loop_scope="module")
async def test_a_session_with_a_name_of_its_own_briefs_the_supervisor(local_stack: LocalStack) -> None:
    settings = BusSettings.from_env({"NATS_URL": local_stack.url_of("agent")})
    async with (
        await Bus.connect(settings, name="test") as bus,
        escalating(local_stack, READY, factory=True) as (agent, connections, live),
        attach_agent_session(bus, live.session, "ann-8"),
    ):
        result = await ending(agent, live)
    assert isinstance(result, WarmTransferResult), result
    assert (result.success, connections.briefings) == (True, 1)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_failing_function_is_one_sentence_for_the_tool(local_stack: LocalStack) -> None:
    async with escalating(local_stack, READY, factory=True) as (agent, _, live):
        agent.config.briefing_pipeline_factory = dict
        error = await ending(agent, live)
    assert isinstance(error, WarmTransferError)
    assert "config.briefing_pipeline_factory is 'dict', which returned a dict; return a" in str(error)


# ── in the framework ───────────────────────────────────────────────────────────────────


def with_supervisor(id: str, given: dict[str, Any]) -> Meeting:
    class Busy(Meeting):
        async def async_join(self) -> None:
            self.joins(id)
            await super().async_join()

    return Busy(**given)


async def test_a_lost_connection_is_restored_and_the_briefing_repeated(
    bus: Bus, transfer_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    consultation = offline(monkeypatch, Consultation(tts=OfflineTTS(speech_s=0.02)))
    driver = ConsultationDriver(bus, None, transfer_id, "room-1")  # type: ignore[arg-type]  # without a sandbox: the test dials no number
    driver.session = f"s-{transfer_id}"
    consultation.make_meeting = lambda given: with_supervisor(driver.supervisor, given)

    async def token(_: Any) -> bytes:
        return encode(TOKEN)

    async with (
        bus.serve(subjects.ANY_SESSION_TOKEN, token, queue="gateway"),
        brief_here(bus, driver.session, consultation.settings),
    ):
        await driver.join()
        await driver.wait_for(ConsultationJoined)
        await driver.brief()
        await consultation.stt.transcribe("Hello?")
        await until(lambda: consultation.tts.has_said(QUESTION))
        lost = consultation.meeting
        consultation.tts.said.clear()
        lost._emit("on_error", "Internal socket Error")
        await until(lambda: consultation.tts.has_said(GREETING))
        await consultation.stt.transcribe("Hello?")
        await until(lambda: consultation.tts.has_said(QUESTION))
        assert lost.left
        assert consultation.meeting is not lost
        await asyncio.sleep(0.1)
        await consultation.stt.transcribe("Yes, put them through.")
        await driver.wait_for(SupervisorReady)
        left = await driver.leave()
        assert (await driver.wait_for(ConsultationLeft)).command_id == left
    assert consultation.meeting.left


async def test_the_summary_llm_detects_voicemail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("warmxfer.adapters.rooms.videosdk.agent_session.DETECT_AFTER_S", 0.05)
    consultation = offline(monkeypatch, Consultation(llm=None))
    detector = ScriptedLLM("yes")
    consultation.factory = PipelineFactory(
        "briefing", consultation.pipeline, "config.briefing_pipeline_factory", detector
    )
    async with joined(consultation) as (client, _, recorder):
        assert client.model is None, "the model is used for nothing else"
        await consultation.stt.transcribe("Leave a message after the tone.")
        await recorder.wait_for(VoicemailSuspected(SUPERVISOR))
        assert Disconnected(DisconnectReason.LOST) not in recorder.seen
