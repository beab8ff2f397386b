"""A session that is registered several times does everything once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from videosdk.agents import function_tool

from warmxfer.bus import Bus, InvalidRequest
from warmxfer.cli.local_stack.stack import LocalStack
from warmxfer.integrations.videosdk import AgentSessionAdapter, attach_agent_session, install
from warmxfer.schemas import Outcome, apology_for

from .conftest import opened_calls
from .offline import Call, ScriptedLLM
from .test_session_adapter import LOUD, SILENT, until
from .test_warm_transfer import BUSY, READY, RECORDED, Support, phase_names, request_transfer

pytestmark = pytest.mark.asyncio(loop_scope="module")
HOLD_LINE = "Please hold while I connect you with a supervisor."

OpenCall = Callable[..., Awaitable[tuple[Call, list[dict[str, Any]]]]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def local_stack() -> AsyncIterator[LocalStack]:
    async with LocalStack(time_scale=0.1) as local_stack:
        yield local_stack


@pytest_asyncio.fixture(loop_scope="module")
async def open_call(local_stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OpenCall]:
    """Open an offline call of `agent` with a caller of the sandbox; return it and the emitted phases."""
    async with AsyncExitStack() as stack:

        async def open_one(agent: Support) -> tuple[Call, list[dict[str, Any]]]:
            caller, seen = await local_stack.call(), []
            opening = await stack.enter_async_context(
                asynccontextmanager(opened_calls)(caller.room_id, monkeypatch)
            )
            live = await opening(
                agent=lambda: agent,
                llm=ScriptedLLM(*[("escalate", {}), "I am with you again."] * 2),
                on_session=lambda session: session.on_warm_transfer(
                    callback=lambda payload: seen.append(payload)
                ),
                caller=None,
            )
            live.meeting.joins(caller.participant_id)
            return live, seen

        yield open_one


@pytest_asyncio.fixture(loop_scope="module")
async def bus(local_stack: LocalStack) -> AsyncIterator[Bus]:
    async with await Bus.connect(local_stack.settings("agent"), name="test") as bus:
        yield bus


class Installing(Support):
    """An agent that calls `install` in its tool, again or for the first time."""

    def __init__(self, number: str, nats_url: str | None = None, **settings: Any) -> None:
        super().__init__(number)
        self.nats_url = nats_url
        self.settings = settings

    @function_tool
    async def escalate(self) -> str:
        """Get a human supervisor on the line."""
        session: Any = self.session
        install(session, self.nats_url, **self.settings)
        try:
            self.result = await session.warm_transfer(self.config)
        finally:
            self.finished.set()
        return "Done."


async def assert_everything_happened_once(live: Call, seen: list[dict[str, Any]]) -> None:
    """Check phases, hold line and apology, and that the session takes input again."""
    assert len(phase_names(seen)) == len(set(phase_names(seen)))
    apology = apology_for(Outcome.SUPERVISOR_BUSY)
    await until(lambda: live.tts.has_said(apology), 10.0)
    await asyncio.sleep(0.3)
    said = ["".join(each.split()) for each in live.tts.said]
    assert [said.count("".join(line.split())) for line in (HOLD_LINE, apology)] == [1, 1]
    await live.room.pipeline.on_audio_delta(LOUD)
    await until(lambda: live.stt.audio[-1:] == [LOUD])


async def test_a_tool_that_calls_install_each_time_does_everything_once(
    local_stack: LocalStack, open_call: OpenCall
) -> None:
    agent = Installing(BUSY, local_stack.url_of("agent"))
    live, seen = await open_call(agent)
    for _ in range(2):
        seen.clear()
        live.tts.said.clear()
        agent.finished.clear()
        await request_transfer(live, agent)
        await assert_everything_happened_once(live, seen)


async def test_an_attachment_by_hand_beside_install_does_everything_once(
    local_stack: LocalStack, open_call: OpenCall, bus: Bus
) -> None:
    agent = Installing(BUSY)
    live, seen = await open_call(agent)
    async with attach_agent_session(bus, live.session) as first:
        async with attach_agent_session(bus, live.session) as second:
            assert first is second
        await request_transfer(live, agent)
        await assert_everything_happened_once(live, seen)


async def test_the_transfer_of_a_session_with_a_name_of_its_own_reaches_it(
    local_stack: LocalStack, open_call: OpenCall, bus: Bus
) -> None:
    """Without the mend the request named the room, under which no session is registered."""
    agent = Installing(BUSY)
    live, seen = await open_call(agent)
    async with attach_agent_session(bus, live.session, "ann-7"):
        await request_transfer(live, agent)
        await assert_everything_happened_once(live, seen)


async def test_a_second_install_changes_the_settings_of_later_transfers(
    local_stack: LocalStack, open_call: OpenCall
) -> None:
    agent = Installing(READY, pacing="sequential")
    live, seen = await open_call(agent)
    install(live.session, local_stack.url_of("agent"), pacing="overlap")
    await request_transfer(live, agent)
    assert phase_names(seen) == [each["phase"] for each in RECORDED["scenarios"]["complete"]["phases"]]


async def test_a_second_bus_or_a_second_name_is_refused(
    local_stack: LocalStack, open_call: OpenCall, bus: Bus
) -> None:
    live, _ = await open_call(Support(BUSY))
    async with attach_agent_session(bus, live.session):
        with pytest.raises(
            InvalidRequest, match=r"nats_url is nats://127\.0\.0\.1:1, but the session is on nats:"
        ):
            install(live.session, "nats://127.0.0.1:1")
        with pytest.raises(InvalidRequest, match="nats_url has another login than the session, which is on "):
            install(live.session, local_stack.url_of("agent"))
        with pytest.raises(
            InvalidRequest, match="name is 'another', but the session is on the bus already, as '"
        ):
            async with attach_agent_session(bus, live.session, "another"):
                pass
    async with attach_agent_session(bus, live.session, "another") as attachment:
        assert attachment.name == "another", "the first registration ended, and this one is new"


async def test_a_shared_attachment_is_detached_when_its_owner_leaves(open_call: OpenCall, bus: Bus) -> None:
    live, _ = await open_call(Support(BUSY))
    async with AsyncExitStack() as sharing:
        async with attach_agent_session(bus, live.session):
            shared = await sharing.enter_async_context(attach_agent_session(bus, live.session))
        async with asyncio.timeout(15):
            await shared.detached()


@pytest.mark.parametrize("first_out", [0, 1])
async def test_a_session_muted_twice_takes_input_after_one_unmute(
    open_call: OpenCall, first_out: int
) -> None:
    live, _ = await open_call(Support(BUSY))
    adapters = [AgentSessionAdapter(live.session), AgentSessionAdapter(live.session)]
    for each in adapters:
        await each.mute()
        await each.suspend_auto_end()
    await live.room.pipeline.on_audio_delta(LOUD)
    adapters.insert(0, adapters.pop(first_out))
    audio = [SILENT]
    for each in adapters:
        await each.unmute()
        await each.restore_auto_end()
        audio.append(LOUD)
        await live.room.pipeline.on_audio_delta(LOUD)
        await until(lambda: live.stt.audio == audio)
        assert (live.session._accept_user_input, live.room.auto_end_session) == (True, True)
