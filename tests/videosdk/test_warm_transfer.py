"""The drop-in with real actors and the sandbox's people: what it does beyond upstream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from msgspec import structs
from videosdk.agents import function_tool
from videosdk.agents.warm_transfer import (
    SIPDestination,
    WarmTransferConfig,
    WarmTransferError,
    WarmTransferPhase,
    WarmTransferResult,
)

from warmxfer.cli.local_stack.stack import LocalStack, PlacedCall
from warmxfer.client import Client
from warmxfer.integrations.videosdk import install
from warmxfer.schemas import Outcome, SpokenLines, apology_for

from .conftest import opened_calls
from .event_loop_stalls import StallWatcher
from .offline import SUMMARY, Call, ScriptedLLM, SimpleAgent
from .sandbox_meeting import SandboxMeeting, SandboxTTS, agent_client
from .test_session_adapter import until

READY, BUSY, VOICEMAIL = "+14155550101", "+14155550102", "+14155550105"
DECLINES, SILENT = "+14155550106", "+14155550111"
RECORDED = json.loads((Path(__file__).parent.parent / "data" / "original-phases.json").read_text())
ANSWER = "I opened ticket 123, somebody calls you back."
FINAL_S = 40.0
THINKS_S = 8.0
"""Longer than the default time-out of a summary."""

SPANISH = {
    "hold": "Un momento, le paso con un supervisor.",
    "greeting": "Hola, le resumo la llamada.",
    "question": "¿Puede atender la llamada?",
    "connecting": "Gracias, le paso la llamada.",
    "one_moment": "Un momento, preparo el resumen.",
    "understood": "Entendido.",
}


class Support(SimpleAgent):
    """A user's agent, as in upstream's documentation."""

    def __init__(self, number: str = READY, **config: Any) -> None:
        super().__init__()
        self.config = WarmTransferConfig(
            destination=SIPDestination(
                routing_rule_id="rr_1", sip_call_to=number, sip_call_from="+14155550100"
            ),
            **config,
        )
        self.result: WarmTransferResult | None = None
        self.error: WarmTransferError | None = None
        self.finished = asyncio.Event()

    @function_tool
    async def escalate(self) -> str:
        """Get a human supervisor on the line."""
        try:
            self.result = await self.session.warm_transfer(self.config)
        except WarmTransferError as error:
            self.error = error
        finally:
            self.finished.set()
        return "Done."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def local_stack() -> AsyncIterator[LocalStack]:
    async with LocalStack(time_scale=0.1) as local_stack:
        yield local_stack


pytestmark = pytest.mark.asyncio(loop_scope="module")

OpenCall = Callable[..., Awaitable[tuple[Call, PlacedCall, list[dict[str, Any]]]]]


@pytest_asyncio.fixture(loop_scope="module")
async def open_call(
    local_stack: LocalStack, room: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[OpenCall]:
    """Open a call of `agent` with a caller of the sandbox; return call, caller and emitted phases."""
    async with AsyncExitStack() as stack, asynccontextmanager(opened_calls)(room, monkeypatch) as opening:

        async def open_one(agent: Support, *, settings: dict[str, Any] | None = None, **parts: Any) -> Any:
            caller, seen = await local_stack.call(), []
            client = await stack.enter_async_context(agent_client(local_stack, caller))

            def on_session(session: Any) -> None:
                install(session, local_stack.url_of("agent"), **(settings or {}))
                session.on_warm_transfer(callback=lambda payload: seen.append(payload))

            live = await opening(
                caller.room_id,
                agent=lambda: agent,
                tts=SandboxTTS(client),
                meeting=lambda stt, **config: SandboxMeeting(client, stt, **config),
                on_session=on_session,
                caller=None,
                **{"llm": ScriptedLLM(("escalate", {})), **parts},
            )
            return live, caller, seen

        yield open_one


def phase_names(seen: list[dict[str, Any]]) -> list[str]:
    return [payload["phase"].value for payload in seen]


async def test_the_supervisor_gets_the_caller_and_the_ai_leaves(open_call: OpenCall) -> None:
    agent = Support()
    live, caller, _ = await open_call(agent)
    await request_transfer(live, agent)
    assert agent.error is None
    result = agent.result
    assert isinstance(result, WarmTransferResult)
    assert (result.success, result.phase, result.error) == (True, WarmTransferPhase.TRANSFER_COMPLETE, None)
    assert result.switched_call_id == caller.call_id
    assert result.summary == SUMMARY
    assert live.tts.said[-1] == "Please hold while I connect you with a supervisor."
    await until(lambda: live.meeting.left, 10.0)


@pytest.mark.parametrize("recording", [True, False])
async def test_the_consultation_is_recorded_where_the_room_is(
    local_stack: LocalStack, open_call: OpenCall, monkeypatch: pytest.MonkeyPatch, recording: bool
) -> None:
    """The consultation is recorded if the room of the session is."""
    agent = Support()
    live, _, _ = await open_call(agent)
    live.room.recording = recording
    monkeypatch.setattr(live.room, "stop_and_merge_recordings", nothing)
    await request_transfer(live, agent)
    result = agent.result
    assert isinstance(result, WarmTransferResult)
    assert result.success
    started = await local_stack.ledger(room=result.consultation_room_id or "", kind="recording_started")
    both = [result.supervisor_participant_id, result.caller_participant_id]
    assert [each["participantId"] for each in started] == (both if recording else [])
    await until(lambda: live.meeting.left, 10.0)


async def nothing() -> None:
    """Replace the request that the framework sends to the real cloud on leaving."""


async def request_transfer(live: Call, agent: Support) -> None:
    """Let the caller request a supervisor, and wait until the tool has its result."""
    await live.stt.transcribe("Get me a supervisor.")
    async with asyncio.timeout(FINAL_S):
        await agent.finished.wait()


async def until_no_leg_is_up(local_stack: LocalStack, room_id: str | None) -> None:
    """H1, H2: wait until each dialled leg is down."""
    async with asyncio.timeout(FINAL_S):
        while True:
            entries = await local_stack.ledger(room=room_id or "")
            dialled = {each["callId"] for each in entries if each["kind"] == "dial"}
            if dialled and dialled <= {
                each["callId"] for each in entries if each["kind"] in ("end", "hangup")
            }:
                return
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("number", "reason"), [(DECLINES, "declined"), (BUSY, "supervisor_busy"), (VOICEMAIL, "voicemail")]
)
async def test_h20_a_caller_without_a_supervisor_is_returned_to_the_ai(
    local_stack: LocalStack, open_call: OpenCall, number: str, reason: str
) -> None:
    agent = Support(number)
    live, _, seen = await open_call(agent, llm=ScriptedLLM(("escalate", {}), ANSWER))
    await request_transfer(live, agent)
    assert agent.error is None
    assert agent.result is not None
    assert (agent.result.success, agent.result.error) == (False, reason)
    assert agent.result.phase is WarmTransferPhase.TRANSFER_CANCELLED
    assert phase_names(seen)[-1] == "transfer_cancelled"
    assert seen[-1]["data"]["reason"] == reason
    await until(lambda: live.tts.has_said(ANSWER), 10.0)
    assert live.tts.has_said(apology_for(Outcome(reason))), "before the answer to the tool"
    assert live.session.agent.chat_context.messages()[-1].content == [ANSWER]
    assert live.session._accept_user_input is True
    assert (live.session._warm_transfer_in_progress, live.room.auto_end_session) == (False, True)
    await until_no_leg_is_up(local_stack, agent.result.consultation_room_id)


async def test_sequential_pacing_emits_the_phases_in_upstreams_order(open_call: OpenCall) -> None:
    agent = Support()
    live, _, seen = await open_call(agent, settings={"pacing": "sequential"})
    await request_transfer(live, agent)
    assert phase_names(seen) == [each["phase"] for each in RECORDED["scenarios"]["complete"]["phases"]]


async def test_each_line_can_be_set_in_spanish(local_stack: LocalStack, open_call: OpenCall) -> None:
    agent = Support()
    live, _, _ = await open_call(agent, settings={"lines": SPANISH})
    await request_transfer(live, agent)
    assert agent.result is not None
    assert agent.result.success
    assert live.tts.has_said(SPANISH["hold"])
    entries = await local_stack.ledger(room=agent.result.consultation_room_id or "", kind="speech")
    lines = [each["text"] for each in entries if each["participantId"].startswith("wxa-")]
    assert lines[0] == SPANISH["greeting"]
    assert SPANISH["question"] in lines
    assert not [line for line in lines if line in structs.asdict(SpokenLines()).values()]


async def test_an_unknown_line_is_named(open_call: OpenCall) -> None:
    agent = Support()
    live, _, _ = await open_call(agent, settings={"lines": {"farewell": "Adiós."}})
    await request_transfer(live, agent)
    assert "config.lines has the unknown field 'farewell'" in str(agent.error)


async def test_a_cancelled_tool_does_not_cancel_its_transfer(open_call: OpenCall) -> None:
    agent = Support()
    live, _, seen = await open_call(agent)
    waiting = asyncio.create_task(live.session.warm_transfer(agent.config))
    await until(lambda: "caller_on_hold" in phase_names(seen), FINAL_S)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(WarmTransferError, match="already in progress"):
        await live.session.warm_transfer(agent.config)
    await until(lambda: phase_names(seen)[-1] == "transfer_complete", FINAL_S)
    await until(lambda: not live.session._warm_transfer_in_progress)


@pytest.mark.parametrize("reached", ["", "started", "caller_on_hold", "supervisor_joined"])
@pytest.mark.parametrize("times", [1, 3])
async def test_h14_a_transfer_whose_task_is_cancelled_returns_the_caller(
    local_stack: LocalStack, open_call: OpenCall, reached: str, times: int
) -> None:
    agent = Support(SILENT)
    live, _, seen = await open_call(agent)
    session: Any = live.session
    waiting = asyncio.create_task(session.warm_transfer(agent.config))
    await until(
        lambda: session._warm_transfer_task is not None and (not reached or reached in phase_names(seen))
    )
    running = session._warm_transfer_task
    for _ in range(times):
        running.cancel()
        await asyncio.sleep(0.001)
    assert session._warm_transfer_in_progress or session._accept_user_input, (
        "either the transfer runs or the session takes input"
    )
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await until(lambda: not session._warm_transfer_in_progress, FINAL_S)
    assert session._warm_transfer_task is None
    assert (session._accept_user_input, live.room.auto_end_session) == (True, True)
    if reached:
        assert phase_names(seen)[-1] == "transfer_cancelled"
    if reached == "supervisor_joined":
        await until_no_leg_is_up(local_stack, seen[-1]["consultation_room_id"])
    again = await session.warm_transfer(Support(BUSY).config)
    assert again.error == "supervisor_busy", "the next transfer is not blocked"


async def test_h14_a_task_that_is_cancelled_before_its_request_is_only_cancelled(
    open_call: OpenCall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before, the task failed with the sentence that no transfer has this id."""
    asked = asyncio.Event()

    async def never_published(*_: object) -> None:
        asked.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(Client, "request", never_published)
    monkeypatch.setattr("warmxfer.client.transfer_handle.START_TIMEOUT_S", 0.5)
    agent = Support(SILENT)
    live, _, seen = await open_call(agent)
    session: Any = live.session
    waiting = asyncio.create_task(session.warm_transfer(agent.config))
    await asked.wait()
    session._warm_transfer_task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await until(lambda: not session._warm_transfer_in_progress, FINAL_S)
    assert (session._accept_user_input, live.room.auto_end_session) == (True, True)
    assert phase_names(seen) == []


