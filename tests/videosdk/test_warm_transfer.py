"""The drop-in among real actors and people on phones: what it promises beyond the original's script."""

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
from warmxfer.integrations.videosdk import install
from warmxfer.schemas import Outcome, SpokenLines, apology_for

from .cloud import CloudMeeting, CloudMouth, seated
from .conftest import opened_calls
from .event_loop_stalls import Stalls
from .offline import SUMMARY, Call, Helper, Mind
from .test_session import until

READY, BUSY, VOICEMAIL = "+14155550101", "+14155550102", "+14155550105"
DECLINES, SILENT = "+14155550106", "+14155550111"
RECORDED = json.loads((Path(__file__).parent.parent / "data" / "original-phases.json").read_text())
ANSWER = "I opened ticket 123, somebody calls you back."
FINAL_S = 40.0
THINKS_S = 8.0
"""Longer than a worker waits for a summary when nobody says how long."""

SPANISH = {
    "hold": "Un momento, le paso con un supervisor.",
    "greeting": "Hola, le resumo la llamada.",
    "question": "¿Puede atender la llamada?",
    "connecting": "Gracias, le paso la llamada.",
    "one_moment": "Un momento, preparo el resumen.",
    "understood": "Entendido.",
}


class Support(Helper):
    """A user's agent, as the original's documentation has it."""

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
async def house() -> AsyncIterator[LocalStack]:
    async with LocalStack(time_scale=0.1) as house:
        yield house


pytestmark = pytest.mark.asyncio(loop_scope="module")

Phone = Callable[..., Awaitable[tuple[Call, PlacedCall, list[dict[str, Any]]]]]


@pytest_asyncio.fixture(loop_scope="module")
async def phone(house: LocalStack, room: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Phone]:
    """A caller from the sandbox talks with `agent`: the call, the caller, and the phases a handler sees."""
    async with AsyncExitStack() as stack, asynccontextmanager(opened_calls)(room, monkeypatch) as opening:

        async def ring(agent: Support, *, ours: dict[str, Any] | None = None, **parts: Any) -> Any:
            caller, seen = await house.call(), []
            voice = await stack.enter_async_context(seated(house, caller))

            def on_session(session: Any) -> None:
                install(session, house.nats_url, **(ours or {}))
                session.on_warm_transfer(callback=lambda told: seen.append(told))

            live = await opening(
                caller.room_id,
                agent=lambda: agent,
                mouth=CloudMouth(voice),
                meeting=lambda ear, **config: CloudMeeting(voice, ear, **config),
                on_session=on_session,
                caller=None,
                **{"mind": Mind(("escalate", {})), **parts},
            )
            return live, caller, seen

        yield ring


def names(seen: list[dict[str, Any]]) -> list[str]:
    return [told["phase"].value for told in seen]


async def test_the_supervisor_gets_the_caller_and_the_ai_leaves(phone: Phone) -> None:
    agent = Support()
    live, caller, _ = await phone(agent)
    await asked(live, agent)
    assert agent.error is None
    result = agent.result
    assert isinstance(result, WarmTransferResult)
    assert (result.success, result.phase, result.error) == (True, WarmTransferPhase.TRANSFER_COMPLETE, None)
    assert result.switched_call_id == caller.call_id
    assert result.summary == SUMMARY
    assert live.mouth.said[-1] == "Please hold while I connect you with a supervisor."
    await until(lambda: live.meeting.left, 10.0)


@pytest.mark.parametrize("recording", [True, False])
async def test_the_consultation_is_recorded_where_the_room_is(
    house: LocalStack, phone: Phone, monkeypatch: pytest.MonkeyPatch, recording: bool
) -> None:
    """The original inherits the room's recording; without it nobody is recorded."""
    agent = Support()
    live, _, _ = await phone(agent)
    live.room.recording = recording
    monkeypatch.setattr(live.room, "stop_and_merge_recordings", nothing)
    await asked(live, agent)
    result = agent.result
    assert isinstance(result, WarmTransferResult)
    assert result.success
    started = await house.ledger(room=result.consultation_room_id or "", kind="recording_started")
    both = [result.supervisor_participant_id, result.caller_participant_id]
    assert [each["participantId"] for each in started] == (both if recording else [])
    await until(lambda: live.meeting.left, 10.0)


async def nothing() -> None:
    """In place of what the framework asks of the real cloud as it leaves."""


async def asked(live: Call, agent: Support) -> None:
    """Have the caller ask for a supervisor, and wait until the tool knows the end."""
    await live.ear.hears("Get me a supervisor.")
    async with asyncio.timeout(FINAL_S):
        await agent.finished.wait()


