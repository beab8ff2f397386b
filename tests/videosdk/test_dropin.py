"""An agent script written for the original, unchanged, in a house of real actors and people on phones."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from videosdk.agents import function_tool
from videosdk.agents.warm_transfer import (
    SIPDestination,
    WarmTransferConfig,
    WarmTransferError,
    WarmTransferPhase,
    WarmTransferResult,
)

from warmxfer.actors.house import Caller, House
from warmxfer.actors.videosdk import install

from .cloud import CloudMeeting, CloudMouth, seated
from .conftest import opened_calls
from .offline import Call, Helper, Mind
from .test_session import until

READY, DECLINES, BUSY, VOICEMAIL = "+14155550101", "+14155550106", "+14155550102", "+14155550105"
RECORDED = json.loads((Path(__file__).parent.parent / "data" / "original-phases.json").read_text())
FINAL_S = 40.0


# ── the script: not a line of it knows of warmxfer ───────────────────────────────────────────────


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
async def house() -> AsyncIterator[House]:
    async with House(time_scale=0.1, directory=Path("/tmp/vsdk-house")) as house:
        yield house


pytestmark = pytest.mark.asyncio(loop_scope="module")

Phone = Callable[..., Awaitable[tuple[Call, Caller, list[dict[str, Any]]]]]


@pytest_asyncio.fixture(loop_scope="module")
async def phone(house: House, room: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Phone]:
    """A caller from the sandbox talks with `agent`: the call, the caller, and the phases a handler sees."""
    async with AsyncExitStack() as stack, asynccontextmanager(opened_calls)(room, monkeypatch) as opening:

        async def ring(agent: Support, *, pacing: str = "overlap", **parts: Any) -> Any:
            caller, seen = await house.call(), []
            voice = await stack.enter_async_context(seated(house, caller))

            def on_session(session: Any) -> None:
                install(session, house.nats_url, pacing=pacing)
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


async def test_an_unchanged_script_gets_its_supervisor(house: House, phone: Phone) -> None:
    agent = Support()
    live, caller, seen = await phone(agent)
    global_bus: list[dict[str, Any]] = []
    live.session.pipeline._event_bus.on("WARM_TRANSFER", lambda told: global_bus.append(told))
    await live.ear.hears("Get me a supervisor.")
    async with asyncio.timeout(FINAL_S):
        await agent.finished.wait()
    assert agent.error is None
    result = agent.result
    assert isinstance(result, WarmTransferResult)
    assert (result.success, result.phase, result.error) == (True, WarmTransferPhase.TRANSFER_COMPLETE, None)
    assert result.switched_call_id == caller.call_id
    assert result.summary == "Ann was charged twice and wants a refund."
    recorded = RECORDED["scenarios"]["complete"]
    assert sorted(names(seen)) == sorted(each["phase"] for each in recorded["phases"])
    assert [each["phase"] for each in global_bus] == names(seen)
    for told in seen:
        assert isinstance(told["phase"], WarmTransferPhase)
        (as_recorded,) = [each for each in recorded["phases"] if each["phase"] == told["phase"].value]
        assert told.keys() == as_recorded.keys()
        assert told["data"].keys() == as_recorded["data"].keys()
    assert live.mouth.said[-1] == "Please hold while I connect you with a supervisor."
    await until(lambda: live.meeting.left, 10.0)
