"""The drop-in without a local stack: its errors, and the requests that it makes."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs
from videosdk.agents import AgentSession, Pipeline
from videosdk.agents.warm_transfer import SIPDestination, WarmTransferConfig, WarmTransferError

from warmxfer.adapters.rooms.videosdk import framework_version
from warmxfer.bus import Bus, BusSettings, EmbeddedServer, Unavailable, subjects
from warmxfer.client import Client
from warmxfer.integrations import videosdk
from warmxfer.integrations.videosdk import WarmTransferError as OurError
from warmxfer.integrations.videosdk import install, shared_bus, warm_transfer
from warmxfer.integrations.videosdk.request_mapping import to_request
from warmxfer.schemas import InvalidRequest, WarmTransferRequest, encode
from warmxfer.schemas import WarmxferError as WarmxferError

from .offline import OfflineSTT, OfflineTTS, ScriptedLLM, SimpleAgent

CONFIG = WarmTransferConfig(
    destination=SIPDestination(
        routing_rule_id="rr_1", sip_call_to="+14155550101", sip_call_from="+14155550100"
    )
)


def test_its_error_is_upstreams_and_warmxfers() -> None:
    assert issubclass(OurError, WarmTransferError)
    assert issubclass(OurError, WarmxferError)


async def test_a_session_without_a_room_is_refused_as_upstream_does() -> None:
    session = AgentSession(
        agent=SimpleAgent(), pipeline=Pipeline(stt=OfflineSTT(), llm=ScriptedLLM(), tts=OfflineTTS())
    )
    seen: list[str] = []
    session.on_warm_transfer(callback=lambda payload: seen.append(payload["phase"].value))
    with pytest.raises(WarmTransferError, match="no active room"):
        await warm_transfer(session, CONFIG)
    assert seen == ["started", "transfer_failed"]


async def test_an_unreachable_broker_is_named(call) -> None:
    live = await call()
    install(live.session, "nats://127.0.0.1:1")
    with pytest.raises(WarmTransferError, match=r"127\.0\.0\.1:1"):
        await live.session.warm_transfer(CONFIG)
    assert live.session._accept_user_input is True


async def test_without_a_coordinator_the_call_raises_and_the_request_is_cancelled(
    call, fresh_server: EmbeddedServer
) -> None:
    live = await call()
    install(live.session, fresh_server.url)
    with pytest.raises(WarmTransferError, match="warmxfer run coordinator"):
        await live.session.warm_transfer(CONFIG)
    assert live.session._accept_user_input is True


async def test_a_request_whose_acknowledgement_is_lost_is_cancelled(
    call: Any, fresh_server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before, the coordinator began it later: the caller was muted, and the AI believed it had failed."""
    request, requested = Client.request, list[str]()

    async def unacknowledged(self: Client, body: Any, id: str) -> Any:
        requested.append((await request(self, body, id)).id)
        raise Unavailable("no acknowledgement")

    live = await call()
    async with await Bus.connect(BusSettings(url=fresh_server.url), name="test") as bus:
        await bus.ensure()
        monkeypatch.setattr(Client, "request", unacknowledged)
        install(live.session, fresh_server.url)
        with pytest.raises(WarmTransferError, match="no acknowledgement"):
            await live.session.warm_transfer(CONFIG)
        assert len(await bus.history(subjects.cancel(requested[0]), 10)) == 1


@pytest.mark.parametrize("installed", ["1.0.26", "0.0.49", "1.1.0", "2.0"])
def test_a_version_that_does_not_work_is_refused_at_install(
    monkeypatch: pytest.MonkeyPatch, installed: str
) -> None:
    """On 1.0.26 the transfer ran, and its result raised in the user's tool."""
    monkeypatch.setattr(framework_version, "version", lambda _: installed)
    session = AgentSession(
        agent=SimpleAgent(), pipeline=Pipeline(stt=OfflineSTT(), llm=ScriptedLLM(), tts=OfflineTTS())
    )
    with pytest.raises(InvalidRequest, match=f"videosdk-agents is {installed}; warmxfer needs 1.0.27"):
        install(session)


