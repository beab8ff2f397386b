"""The drop-in without a house: what it says when something is missing."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from videosdk.agents import AgentSession, Pipeline
from videosdk.agents.warm_transfer import SIPDestination, WarmTransferConfig, WarmTransferError

from warmxfer.bus import Bus, EmbeddedServer
from warmxfer.integrations.videosdk import WarmTransferError as OurError
from warmxfer.integrations.videosdk import install, shared_bus, warm_transfer
from warmxfer.integrations.videosdk.request_mapping import to_request
from warmxfer.schemas import InvalidRequest, WarmTransferRequest, encode
from warmxfer.schemas import WarmxferError as HouseError

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


class Slow:
    """A duration of somebody's own kind."""


def changed(*, destination: Any = None, **config: Any) -> WarmTransferConfig:
    destination = {} if destination is None else destination
    made = replace(CONFIG.destination, **destination) if isinstance(destination, dict) else destination
    return replace(CONFIG, destination=made, **config)


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (None, "config is a NoneType; give a WarmTransferConfig."),
        (changed(destination="+1415"), "config.destination is a str; give a SIPDestination."),
        (replace(CONFIG, destination={}), "config.destination is a dict; give a SIPDestination."),
        (
            changed(supervisor_join_timeout=None),
            "config.supervisor_join_timeout is None; give seconds, at least 1.",
        ),
        (changed(briefing_timeout="60"), "config.briefing_timeout is '60'; give seconds, at least 1."),
        (changed(briefing_timeout=math.nan), "config.briefing_timeout is nan; give seconds, at least 1."),
        (changed(briefing_timeout=True), "config.briefing_timeout is True; give seconds, at least 1."),
        (changed(summary_prompt=Slow()), "config.summary_prompt is a Slow that is no JSON; write it with"),
        (changed(summary_prompt="\ud800"), "config.summary_prompt is a str that is no JSON; write it with"),
        (changed(summary_prompt=7), "config.summary_prompt is 7; use 1 to"),
        (
            changed(destination={"extra_options": None}),
            "config.destination.extra_options is a NoneType; give a dict.",
        ),
        (
            changed(destination={"extra_options": {"metadata": {"a": Slow()}}}),
            "config.destination.extra_options.metadata is a dict that is no JSON; write it with",
        ),
        (
            changed(destination={"extra_options": {"ringingTimeout": 2**70}}),
            "config.destination.extra_options.ringingTimeout is ••••••••••••••••••••24; give seconds",
        ),
        (
            changed(destination={"extra_options": {7: 7}}),
            "config.destination.extra_options has the unknown field '7'",
        ),
        (changed(destination={"sip_call_to": None}), "config.destination.sip_call_to is null; write a"),
        (changed(destination={"sip_call_from": Slow()}), "config.destination.sip_call_from is a Slow that"),
        (changed(destination={"routing_rule_id": ""}), "config.destination.routing_rule_id is ''; use"),
        (changed(briefing_pipeline_factory=0), "config.briefing_pipeline_factory is 'int', which cannot be"),
    ],
    ids=lambda each: each[:60] if isinstance(each, str) else "",
)
async def test_a_malformed_config_is_one_sentence_and_the_handlers_hear_the_end(
    call: Any, bus: Bus, config: Any, sentence: str
) -> None:
    live, seen = await call(), list[Any]()
    install(live.session, bus.settings.url)
    live.session.on_warm_transfer(callback=lambda told: seen.append(told))
    with pytest.raises(WarmTransferError) as refused:
        await live.session.warm_transfer(config)
    said = str(refused.value)
    assert said.startswith(sentence)
    assert "\n" not in said
    assert [told["phase"].value for told in seen] == ["started", "transfer_failed"]
    assert seen[-1]["data"]["reason"] == said
    assert live.session._warm_transfer_in_progress is False
    assert live.session._accept_user_input is True


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({"participant_display_name": ""}, {}),
        ({"participant_display_name": None}, {}),
        ({"participant_display_name": "Dana"}, {"participant_display_name": "Dana"}),
        ({"extra_options": {"recordAudio": None, "dtmf": None}}, {}),
        (
            {"extra_options": {"metadata": {"ticket": 42, "vip": True, "rate": 0.5, "note": None}}},
            {"extra_options": {"metadata": {"ticket": "42", "vip": "true", "rate": "0.5"}}},
        ),
        (
            {"extra_options": {"headers": {"X-Case": 42, "User-to-User": "56a3;encoding=hex"}}},
            {"extra_options": {"headers": {"X-Case": "42", "User-to-User": "56a3;encoding=hex"}}},
        ),
        (
            {"sip_call_to": "sip:dana@example.com;transport=tls"},
            {"sip_call_to": "sip:dana@example.com;transport=tls"},
        ),
    ],
)
def test_a_destination_the_original_dials_is_dialled(given: dict[str, Any], asked: dict[str, Any]) -> None:
    bare = json.loads(encode(request(changed()).config.destination))
    assert json.loads(encode(request(changed(destination=given)).config.destination)) == {
        **bare,
        **asked,
        "extra_options": asked.get("extra_options", {}),
    }


@pytest.mark.parametrize(
    ("given", "name", "asked"),
    [
        ({"summary_prompt": ""}, "summary_prompt", None),
        ({"summary_prompt": "x" * 8_000}, "summary_prompt", "x" * 8_000),
        ({"briefing_timeout": math.inf}, "briefing_timeout_s", 3_600.0),
        ({"supervisor_join_timeout": 10**400}, "supervisor_join_timeout_s", 3_600.0),
        ({"supervisor_join_timeout": 60}, "supervisor_join_timeout_s", 60.0),
    ],
)
def test_a_config_the_original_takes_is_taken(given: dict[str, Any], name: str, asked: Any) -> None:
    assert getattr(request(changed(**given)).config, name) == asked


@pytest.mark.parametrize(
    "given",
    [
        {"sip_call_to": "14155550101"},
        {"sip_call_to": "sip:dana@example.com;maddr=10.0.0.1"},
        {"extra_options": {"metadata": {"order": {"id": 7}}}},
        {"extra_options": {"headers": {"P-Asserted-Identity": "x"}}},
        {"extra_options": {"somethingNew": True}},
        {"extra_options": {"sipCallTo": "+14155550102"}},
    ],
)
def test_what_the_migration_page_says_is_refused_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        request(changed(destination=given))


def request(config: WarmTransferConfig) -> WarmTransferRequest:
    return to_request(config, room_id="room-1", caller=None, has_model=True, brief_here=False)


async def test_sessions_of_one_loop_share_one_connection(fresh_server: EmbeddedServer) -> None:
    async with shared_bus.shared_bus(fresh_server.url) as first:
        async with shared_bus.shared_bus(fresh_server.url) as second:
            assert first is second
        assert first.connected
    async with shared_bus.shared_bus(fresh_server.url) as third:
        assert third is not first
