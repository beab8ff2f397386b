"""However often, and in whatever way, a session is given to us: everything happens to its caller once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from videosdk.agents import function_tool

from warmxfer.bus import Bus, BusSettings, InvalidRequest
from warmxfer.cli.local_stack.stack import LocalStack
from warmxfer.integrations.videosdk import AgentSessionAdapter, attach_agent_session, install
from warmxfer.schemas import Outcome, apology_for

from .conftest import opened_calls
from .offline import Call, Mind
from .test_session import LOUD, SILENT, until
from .test_warm_transfer import BUSY, READY, RECORDED, Support, asked, names

pytestmark = pytest.mark.asyncio(loop_scope="module")
HOLD_LINE = "Please hold while I connect you with a supervisor."

Phone = Callable[..., Awaitable[tuple[Call, list[dict[str, Any]]]]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house() -> AsyncIterator[LocalStack]:
    async with LocalStack(time_scale=0.1) as house:
        yield house


@pytest_asyncio.fixture(loop_scope="module")
async def phone(house: LocalStack, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Phone]:
    """A caller of the sandbox in the room of `agent`, who meet in memory: the call, and the phases told."""
    async with AsyncExitStack() as stack:

        async def ring(agent: Support) -> tuple[Call, list[dict[str, Any]]]:
            caller, seen = await house.call(), []
            opening = await stack.enter_async_context(
                asynccontextmanager(opened_calls)(caller.room_id, monkeypatch)
            )
            live = await opening(
                agent=lambda: agent,
                mind=Mind(*[("escalate", {}), "I am with you again."] * 2),
                on_session=lambda session: session.on_warm_transfer(callback=lambda told: seen.append(told)),
                caller=None,
            )
            live.meeting.joins(caller.participant_id)
            return live, seen

        yield ring


@pytest_asyncio.fixture(loop_scope="module")
async def bus(house: LocalStack) -> AsyncIterator[Bus]:
    async with await Bus.connect(BusSettings(url=house.nats_url), name="test") as bus:
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


async def assert_everything_was_once(live: Call, seen: list[dict[str, Any]]) -> None:
    """The phases, the hold line and the apology; and the caller is heard again."""
    assert len(names(seen)) == len(set(names(seen)))
    apology = apology_for(Outcome.SUPERVISOR_BUSY)
    await until(lambda: live.mouth.has_said(apology), 10.0)
    await asyncio.sleep(0.3)
    said = ["".join(each.split()) for each in live.mouth.said]
    assert [said.count("".join(line.split())) for line in (HOLD_LINE, apology)] == [1, 1]
    await live.room.pipeline.on_audio_delta(LOUD)
    await until(lambda: live.ear.audio[-1:] == [LOUD])


async def test_a_tool_that_installs_each_time_lets_nobody_hear_everything_twice(
    house: LocalStack, phone: Phone
) -> None:
    agent = Installing(BUSY, house.nats_url)
    live, seen = await phone(agent)
    for _ in range(2):
        seen.clear()
        live.mouth.said.clear()
        agent.finished.clear()
        await asked(live, agent)
        await assert_everything_was_once(live, seen)


async def test_an_attachment_by_hand_beside_the_drop_in_lets_nobody_hear_everything_twice(
    house: LocalStack, phone: Phone, bus: Bus
) -> None:
    agent = Installing(BUSY)
    live, seen = await phone(agent)
    async with attach_agent_session(bus, live.session) as first:
        async with attach_agent_session(bus, live.session) as second:
            assert first is second
        await asked(live, agent)
        await assert_everything_was_once(live, seen)


async def test_installing_again_changes_the_settings_of_the_transfers_to_come(
    house: LocalStack, phone: Phone
) -> None:
    agent = Installing(READY, pacing="sequential")
    live, seen = await phone(agent)
    install(live.session, house.nats_url, pacing="overlap")
    await asked(live, agent)
    assert names(seen) == [each["phase"] for each in RECORDED["scenarios"]["complete"]["phases"]]


async def test_a_session_is_not_put_on_a_second_bus_or_under_a_second_name(
    house: LocalStack, phone: Phone, bus: Bus
) -> None:
    live, _ = await phone(Support(BUSY))
    async with attach_agent_session(bus, live.session):
        with pytest.raises(
            InvalidRequest, match=r"nats_url is nats://127\.0\.0\.1:1, but the session is on nats:"
        ):
            install(live.session, "nats://127.0.0.1:1")
        with pytest.raises(
            InvalidRequest, match="name is 'another', but the session is on the bus already, as '"
        ):
            async with attach_agent_session(bus, live.session, "another"):
                pass
    async with attach_agent_session(bus, live.session, "another") as attachment:
        assert attachment.name == "another", "it was given up, and is taken anew"


async def test_who_shares_an_attachment_hears_when_it_is_given_up(phone: Phone, bus: Bus) -> None:
    live, _ = await phone(Support(BUSY))
    async with AsyncExitStack() as sharing:
        async with attach_agent_session(bus, live.session):
            shared = await sharing.enter_async_context(attach_agent_session(bus, live.session))
        async with asyncio.timeout(2):
            await shared.detached()


@pytest.mark.parametrize("first_out", [0, 1])
async def test_a_caller_muted_twice_and_let_in_once_is_heard(phone: Phone, first_out: int) -> None:
    live, _ = await phone(Support(BUSY))
    holders = [AgentSessionAdapter(live.session), AgentSessionAdapter(live.session)]
    for each in holders:
        await each.mute()
        await each.suspend_auto_end()
    await live.room.pipeline.on_audio_delta(LOUD)
    holders.insert(0, holders.pop(first_out))
    heard = [SILENT]
    for each in holders:
        await each.unmute()
        await each.restore_auto_end()
        heard.append(LOUD)
        await live.room.pipeline.on_audio_delta(LOUD)
        await until(lambda: live.ear.audio == heard)
        assert (live.session._accept_user_input, live.room.auto_end_session) == (True, True)