async def until_no_leg_is_up(house: LocalStack, room_id: str | None) -> None:
    """H1, H2: every phone that was rung is down again."""
    async with asyncio.timeout(FINAL_S):
        while True:
            entries = await house.ledger(room=room_id or "")
            dialled = {each["callId"] for each in entries if each["kind"] == "dial"}
            if dialled and dialled <= {
                each["callId"] for each in entries if each["kind"] in ("end", "hangup")
            }:
                return
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("number", "reason"), [(DECLINES, "declined"), (BUSY, "supervisor_busy"), (VOICEMAIL, "voicemail")]
)
async def test_h20_a_caller_nobody_takes_is_given_back_to_the_ai(
    house: LocalStack, phone: Phone, number: str, reason: str
) -> None:
    agent = Support(number)
    live, _, seen = await phone(agent, mind=Mind(("escalate", {}), ANSWER))
    await asked(live, agent)
    assert agent.error is None
    assert agent.result is not None
    assert (agent.result.success, agent.result.error) == (False, reason)
    assert agent.result.phase is WarmTransferPhase.TRANSFER_CANCELLED
    assert names(seen)[-1] == "transfer_cancelled"
    assert seen[-1]["data"]["reason"] == reason
    await until(lambda: live.mouth.has_said(ANSWER), 10.0)
    assert live.mouth.has_said(apology_for(Outcome(reason))), "before the AI goes on with its tool's answer"
    assert live.session.agent.chat_context.messages()[-1].content == [ANSWER]
    assert live.session._accept_user_input is True
    assert (live.session._warm_transfer_in_progress, live.room.auto_end_session) == (False, True)
    await until_no_leg_is_up(house, agent.result.consultation_room_id)


async def test_sequential_pacing_tells_the_phases_in_the_originals_order(phone: Phone) -> None:
    agent = Support()
    live, _, seen = await phone(agent, ours={"pacing": "sequential"})
    await asked(live, agent)
    assert names(seen) == [each["phase"] for each in RECORDED["scenarios"]["complete"]["phases"]]


async def test_who_speaks_spanish_hears_every_line_in_spanish(house: LocalStack, phone: Phone) -> None:
    agent = Support()
    live, _, _ = await phone(agent, ours={"lines": SPANISH})
    await asked(live, agent)
    assert agent.result is not None
    assert agent.result.success
    assert live.mouth.has_said(SPANISH["hold"])
    entries = await house.ledger(room=agent.result.consultation_room_id or "", kind="speech")
    heard = [each["text"] for each in entries if each["participantId"].startswith("wxa-")]
    assert heard[0] == SPANISH["greeting"]
    assert SPANISH["question"] in heard
    assert not [line for line in heard if line in structs.asdict(SpokenLines()).values()]


async def test_a_line_that_does_not_exist_is_named(phone: Phone) -> None:
    agent = Support()
    live, _, _ = await phone(agent, ours={"lines": {"farewell": "Adiós."}})
    await asked(live, agent)
    assert "config.lines has the unknown field 'farewell'" in str(agent.error)


async def test_a_cancelled_tool_does_not_cancel_its_transfer(phone: Phone) -> None:
    agent = Support()
    live, _, seen = await phone(agent)
    waiting = asyncio.create_task(live.session.warm_transfer(agent.config))
    await until(lambda: "caller_on_hold" in names(seen), FINAL_S)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(WarmTransferError, match="already in progress"):
        await live.session.warm_transfer(agent.config)
    await until(lambda: names(seen)[-1] == "transfer_complete", FINAL_S)
    await until(lambda: not live.session._warm_transfer_in_progress)


@pytest.mark.parametrize("reached", ["", "started", "caller_on_hold", "supervisor_joined"])
@pytest.mark.parametrize("times", [1, 3])
async def test_h14_a_transfer_whose_task_is_cancelled_gives_the_caller_back(
    house: LocalStack, phone: Phone, reached: str, times: int
) -> None:
    agent = Support(SILENT)
    live, _, seen = await phone(agent)
    session: Any = live.session
    waiting = asyncio.create_task(session.warm_transfer(agent.config))
    await until(lambda: session._warm_transfer_task is not None and (not reached or reached in names(seen)))
    running = session._warm_transfer_task
    for _ in range(times):
        running.cancel()
        await asyncio.sleep(0.001)
    assert session._warm_transfer_in_progress or session._accept_user_input, "not at once, but never neither"
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await until(lambda: not session._warm_transfer_in_progress, FINAL_S)
    assert session._warm_transfer_task is None
    assert (session._accept_user_input, live.room.auto_end_session) == (True, True)
    if reached:
        assert names(seen)[-1] == "transfer_cancelled"
    if reached == "supervisor_joined":
        await until_no_leg_is_up(house, seen[-1]["consultation_room_id"])
    again = await session.warm_transfer(Support(BUSY).config)
    assert again.error == "supervisor_busy", "and the next one is not in the way of this one"