async def test_h17_a_model_that_hangs_does_not_delay_the_hold_line(open_call: OpenCall) -> None:
    agent = Support(summary_llm=ScriptedLLM(hangs=True))
    live, _, seen = await open_call(agent)
    began = asyncio.get_running_loop().time()
    await live.stt.transcribe("I am Ann. I was charged twice.")
    await until(lambda: "caller_on_hold" in phase_names(seen), FINAL_S)
    await until(lambda: "Please hold while I connect you with a supervisor." in live.tts.said)
    assert "summary_ready" not in phase_names(seen), "the hold line comes before the summary"
    async with asyncio.timeout(FINAL_S):
        await agent.finished.wait()
    assert agent.result is not None
    assert agent.result.success
    assert "charged twice" in agent.result.summary, "the summary is taken from the transcript"
    assert asyncio.get_running_loop().time() - began < FINAL_S


@pytest.mark.parametrize(
    ("settings", "waited_for"),
    [({}, True), ({"summary_timeout_s": 0.5}, False)],
    ids=["as it comes", "as the user sets it"],
)
async def test_the_summary_timeout_decides_whether_a_slow_model_is_used(
    open_call: OpenCall, settings: dict[str, Any], waited_for: bool
) -> None:
    agent = Support(summary_llm=ScriptedLLM(reply_delay_s=THINKS_S))
    live, _, _ = await open_call(agent, settings=settings)
    await live.stt.transcribe("I am Ann. I was charged twice.")
    async with asyncio.timeout(FINAL_S):
        await agent.finished.wait()
    assert agent.result is not None
    assert (agent.result.summary == SUMMARY) is waited_for


