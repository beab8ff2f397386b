"""A record leaves out what has its default, and is read back as it was."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from warmxfer.schemas import SpokenLines, WarmTransferRequest, encode, read_request
from warmxfer.schemas.compact_request import compact_request, kept_compact_request
from warmxfer.schemas.id_in_use import same_request
from warmxfer.schemas.transfer import with_defaults

DESTINATION = {"routing_rule_id": "rule", "sip_call_to": "+14155550123", "sip_call_from": "+14155550100"}
CONFIGS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "own line": {"lines": {"hold": "One moment."}},
    "apologies": {"lines": {"apologies": {"declined": "They are busy."}}},
    "language": {"lines": {"language": "de"}},
    "default line given": {"lines": {"hold": SpokenLines().hold}},
    "no guard": {"bridge_guard_s": 0, "notice_s": 0},
    "whole number": {"summary_timeout_s": 8},
    "everything else": {
        "summary_prompt": "Be short.",
        "summarize_by": "session",
        "brief_by": "session",
        "on_briefing_timeout": "proceed",
        "pacing": "sequential",
        "record": True,
        "accept_by": "key",
        "rescue": {"by": "agent", "agent_id": "a1"},
    },
    "rescue by dial": {"rescue": {"by": "dial", **DESTINATION}},
}


def request_with(config: dict[str, Any], **fields: Any) -> WarmTransferRequest:
    body = {"room_id": "room-1", "config": {"destination": DESTINATION, **config}, **fields}
    return with_defaults(read_request(encode(body)))


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize("fields", [{}, {"session": "s1", "caller_call_id": "c1"}], ids=["room", "session"])
def test_what_is_left_out_is_read_back(config: dict[str, Any], fields: dict[str, str]) -> None:
    request = request_with(config, **fields)
    assert msgspec.json.decode(compact_request(request), type=WarmTransferRequest) == request


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_a_coordinator_reads_what_a_client_left_out(config: dict[str, Any]) -> None:
    body = encode({"room_id": "room-1", "config": {"destination": DESTINATION, **config}})
    request = read_request(body)
    assert read_request(compact_request(request)) == request
    assert same_request(compact_request(request), body)


def test_a_request_with_defaults_takes_a_quarter() -> None:
    request = request_with({})
    compact = compact_request(request)
    assert len(compact) < 0.25 * len(encode(request))
    assert "lines" not in json.loads(compact)["config"]


def test_a_destination_stands_whole() -> None:
    """The other actors compare a dial with it, field by field."""
    request = request_with(CONFIGS["rescue by dial"])
    whole, compact = json.loads(encode(request)), json.loads(compact_request(request))
    for name in ("destination", "rescue"):
        assert compact["config"][name] == whole["config"][name]


def test_an_equal_request_is_written_alike() -> None:
    first, second = request_with({"record": True}), request_with({"record": True})
    assert first is not second
    assert kept_compact_request(first) == kept_compact_request(second) == kept_compact_request(first)
    assert kept_compact_request(first) == compact_request(second)