@pytest.mark.parametrize("installed", ["1.0.27", "1.0.30", "1.0.31", "1.0.31rc1"])
def test_1_0_27_and_newer_work(monkeypatch: pytest.MonkeyPatch, installed: str) -> None:
    monkeypatch.setattr(framework_version, "version", lambda _: installed)
    with capture_logs() as logs:
        framework_version.check_version()
    assert [each["event"] for each in logs] == (
        [] if installed in framework_version.READ_IN else ["framework_version_unread"]
    )


async def test_the_changed_import_names_the_needed_version_as_upstreams_error(
    call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = await call()
    monkeypatch.setattr(framework_version, "version", lambda _: "1.0.26")
    ours = videosdk.WarmTransferConfig(CONFIG.destination)
    with pytest.raises(WarmTransferError, match=r"needs 1\.0\.27"):
        await live.session.warm_transfer(ours)


class CustomDuration:
    """A value of a class that the schema does not know."""


def changed(*, destination: Any = None, **config: Any) -> WarmTransferConfig:
    destination = {} if destination is None else destination
    make = replace(CONFIG.destination, **destination) if isinstance(destination, dict) else destination
    return replace(CONFIG, destination=make, **config)


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
        (
            changed(summary_prompt=CustomDuration()),
            "config.summary_prompt is a CustomDuration that is no JSON; write it with",
        ),
        (changed(summary_prompt="\ud800"), "config.summary_prompt is a str that is no JSON; write it with"),
        (changed(summary_prompt=7), "config.summary_prompt is 7; use 1 to"),
        (
            changed(destination={"extra_options": None}),
            "config.destination.extra_options is a NoneType; give a dict.",
        ),
        (
            changed(destination={"extra_options": {"metadata": {"a": CustomDuration()}}}),
            "config.destination.extra_options.metadata is a dict that is no JSON; write it with",
        ),
        (
            changed(destination={"extra_options": {"ringingTimeout": 2**70}}),
            "config.destination.extra_options.ringingTimeout is ••••••••••••••••••••24; give whole seconds",
        ),
        (
            changed(destination={"extra_options": {7: 7}}),
            "config.destination.extra_options has the unknown field '7'",
        ),
        (changed(destination={"sip_call_to": None}), "config.destination.sip_call_to is null; write a"),
        (
            changed(destination={"sip_call_from": CustomDuration()}),
            "config.destination.sip_call_from is a CustomDuration that",
        ),
        (changed(destination={"routing_rule_id": ""}), "config.destination.routing_rule_id is ''; use"),
        (changed(briefing_pipeline_factory=0), "config.briefing_pipeline_factory is 'int', which cannot be"),
    ],
    ids=lambda each: each[:60] if isinstance(each, str) else "",
)
async def test_a_malformed_config_is_one_sentence_and_the_handlers_get_the_last_phase(
    call: Any, bus: Bus, config: Any, sentence: str
) -> None:
    live, seen = await call(), list[Any]()
    install(live.session, bus.settings.url)
    live.session.on_warm_transfer(callback=lambda payload: seen.append(payload))
    with pytest.raises(WarmTransferError) as refused:
        await live.session.warm_transfer(config)
    refusal = str(refused.value)
    assert refusal.startswith(sentence)
    assert "\n" not in refusal
    assert [payload["phase"].value for payload in seen] == ["started", "transfer_failed"]
    assert seen[-1]["data"]["reason"] == refusal
    assert live.session._warm_transfer_in_progress is False
    assert live.session._accept_user_input is True


