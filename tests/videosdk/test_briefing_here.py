"""A supervisor who is briefed in the session's own process, as the original does it, without any worker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from videosdk.agents import Pipeline
from videosdk.agents.job import _set_current_job_context
from videosdk.agents.warm_transfer import (
    SIPDestination,
    WarmTransferConfig,
    WarmTransferError,
    WarmTransferResult,
)

from warmxfer.actors.briefing import brief_here
from warmxfer.actors.house import House
from warmxfer.actors.videosdk import install, pipelines, spare
from warmxfer.actors.voices import Closed, Closing, PipelineFactory, VoicemailNoticed
from warmxfer.bus import Bus, BusSettings, subjects
from warmxfer.schemas import ConsultationJoined, ConsultationLeft, SpokenLines, SupervisorReady, encode

from ..actors.briefing.conftest import QUESTION, Desk
from .consulting import SUPERVISOR, TICKET, Consultation, joined, offline, until
from .offline import Call, Ear, Meeting, Mind, Mouth, Realtime
from .stage import Asking, Seats, close, framework_offline, open_asking
from .stalls import Stalls

READY, DECLINES = "+14155550101", "+14155550106"
CONNECTING = SpokenLines().connecting
ENDS_S = 40.0
MAX_OF_OURS_S = 0.1


def config(number: str = READY, **more: Any) -> WarmTransferConfig:
    destination = SIPDestination(routing_rule_id="rr_1", sip_call_to=number, sip_call_from="+14155550100")
    return WarmTransferConfig(destination=destination, **more)


# ── whole ────────────────────────────────────────────────────────────────────────────────────────


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house() -> AsyncIterator[House]:
    """Nobody briefs here but sessions."""
    async with House(counts={"briefing": 0}, time_scale=0.1) as house:
        yield house


@asynccontextmanager
async def asking(house: House, number: str, *, factory: bool, **own: Any) -> AsyncIterator[Any]:
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
    house: House, number: str, factory: bool
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
async def test_a_function_that_fails_is_one_sentence_to_the_tool(house: House) -> None:
    async with asking(house, READY, factory=True) as (agent, _, live):
        agent.config.briefing_pipeline_factory = dict
        error = await ending(agent, live)
    assert isinstance(error, WarmTransferError)
    assert "config.briefing_pipeline_factory is 'dict', which returned a dict; return a" in str(error)


# ── what is refused before anybody is rung ───────────────────────────────────────────────────────


class Picky(Mouth):
    def __init__(self, api_key: str) -> None:
        super().__init__()


class Keyless(Mind):
    keys = ["a key"]

    def __init__(self) -> None:
        super().__init__()
        if not self.keys:
            raise ValueError("set OUR_KEY")


class Closable(Mouth):
    closed = 0

    async def aclose(self) -> None:
        Closable.closed += 1
        await super().aclose()


async def refusal(call: Any, bus: Bus, config: WarmTransferConfig, **parts: Any) -> str:
    """What `warm_transfer` raises, when nothing of it reached the bus."""
    live = await call(**parts)
    install(live.session, bus.settings.url, brief_by="session")
    with pytest.raises(WarmTransferError) as refused:
        await live.session.warm_transfer(config)
    assert await bus.history("warmxfer.>", 10) == []
    return str(refused.value)


REMEDY = "; pass a function that makes its pipeline: config.briefing_pipeline_factory."


async def test_a_component_that_needs_arguments_is_named(call: Any, fresh_bus: Bus) -> None:
    said = await refusal(call, fresh_bus, config(), mouth=Picky("key"))
    assert said.startswith("brief_by is 'session', but a Picky cannot be made without arguments (TypeError: ")
    assert "missing 1 required positional argument: 'api_key'" in said
    assert said.endswith(REMEDY)


async def test_a_component_that_finds_no_key_is_named_and_what_was_made_is_closed(
    call: Any, fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    mind, before = Keyless(), Closable.closed
    monkeypatch.setattr(Keyless, "keys", [])
    monkeypatch.setattr(pipelines, "PARTS", ("stt", "tts", "llm"))
    said = await refusal(call, fresh_bus, config(), mind=mind, mouth=Closable())
    assert said == (
        "brief_by is 'session', but a Keyless cannot be made without arguments (ValueError: set OUR_KEY)"
        + REMEDY
    )
    assert Closable.closed == before + 1


async def test_a_realtime_session_says_no_briefing_word_for_word(call: Any, fresh_bus: Bus) -> None:
    said = await refusal(call, fresh_bus, config(), realtime=Realtime())
    assert said.startswith("brief_by is 'session', but the session speaks through a realtime model")
    assert said.endswith(REMEDY)


async def test_what_is_no_function_is_refused(call: Any, fresh_bus: Bus) -> None:
    said = await refusal(call, fresh_bus, config(briefing_pipeline_factory="briefing"))
    assert said.startswith("config.briefing_pipeline_factory is 'str', which cannot be called; give a")


NOT_SAID = "sk-live-51"


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (ValueError("no DEEPGRAM_API_KEY"), "ValueError: no DEEPGRAM_API_KEY"),
        (ValueError("two\nlines\tof it"), "ValueError: two lines of it"),
        (KeyError(), "KeyError"),
        (RuntimeError("x" * 500), "RuntimeError: " + "x" * 186),
    ],
)
async def test_a_function_that_raises_rings_nobody_and_says_why(
    call: Any, fresh_bus: Bus, raised: Exception, told: str
) -> None:
    def briefing() -> Any:
        raise raised

    said = await refusal(call, fresh_bus, config(briefing_pipeline_factory=briefing))
    assert said.startswith("config.briefing_pipeline_factory is 'test_a_function_that_raises_rings_nobody_")
    assert said.endswith(f"which raised {told}; make it return a Pipeline")


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (dict, "which returned a dict; return a videosdk Pipeline"),
        (lambda: Pipeline(llm=Realtime()), "whose pipeline does not say what it is told word for word"),
    ],
)
async def test_a_function_that_makes_no_fit_pipeline_rings_nobody(
    call: Any, fresh_bus: Bus, made: Any, sentence: str
) -> None:
    said = await refusal(call, fresh_bus, config(briefing_pipeline_factory=made))
    assert sentence in said


async def test_what_a_function_raised_stands_in_no_log_line(
    call: Any, fresh_bus: Bus, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    def briefing() -> Any:
        raise ValueError(NOT_SAID)

    caplog.set_level(logging.DEBUG)
    assert NOT_SAID in await refusal(call, fresh_bus, config(briefing_pipeline_factory=briefing))
    assert NOT_SAID not in caplog.text + "".join(capsys.readouterr())


async def test_a_wrong_number_is_said_before_a_pipeline_is_made(call: Any, fresh_bus: Bus) -> None:
    made: list[Any] = []
    said = await refusal(call, fresh_bus, config("555", briefing_pipeline_factory=lambda: made.append(1)))
    assert "sip_call_to is '555'" in said
    assert made == []


async def test_what_is_made_ahead_leaves_the_sessions_own_pipeline_in_its_place(call: Any) -> None:
    """A pipeline puts itself in the place of the one that the job has in whose context it is made."""
    live = await call()
    own = live.context._pipeline

    async def ask() -> None:
        _set_current_job_context(live.context)
        async with pipelines.pipeline_for(live.session, config(), brief_here=True) as factory:
            assert factory is not None

    await asyncio.create_task(ask())
    assert live.context._pipeline is own


async def test_a_pipeline_nobody_was_briefed_by_is_closed(call: Any) -> None:
    live, mouth = await call(), Closable()
    before = Closable.closed
    asked = config(briefing_pipeline_factory=lambda: Pipeline(stt=Ear(), tts=mouth))
    async with pipelines.pipeline_for(live.session, asked, brief_here=False):
        assert Closable.closed == before
    assert Closable.closed == before + 1


async def test_the_pipeline_made_ahead_is_the_one_that_briefs(call: Any) -> None:
    live, made = await call(), list[Pipeline]()

    def briefing() -> Pipeline:
        made.append(Pipeline(stt=Ear(), tts=Mouth()))
        return made[-1]

    asked = config(briefing_pipeline_factory=briefing)
    async with pipelines.pipeline_for(live.session, asked, brief_here=False) as factory:
        assert factory is not None
        assert len(made) == 1
        assert factory.make() is made[0]
        assert factory.make() is made[1], "whoever has to come again needs another"
    assert made[0].tts is not None, "whoever took it closes it"


async def test_a_component_that_will_not_close_does_not_keep_anybody_waiting(
    call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hanging(Mouth):
        async def aclose(self) -> None:
            await asyncio.Event().wait()

    monkeypatch.setattr(spare, "CLOSE_TIMEOUT_S", 0.05)
    live = await call()
    live.session.pipeline.tts, talking = Hanging(), live.session.pipeline.tts
    async with asyncio.timeout(1):
        async with pipelines.pipeline_for(live.session, config(), brief_here=True) as factory:
            assert factory is not None
    live.session.pipeline.tts = talking


async def test_a_worker_briefs_whoever_does_not_ask_for_more(call: Any) -> None:
    live = await call()
    async with pipelines.pipeline_for(live.session, config(), brief_here=False) as factory:
        assert factory is None


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
        bus.serve(subjects.ASK_TOKEN, token, queue="gateway"),
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
    monkeypatch.setattr("warmxfer.actors.voices.videosdk_session.DETECT_AFTER_S", 0.05)
    scene = offline(monkeypatch, Consultation(mind=None))
    detector = Mind("yes")
    scene.factory = PipelineFactory("briefing", scene.pipeline, "config.briefing_pipeline_factory", detector)
    async with joined(scene) as (voice, _, notes):
        assert voice.model is None, "it judges nothing else"
        await scene.ear.hears("Leave a message after the tone.")
        await notes.wait_for(VoicemailNoticed(SUPERVISOR))
        assert Closed(Closing.LOST) not in notes.seen
