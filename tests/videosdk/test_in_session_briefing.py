"""A supervisor who is briefed in the session's own process, as the original does it, without any worker."""

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

from tests.actors.briefing.conftest import QUESTION, Desk
from warmxfer.actors.briefing import brief_here
from warmxfer.adapters.rooms import Disconnected, DisconnectReason, PipelineFactory, VoicemailSuspected
from warmxfer.bus import Bus, BusSettings, subjects
from warmxfer.cli.local_stack.stack import LocalStack
from warmxfer.schemas import ConsultationJoined, ConsultationLeft, SpokenLines, SupervisorReady, encode

from .consultation_fixture import SUPERVISOR, TICKET, Consultation, joined, offline, until
from .event_loop_stalls import Stalls
from .framework_fixture import Asking, Seats, close, framework_offline, open_asking
from .offline import Call, Meeting, Mind, Mouth

READY, DECLINES = "+14155550101", "+14155550106"
CONNECTING = SpokenLines().connecting
ENDS_S = 40.0
MAX_OF_OURS_S = 0.1


def config(number: str = READY, **more: Any) -> WarmTransferConfig:
    destination = SIPDestination(routing_rule_id="rr_1", sip_call_to=number, sip_call_from="+14155550100")
    return WarmTransferConfig(destination=destination, **more)


# ── whole ────────────────────────────────────────────────────────────────────────────────────────


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house() -> AsyncIterator[LocalStack]:
    """Nobody briefs here but sessions."""
    async with LocalStack(counts={"briefing": 0}, time_scale=0.1) as house:
        yield house


@asynccontextmanager
async def asking(house: LocalStack, number: str, *, factory: bool, **own: Any) -> AsyncIterator[Any]:
    """A caller whose AI asks for `number`: the agent, its seats, the live call."""
    async with AsyncExitStack() as stack:
        stack.enter_context(framework_offline())
        bus = await stack.enter_async_context(await Bus.connect(BusSettings(url=house.nats_url), name="test"))
        seats = Seats(bus, await house.call())
        made = {"briefing_pipeline_factory": seats.briefing} if factory else {}
        agent = Asking(config(number, **made))
        live = await open_asking(house, agent, seats, ours=True, **own)
        stack.push_async_callback(close, live, seats)
        yield agent, seats, live


async def ending(agent: Asking, live: Call) -> Any:
    await live.ear.hears("Get me a supervisor.")
    async with asyncio.timeout(ENDS_S):
        return await agent.ending


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("factory", [True, False], ids=["by the user's function", "by the classes"])
@pytest.mark.parametrize("number", [READY, DECLINES])
async def test_whoever_is_ready_gets_the_caller_and_no_loop_waits(
    house: LocalStack, number: str, factory: bool
) -> None:
    own = {} if factory else {"brief_by": "session"}
    async with asking(house, number, factory=factory, **own) as (agent, seats, live), Stalls() as stalls:
        result = await ending(agent, live)
        assert isinstance(result, WarmTransferResult), result
        ready = number == READY
        assert (result.success, result.error) == (ready, None if ready else "declined")
        assert seats.briefings == int(factory)
        assert seats.mouths[-1].has_said(CONNECTING) is ready
        assert [task for task in asyncio.all_tasks() if "consultation" in task.get_name()] == []
    assert stalls.worst_of_ours.ours_s < MAX_OF_OURS_S
    entries = await house.ledger(room=result.consultation_room_id or "")
    left = [each["participantId"] for each in entries if each["kind"] == "left"]
    assert [id for id in left if id.startswith("wxa-")], "the one who briefed has gone"


@pytest.mark.asyncio(loop_scope="module")
async def test_a_function_that_fails_is_one_sentence_to_the_tool(house: LocalStack) -> None:
    async with asking(house, READY, factory=True) as (agent, _, live):
        agent.config.briefing_pipeline_factory = dict
        error = await ending(agent, live)
    assert isinstance(error, WarmTransferError)
    assert "config.briefing_pipeline_factory is 'dict', which returned a dict; return a" in str(error)


# ── the framework's side of it ───────────────────────────────────────────────────────────────────


def with_supervisor(id: str, given: dict[str, Any]) -> Meeting:
    class Busy(Meeting):
        async def async_join(self) -> None:
            self.joins(id)
            await super().async_join()

    return Busy(**given)


async def test_a_line_that_is_lost_is_had_back(
    bus: Bus, transfer_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = offline(monkeypatch, Consultation(mouth=Mouth(speech_s=0.02)))
    desk = Desk(bus, None, transfer_id, "room-1")  # type: ignore[arg-type]  # no sandbox: nobody dials
    desk.session = f"s-{transfer_id}"
    scene.opens = lambda given: with_supervisor(desk.supervisor, given)

    async def token(_: Any) -> bytes:
        return encode(TICKET)

    async with (
        bus.serve(subjects.ASK_ROOM_TOKEN, token, queue="gateway"),
        brief_here(bus, desk.session, scene.settings),
    ):
        await desk.join()
        await desk.wait_for(ConsultationJoined)
        await desk.brief()
        await until(lambda: scene.mouth.has_said(QUESTION))
        lost = scene.meeting
        scene.mouth.said.clear()
        lost._tell("on_error", "Internal socket Error")
        await until(lambda: scene.mouth.has_said(QUESTION))
        assert lost.left
        assert scene.meeting is not lost
        await asyncio.sleep(0.1)
        await scene.ear.hears("Yes, put them through.")
        await desk.wait_for(SupervisorReady)
        left = await desk.leave()
        assert (await desk.wait_for(ConsultationLeft)).command_id == left
    assert scene.meeting.left


async def test_the_summarys_llm_tells_machines_from_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("warmxfer.adapters.rooms.videosdk.agent_session.DETECT_AFTER_S", 0.05)
    scene = offline(monkeypatch, Consultation(mind=None))
    detector = Mind("yes")
    scene.factory = PipelineFactory("briefing", scene.pipeline, "config.briefing_pipeline_factory", detector)
    async with joined(scene) as (voice, _, notes):
        assert voice.model is None, "it judges nothing else"
        await scene.ear.hears("Leave a message after the tone.")
        await notes.wait_for(VoicemailSuspected(SUPERVISOR))
        assert Disconnected(DisconnectReason.LOST) not in notes.seen
