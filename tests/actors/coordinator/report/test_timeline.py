"""The outline and the timeline of a transfer: what they show, and what they never show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.golden.record import log_path, read_log
from tests.testkit.folded_log import folded, replayed
from warmxfer.actors.coordinator.report import (
    entries_of_log,
    outline_of_log,
    timeline_entry,
    timeline_of_log,
)
from warmxfer.actors.coordinator.state_machine import encode_record
from warmxfer.schemas import InvalidRequest, encode
from warmxfer.schemas.sip_address import masked
from warmxfer.schemas.timeline import MAX_ENTRIES

GOLDEN = Path(__file__).resolve().parents[3] / "golden"
LOGS = sorted(GOLDEN.glob("**/*.jsonl"))


def records(path: Path) -> list[bytes]:
    return [line.encode() for line in path.read_text(encoding="utf-8").splitlines() if line]


def record(**changes: Any) -> bytes:
    """A record of the kind that the log holds, as JSON."""
    state = {
        "id": "t-1",
        "stage": "ringing",
        "started_at": 100.0,
        "seq": 3,
        "summary": "The caller wants a refund.",
        "request": {
            "room_id": "room-1",
            "config": {
                "destination": {
                    "routing_rule_id": "rule",
                    "sip_call_to": "+14155550101",
                    "sip_call_from": "+14155550100",
                    "participant_display_name": "Dana",
                },
                "supervisor_join_timeout_s": 30.0,
            },
        },
    }
    event = {"type": "supervisor_call_ended", "attempt": 1, "call_id": "c", "cause": "busy", "sip_code": 486}
    written = {"trigger": 7, "at": 101.5, "event": event, "state": state, "outbox": [], **changes}
    return encode(written)


def test_the_outline_names_the_supervisor_masks_the_number_and_has_the_limits() -> None:
    outline = outline_of_log("t-1", [record()])
    assert (outline.supervisor, outline.destination, outline.room_id) == ("Dana", "+•••••••••01", "room-1")
    assert outline.session == "room-1"
    assert outline.limits is not None
    assert (outline.limits.ring_s, outline.limits.briefing_s, outline.limits.arrival_s) == (30.0, 180.0, 15.0)
    assert outline.limits.preparation_s > 60


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("+14155550101", "+•••••••••01"),
        ("sip:ann@example.com", "sip:•••@example.com"),
        ("sips:+14155550101@pbx.example.com:5061", "sips:•••@pbx.example.com:5061"),
    ],
)
def test_an_address_is_masked(address: str, shown: str) -> None:
    assert masked(address) == shown


def test_an_entry_tells_the_facts_of_its_event() -> None:
    outbox = [
        {"type": "phase_changed", "phase": "transfer_failed", "data": {"detail": "secret"}},
        {"type": "release_caller", "command_id": "t-1-5"},
        {"type": "arm_timer", "due_at": 5.0},
    ]
    entry = timeline_entry(102.0, record(outbox=outbox))
    assert (entry.at, entry.event, entry.stage) == (101.5, "supervisor_call_ended", "ringing")
    assert (entry.phases, entry.commands, entry.timer) == (["transfer_failed"], ["release_caller"], True)
    assert timeline_entry(102.0, record()).note == "busy, SIP 486"


@pytest.mark.parametrize(
    ("event", "note"),
    [
        (
            {"type": "command_failed", "command_id": "c", "fault": "refused", "status": 403},
            "refused, HTTP 403",
        ),
        ({"type": "supervisor_ready", "by": "key", "words": "yes please"}, "by key"),
        ({"type": "PARTICIPANT_JOINED", "room_id": "r", "participant_id": "wxs-t-1-1"}, "supervisor"),
        ({"type": "PARTICIPANT_LEFT", "room_id": "r", "participant_id": "joe"}, "another participant"),
        (
            {"type": "room_created", "command_id": "c", "room_id": "r", "rate_wait_s": 1.25},
            "waited 1.2 s for the provider's rate limit",
        ),
        (
            {"type": "legs_checked", "command_id": "c", "supervisor": {"up": True}},
            "caller not checked, supervisor up",
        ),
        ({"type": "supervisor_declined", "reason": "I am busy"}, ""),
    ],
)
def test_a_note_names_facts_and_quotes_no_person(event: dict[str, Any], note: str) -> None:
    assert timeline_entry(1.0, record(event=event)).note == note


def test_bytes_that_are_no_record_are_an_entry_without_an_event() -> None:
    for body in (b"", b"\xff", b"[1]", b'{"event": 3, "state": [], "outbox": {}}'):
        entry = timeline_entry(9.0, body)
        assert (entry.at, entry.event, entry.phases, entry.note) == (9.0, "", [], "")
    with pytest.raises(InvalidRequest, match="no record of it can be read"):
        outline_of_log("t-1", [b"[1]"])


def test_a_long_timeline_keeps_its_first_and_its_newest_entries() -> None:
    bodies = [(float(number), record(at=float(number))) for number in range(MAX_ENTRIES + 30)]
    timeline = timeline_of_log("t-1", bodies)
    assert (len(timeline.entries), timeline.left_out) == (MAX_ENTRIES, 30)
    assert (timeline.entries[0].at, timeline.entries[-1].at) == (0.0, MAX_ENTRIES + 29.0)
    assert len(encode(timeline)) < 200_000


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_no_number_summary_or_word_of_a_person_is_in_it(path: Path) -> None:
    bodies = records(path)
    shown = encode(timeline_of_log("golden", [(float(at), body) for at, body in enumerate(bodies)])).decode()
    transitions = sum(1 + len(json.loads(body).get("also", [])) for body in bodies)
    assert len(json.loads(shown)["entries"]) == min(transitions, MAX_ENTRIES)
    for private in _private_texts([json.loads(body) for body in bodies]):
        assert private not in shown


def _private_texts(value: Any, name: str = "") -> set[str]:
    """Return the texts in `value` that are private by the name of their field."""
    if isinstance(value, dict):
        return {text for key, each in value.items() for text in _private_texts(each, key)}
    if isinstance(value, list):
        return {text for each in value for text in _private_texts(each, name)}
    private = name in ("summary", "words", "reason", "sip_call_to", "sip_call_from", "accepted_words", "text")
    return {value} if private and isinstance(value, str) and (" " in value or "+" in value) else set()


@pytest.mark.parametrize("size", [2, 3, 8])
@pytest.mark.parametrize("name", ["ready", "declined", "rescue_by_dial"])
def test_a_log_with_several_events_in_a_record_has_the_same_entries(name: str, size: int) -> None:
    """Only a timer that was set again at once is not shown: it was not set."""
    log = replayed(read_log(log_path(name)))
    entries = entries_of_log([(each.at, encode_record(each)) for each in log])
    joined = entries_of_log([(each.at, encode_record(each)) for each in folded(log, size)])
    assert [replace(each, timer=False) for each in joined] == [replace(each, timer=False) for each in entries]
    assert sum(each.timer for each in joined) <= sum(each.timer for each in entries)