async def test_h21_a_component_that_hangs_on_close_does_not_delay_the_result(open_call: OpenCall) -> None:
    agent = Support()
    live, _, _ = await open_call(agent)
    live.tts.hangs_on_close = True
    await request_transfer(live, agent)
    assert agent.result is not None
    assert agent.result.success
    assert live.session._warm_transfer_in_progress is False
    live.tts.hangs_on_close = False


async def test_a_job_that_is_shut_down_on_hold_ends_its_transfer(
    local_stack: LocalStack, open_call: OpenCall
) -> None:
    agent = Support(SILENT)
    live, _, seen = await open_call(agent)
    waiting = asyncio.create_task(live.session.warm_transfer(agent.config))
    await until(lambda: "supervisor_joined" in phase_names(seen), FINAL_S)
    async with asyncio.timeout(FINAL_S):
        await live.context.shutdown()
        with pytest.raises(WarmTransferError):
            await waiting
    assert phase_names(seen)[-1] == "transfer_failed"
    assert live.session._warm_transfer_in_progress is False
    await until_no_leg_is_up(local_stack, seen[-1]["consultation_room_id"])


async def test_h18_h19_the_loop_is_not_stalled_and_no_thread_is_used(
    open_call: OpenCall, monkeypatch: pytest.MonkeyPatch
) -> None:
    threaded: list[str] = []
    monkeypatch.setattr(asyncio, "to_thread", lambda work, *_, **__: threaded.append(work.__name__))
    agent = Support(DECLINES)
    live, _, _ = await open_call(agent)
    async with StallWatcher() as stalls:
        await live.session.warm_transfer(agent.config)
    assert threaded == []
    assert stalls.worst_warmxfer.warmxfer_s < 0.1


# ── refusals ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("number", "config", "sentence"),
    [
        ("555", {}, "config.destination.sip_call_to is '555'; write a number as E.164"),
        (READY, {"briefing_timeout": 0.0}, "config.briefing_timeout is 0.0; give seconds, at least 1."),
    ],
)
async def test_an_invalid_config_raises_upstreams_error_in_one_sentence(
    open_call: OpenCall, number: str, config: dict[str, Any], sentence: str
) -> None:
    agent = Support(number, **config)
    live, _, seen = await open_call(agent)
    with pytest.raises(WarmTransferError, match=sentence):
        await live.session.warm_transfer(agent.config)
    assert phase_names(seen) == ["started", "transfer_failed"]
    assert sentence in seen[-1]["data"]["reason"]
    assert live.session._warm_transfer_in_progress is False
    assert live.session._accept_user_input is True
