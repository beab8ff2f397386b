"""The drop-in without a house: what it says when something is missing."""

from __future__ import annotations

import pytest
from videosdk.agents import AgentSession, Pipeline
from videosdk.agents.warm_transfer import SIPDestination, WarmTransferConfig, WarmTransferError

from warmxfer.actors.videosdk import WarmTransferError as OurError
from warmxfer.actors.videosdk import install, sharing, warm_transfer
from warmxfer.bus import EmbeddedServer
from warmxfer.schemas import WarmTransferError as HouseError

from .offline import Ear, Helper, Mind, Mouth

CONFIG = WarmTransferConfig(
    destination=SIPDestination(
        routing_rule_id="rr_1", sip_call_to="+14155550101", sip_call_from="+14155550100"
    )
)


def test_its_error_is_caught_as_the_originals_and_as_the_houses() -> None:
    assert issubclass(OurError, WarmTransferError)
    assert issubclass(OurError, HouseError)


async def test_a_session_without_a_room_is_refused_as_by_the_original() -> None:
    session = AgentSession(agent=Helper(), pipeline=Pipeline(stt=Ear(), llm=Mind(), tts=Mouth()))
    seen: list[str] = []
    session.on_warm_transfer(callback=lambda told: seen.append(told["phase"].value))
    with pytest.raises(WarmTransferError, match="no active room"):
        await warm_transfer(session, CONFIG)
    assert seen == ["started", "transfer_failed"]


async def test_a_broker_that_is_not_there_is_named(call) -> None:
    live = await call()
    install(live.session, "nats://127.0.0.1:1")
    with pytest.raises(WarmTransferError, match=r"127\.0\.0\.1:1"):
        await live.session.warm_transfer(CONFIG)
    assert live.session._accept_user_input is True


async def test_nobody_in_charge_is_said_within_seconds_and_the_request_is_called_off(
    call, fresh_server: EmbeddedServer
) -> None:
    live = await call()
    install(live.session, fresh_server.url)
    with pytest.raises(WarmTransferError, match="warmxfer run coordinator"):
        await live.session.warm_transfer(CONFIG)
    assert live.session._accept_user_input is True


async def test_sessions_of_one_loop_share_one_connection(fresh_server: EmbeddedServer) -> None:
    async with sharing.shared_bus(fresh_server.url) as first:
        async with sharing.shared_bus(fresh_server.url) as second:
            assert first is second
        assert first.connected
    async with sharing.shared_bus(fresh_server.url) as third:
        assert third is not first