@pytest.mark.parametrize(
    ("given", "requested"),
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
        ({"extra_options": {"mediaEncryption": "SRTP"}}, {"extra_options": {"mediaEncryption": "SRTP"}}),
        (
            {"extra_options": {"includeHeaders": ["X-Case", "Diversion"]}},
            {"extra_options": {"includeHeaders": ["X-Case", "Diversion"]}},
        ),
        ({"extra_options": {"dtmf": True}}, {"extra_options": {"dtmf": True}}),
        ({"extra_options": {"dtmf": "1w204#"}}, {"extra_options": {"dtmf": "1w204#"}}),
        (
            {"extra_options": {"ringingTimeout": 45.0, "maxCallDuration": 90.2}},
            {"extra_options": {"ringingTimeout": 45, "maxCallDuration": 91}},
        ),
        ({"sip_call_to": "+1 415 555 0123"}, {"sip_call_to": "+14155550123"}),
        ({"sip_call_to": "+1-415-555-0123 "}, {"sip_call_to": "+14155550123"}),
        ({"sip_call_from": "+1 (415) 555.0123"}, {"sip_call_from": "+14155550123"}),
        ({"sip_call_to": "+49\u00a030/1234\u201156"}, {"sip_call_to": "+4930123456"}),
        (
            {"sip_call_to": "sip:dana@example.com;transport=tls"},
            {"sip_call_to": "sip:dana@example.com;transport=tls"},
        ),
    ],
)
def test_a_destination_that_upstream_dials_is_accepted(
    given: dict[str, Any], requested: dict[str, Any]
) -> None:
    default = json.loads(encode(request(changed()).config.destination))
    assert json.loads(encode(request(changed(destination=given)).config.destination)) == {
        **default,
        **requested,
        "extra_options": requested.get("extra_options", {}),
    }


@pytest.mark.parametrize(
    ("given", "name", "requested"),
    [
        ({"summary_prompt": ""}, "summary_prompt", None),
        ({"summary_prompt": "x" * 8_000}, "summary_prompt", "x" * 8_000),
        ({"briefing_timeout": math.inf}, "briefing_timeout_s", 3_600.0),
        ({"supervisor_join_timeout": 10**400}, "supervisor_join_timeout_s", 3_600.0),
        ({"supervisor_join_timeout": 60}, "supervisor_join_timeout_s", 60.0),
    ],
)
def test_a_config_that_upstream_accepts_is_accepted(given: dict[str, Any], name: str, requested: Any) -> None:
    assert getattr(request(changed(**given)).config, name) == requested


@pytest.mark.parametrize(
    "given",
    [
        {"sip_call_to": "14155550101"},
        {"sip_call_to": "415 555 0123"},
        {"sip_call_to": "+49 (0)30 123456"},
        {"sip_call_to": "+1 415 555 0123 ext. 7"},
        {"sip_call_to": "+1 415\n555 0123"},
        {"extra_options": {"mediaEncryption": "none"}},
        {"extra_options": {"includeHeaders": ["X-Case: 1"]}},
        {"extra_options": {"ringingTimeout": math.inf}},
        {"sip_call_to": "sip:dana@example.com;maddr=10.0.0.1"},
        {"extra_options": {"metadata": {"order": {"id": 7}}}},
        {"extra_options": {"headers": {"P-Asserted-Identity": "x"}}},
        {"extra_options": {"somethingNew": True}},
        {"extra_options": {"sipCallTo": "+14155550102"}},
    ],
)
def test_destinations_that_the_migration_page_lists_as_refused_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        request(changed(destination=given))


def request(config: WarmTransferConfig) -> WarmTransferRequest:
    return to_request(
        config, room_id="room-1", session="room-1", caller=None, has_model=True, brief_here=False
    )


async def test_sessions_of_one_loop_share_one_connection(fresh_server: EmbeddedServer) -> None:
    async with shared_bus.shared_bus(fresh_server.url) as first:
        async with shared_bus.shared_bus(fresh_server.url) as second:
            assert first is second
        assert first.connected
    async with shared_bus.shared_bus(fresh_server.url) as third:
        assert third is not first
