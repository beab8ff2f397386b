"""What users' scripts met with warmxfer and not with VideoSDK's WarmTransferRunner (upstream).

Each script runs with upstream and with warmxfer, in one process, against the same sandbox.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio
from videosdk.agents import LLMResponse, Pipeline
from videosdk.agents.llm.chat_context import ChatContext, ChatRole
from videosdk.agents.warm_transfer import SIPDestination, WarmTransferConfig, WarmTransferResult
from videosdk.agents.warm_transfer._runner import _FALLBACK_SUMMARY, _summarize_history

from warmxfer.adapters.rooms import PipelineFactory, UtteranceHeard, VoicemailSuspected
from warmxfer.cli.local_stack.stack import LocalStack
from warmxfer.integrations.videosdk.prebuilt_pipeline import PrebuiltPipeline
from warmxfer.integrations.videosdk.transcript import summarize
from warmxfer.schemas import RetryableError, TranscriptTurn

from .hazard_runner import HOLD_LINE, TIME_SCALE
from .offline import SUMMARY, Call, Meeting, OfflineTTS, ScriptedLLM
from .room_fixture import SUPERVISOR, Consultation, EventRecorder, offline
from .test_session_adapter import until
from .upstream_fixture import (
    AgentConnections,
    EscalatingAgent,
    close,
    framework_offline,
    open_escalating,
    upstream_cloud,
)

SORRY = "The supervisor isn't able to take this call right now; let me keep helping you."
READY, DECLINES = "+14155550101", "+14155550106"
ENDS_S = 30.0
BOTH = pytest.mark.parametrize("with_warmxfer", [False, True], ids=["upstream", "warmxfer"])


class FailingLLM(ScriptedLLM):
    """A model that fails in the given ways, one request each, and then summarises."""

    def __init__(self, *failures: str) -> None:
        super().__init__()
        self.failures = list(failures)

    async def chat(self, messages: ChatContext, *_: Any, **__: Any) -> AsyncIterator[LLMResponse]:
        self.requests.append(messages.to_dict()["items"])
        failure = self.failures.pop(0) if self.failures else ""
        if failure != "raises":
            yield LLMResponse(
                content={"": SUMMARY, "breaks off": "Ann w"}.get(failure, " "), role=ChatRole.ASSISTANT
            )
        if failure in ("raises", "breaks off"):
            raise RuntimeError("503 overloaded")


@dataclass
class Run:
    """One script in one run."""

    live: Call
    agent: EscalatingAgent
    payloads: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @property
    def phases(self) -> list[str]:
        return [payload["phase"].value for payload in self.payloads]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def local_stack() -> AsyncIterator[LocalStack]:
    async with LocalStack(time_scale=TIME_SCALE) as local_stack:
        yield local_stack


async def run(
    local_stack: LocalStack,
    with_warmxfer: bool,
    number: str = READY,
    *,
    script: Callable[[Run], Any] | None = None,
    start: Callable[[Run], Awaitable[Any]] | None = None,
    settings: dict[str, Any] | None = None,
    **config: Any,
) -> tuple[Any, Run]:
    """Run one transfer to its end; return what its requester got. `start` requests it outside of a tool."""
    async with AsyncExitStack() as stack:
        stack.enter_context(framework_offline())
        stack.enter_context(upstream_cloud(local_stack))
        connections = AgentConnections(local_stack, await local_stack.call())
        agent = EscalatingAgent(WarmTransferConfig(SIPDestination("rr_1", number, "+14155550100"), **config))
        live = await open_escalating(
            local_stack, agent, connections, with_warmxfer=with_warmxfer, **(settings or {})
        )
        stack.push_async_callback(close, live, connections)
        one = Run(live, agent)
        live.session.on_warm_transfer(callback=lambda payload: one.payloads.append(payload))
        if script:
            script(one)
        async with asyncio.timeout(ENDS_S):
            if start:
                return await asyncio.create_task(_awaited(start(one)), context=live.meeting.context), one
            await live.stt.transcribe("Get me a supervisor.")
            return await agent.ending, one


async def _awaited(work: Awaitable[Any]) -> Any:
    return await work


async def request(one: Run) -> Any:
    return await one.live.session.warm_transfer(one.agent.config)


# ── the summary is asked for twice ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("failures", "said"),
    [
        ([], True),
        (["raises"], True),
        (["empty"], True),
        (["breaks off"], True),
        (["raises", "empty"], False),
        (["empty", "raises"], False),
    ],
)
async def test_a_model_that_fails_once_is_asked_again_as_upstream_does(
    failures: list[str], said: bool
) -> None:
    upstream, ours = FailingLLM(*failures), FailingLLM(*failures)
    history = [{"type": "message", "role": "user", "content": ["I was charged twice."]}]
    theirs = await _summarize_history(upstream, history)
    text = await summarize(ours, [TranscriptTurn("caller", "I was charged twice.")], "Summarize.")
    assert theirs == (SUMMARY if said else _FALLBACK_SUMMARY)
    assert text == (SUMMARY if said else "")
    assert len(ours.requests) == len(upstream.requests)


@pytest.mark.asyncio(loop_scope="module")
@BOTH
async def test_the_supervisor_hears_the_second_summary(local_stack: LocalStack, with_warmxfer: bool) -> None:
    result, one = await run(local_stack, with_warmxfer, summary_llm=FailingLLM("raises"))
    assert isinstance(result, WarmTransferResult), result
    assert result.summary == SUMMARY
    assert [each["data"]["summary"] for each in one.payloads if each["phase"].value == "summary_ready"] == [
        SUMMARY
    ]


# ── the transcript holds the conversation only ───────────────────────────────────────────────────


@pytest.mark.asyncio(loop_scope="module")
async def test_the_model_gets_the_same_turns_as_upstreams_and_none_of_our_lines(
    local_stack: LocalStack,
) -> None:
    """The second transfer of a call: hold line and apology of the first are in the chat context."""
    turns: dict[bool, str] = {}
    for with_warmxfer in (False, True):
        model = ScriptedLLM()

        async def twice(one: Run) -> Any:
            agent: Any = one.live.session.agent
            agent.chat_context.add_message(role=ChatRole.USER, content="I was charged twice.")
            await request(one)
            await until(lambda: one.live.tts.has_said(SORRY), 10.0)
            agent.chat_context.add_message(role=ChatRole.ASSISTANT, content="I am sorry, Ann.")
            return await request(one)

        await run(local_stack, with_warmxfer, DECLINES, start=twice, summary_llm=model)
        turns[with_warmxfer] = str(
            [each[-1]["content"] for each in model.requests if "transcript" in str(each[-1])]
        )
    for text in turns.values():
        assert text.count("I was charged twice.") == 2
        assert text.count("I am sorry, Ann.") == 1
    assert SORRY not in turns[True]
    assert HOLD_LINE not in turns[True]


# ── say() in a handler ───────────────────────────────────────────────────────────────────────────


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("phase", ["started", "caller_on_hold", "supervisor_dialed"])
@pytest.mark.parametrize(
    ("with_warmxfer", "from_tool"),
    [(False, False), (True, False), (True, True)],
    ids=["upstream", "warmxfer", "warmxfer, from a tool"],
)
async def test_a_handler_may_speak(
    local_stack: LocalStack, with_warmxfer: bool, phase: str, from_tool: bool
) -> None:
    """Upstream says nothing while a tool waits for the transfer: the turn of the tool has the synthesiser."""
    speaking: list[asyncio.Task[Any]] = []

    def script(one: Run) -> None:
        def speak(_: Any) -> None:
            speaking.append(asyncio.create_task(one.live.session.say("Dana will know what to do.")))

        one.live.session.on_warm_transfer(phase, callback=speak)
        one.live.tts.speech_s = 0.3

    result, one = await run(
        local_stack, with_warmxfer, DECLINES, script=script, start=None if from_tool else request
    )
    assert result.error == "declined"
    (spoken,) = speaking
    await spoken
    assert one.live.tts.has_said("Dana will know what to do.")
    if with_warmxfer:
        assert one.live.tts.has_said(HOLD_LINE)


@pytest.mark.parametrize("interruptible", [True, False])
async def test_a_line_of_the_user_is_said_after_the_hold_line(call: Any, interruptible: bool) -> None:
    from warmxfer.integrations.videosdk import AgentSessionAdapter

    live = await call(tts=OfflineTTS(speech_s=0.1))
    adapter = AgentSessionAdapter(live.session)
    await adapter.mute()
    holding = asyncio.create_task(adapter.say(HOLD_LINE, interruptible=False))
    await until(lambda: live.tts.has_said(HOLD_LINE))
    await live.session.say("Dana knows.", interruptible=interruptible)
    await holding
    second = asyncio.create_task(live.session.say("One moment.", interruptible=interruptible))
    await asyncio.sleep(0)
    await adapter.unmute()
    await adapter.say("I could not reach them.", interruptible=True)
    await second
    assert [each.replace(" ", "") for each in live.tts.said] == [
        HOLD_LINE.replace(" ", ""),
        "Danaknows.",
        "Onemoment.",
        "Icouldnotreachthem.",
    ]


# ── the user's function makes one pipeline ───────────────────────────────────────────────────────


class RefusingMeeting(Meeting):
    async def async_join(self) -> None:
        self._emit("on_error", "Failed to Join in the Meeting")


@pytest.mark.parametrize("detector", [None, ScriptedLLM("yes")], ids=["without", "with a detector"])
async def test_the_function_is_called_once_although_a_room_is_joined_late(
    monkeypatch: pytest.MonkeyPatch, detector: ScriptedLLM | None
) -> None:
    """Upstream joins once; warmxfer tries again, with the pipeline that was not used."""
    monkeypatch.setattr("warmxfer.adapters.rooms.videosdk.agent_session.DETECT_AFTER_S", 0.05)
    consultation, made = offline(monkeypatch, Consultation(llm=None)), list[Pipeline]()

    def make(_: Any) -> Pipeline:
        made.append(consultation.pipeline())
        return made[-1]

    prebuilt = PrebuiltPipeline(make)
    prebuilt.prepare()
    consultation.factory = PipelineFactory(
        "briefing",
        prebuilt.take,
        "config.briefing_pipeline_factory",
        detector,
        prebuilt.scope,
        prebuilt.give_back,
    )
    client = consultation.client()
    consultation.make_meeting = lambda config: RefusingMeeting(**config)
    for _ in range(2):
        with pytest.raises(RetryableError, match="room-1"):
            await client.join()
    consultation.make_meeting = lambda config: Meeting(**config)
    await client.join()
    recorder = EventRecorder(client)
    await consultation.stt.transcribe("Leave a message after the tone.")
    expected = (
        VoicemailSuspected(SUPERVISOR)
        if detector
        else UtteranceHeard(SUPERVISOR, "Leave a message after the tone.")
    )
    await recorder.wait_for(expected)
    assert recorder.seen.count(expected) == 1
    await client.say("Hello.").ended
    assert consultation.tts.has_said("Hello.")
    assert len(made) == 1
    await client.leave()
    await prebuilt.close()


async def test_a_pipeline_that_was_never_used_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    consultation = offline(monkeypatch, Consultation())
    closed: list[str] = []
    prebuilt = PrebuiltPipeline(lambda _: consultation.pipeline())
    pipeline = prebuilt.prepare()

    async def cleanup() -> None:
        closed.append("pipeline")

    monkeypatch.setattr(pipeline, "cleanup", cleanup)
    consultation.factory = PipelineFactory(
        "briefing", prebuilt.take, scope=prebuilt.scope, give_back=prebuilt.give_back
    )
    consultation.make_meeting = lambda config: RefusingMeeting(**config)
    client = consultation.client()
    with pytest.raises(RetryableError, match="room-1"):
        await client.join()
    await client.leave()
    assert closed == []
    await prebuilt.close()
    assert closed == ["pipeline"]