async def test_h17_a_model_that_hangs_keeps_nobody_in_silence(phone: Phone) -> None:
    agent = Support(summary_llm=Mind(hangs=True))
    live, _, seen = await phone(agent)
    began = asyncio.get_running_loop().time()
    await live.ear.hears("I am Ann. I was charged twice.")
    await until(lambda: "caller_on_hold" in names(seen), FINAL_S)
    await until(lambda: "Please hold while I connect you with a supervisor." in live.mouth.said)
    assert "summary_ready" not in names(seen), "the hold line came first"
    async with asyncio.timeout(FINAL_S):
        await agent.finished.wait()
    assert agent.result is not None
    assert agent.result.success
    assert "charged twice" in agent.result.summary, "taken from the call"
    assert asyncio.get_running_loop().time() - began < FINAL_S


@pytest.mark.parametrize(
    ("ours", "waited_for"),
    [({}, True), ({"summary_timeout_s": 0.5}, False)],
    ids=["as it comes", "as the user sets it"],
)
async def test_a_model_that_takes_its_time_is_waited_for_as_long_as_the_user_wants(
    phone: Phone, ours: dict[str, Any], waited_for: bool
) -> None:
    agent = Support(summary_llm=Mind(thinks_s=THINKS_S))
    live, _, _ = await phone(agent, ours=ours)
    await live.ear.hears("I am Ann. I was charged twice.")
    async with asyncio.timeout(FINAL_S):
        await agent.finished.wait()
    assert agent.result is not None
    assert (agent.result.summary == SUMMARY) is waited_for


async def test_h21_a_component_that_will_not_close_does_not_keep_the_result(phone: Phone) -> None:
    agent = Support()
    live, _, _ = await phone(agent)
    live.mouth.hangs_on_close = True
    await asked(live, agent)
    assert agent.result is not None
    assert agent.result.success
    assert live.session._warm_transfer_in_progress is False
    live.mouth.hangs_on_close = False


async def test_a_job_that_is_shut_down_on_hold_ends_its_transfer(house: LocalStack, phone: Phone) -> None:
    agent = Support(SILENT)
    live, _, seen = await phone(agent)
    waiting = asyncio.create_task(live.session.warm_transfer(agent.config))
    await until(lambda: "supervisor_joined" in names(seen), FINAL_S)
    async with asyncio.timeout(FINAL_S):
        await live.context.shutdown()
        with pytest.raises(WarmTransferError):
            await waiting
    assert names(seen)[-1] == "transfer_failed"
    assert live.session._warm_transfer_in_progress is False
    await until_no_leg_is_up(house, seen[-1]["consultation_room_id"])


async def test_h18_h19_the_loop_never_waits_and_no_thread_is_taken(
    phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    threaded: list[str] = []
    monkeypatch.setattr(asyncio, "to_thread", lambda work, *_, **__: threaded.append(work.__name__))
    agent = Support(DECLINES)
    live, _, _ = await phone(agent)
    async with Stalls() as stalls:
        await live.session.warm_transfer(agent.config)
    assert threaded == []
    assert stalls.worst_of_ours.ours_s < 0.1


# ── what never begins ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("number", "config", "sentence"),
    [
        ("555", {}, "config.destination.sip_call_to is '555'; write a number as E.164"),
        (READY, {"briefing_timeout": 0.0}, "config.briefing_timeout is 0.0; give seconds, at least 1."),
    ],
)
async def test_what_cannot_be_done_raises_the_originals_error_in_one_sentence(
    phone: Phone, number: str, config: dict[str, Any], sentence: str
) -> None:
    agent = Support(number, **config)
    live, _, seen = await phone(agent)
    with pytest.raises(WarmTransferError, match=sentence):
        await live.session.warm_transfer(agent.config)
    assert names(seen) == ["started", "transfer_failed"]
    assert sentence in seen[-1]["data"]["reason"]
    assert live.session._warm_transfer_in_progress is False
    assert live.session._accept_user_input is True
