"""Parsing of VideoSDK's records: statuses, causes and switches, in each form."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmxfer.adapters.telephony.videosdk.responses import (
    DOWN,
    Unreadable,
    bounded,
    cause_of,
    read_call,
    read_dispatched,
    read_page,
    read_room,
    read_switched,
)
from warmxfer.schemas import CallCause
from warmxfer.schemas.fields import ANSWER_MAX_BYTES, FACTS_MAX, ID_MAX_CHARS, WORD_MAX_CHARS

BUSY, NO_ANSWER, REJECTED = CallCause.BUSY, CallCause.NO_ANSWER, CallCause.REJECTED
ABANDONED, FAILED, HUNG_UP = CallCause.ABANDONED, CallCause.FAILED, CallCause.HUNG_UP


@pytest.mark.parametrize(
    ("status", "log", "cause"),
    [
        ("failed", [{"status": "failed", "reason": "busy", "sipCode": 486}], BUSY),
        ("failed", [{"sipCode": "600"}], BUSY),
        ("ended", [{"status": "ended", "reason": "User Busy"}], BUSY),
        ("busy", [], BUSY),
        ("not-answered", [{"sipCode": 480}], NO_ANSWER),
        ("missed", [], NO_ANSWER),
        ("failed", [{"sipCode": 408}], NO_ANSWER),
        ("failed", [{"reason": "ring timeout"}], NO_ANSWER),
        ("rejected", [{"sipCode": 603}], REJECTED),
        ("ended", [{"reason": "call declined"}], REJECTED),
        ("failed", [{"sipCode": 608}], REJECTED),
        ("abandoned", [], ABANDONED),
        ("failed", [{"sipCode": 487}], ABANDONED),
        ("failed", [], FAILED),
        ("failed", [{"sipCode": 503}], FAILED),
        ("ended", [{"sipCode": 404}], FAILED),
        ("ended", [{"status": "answered"}, {"status": "ended"}], HUNG_UP),
        ("ended", [{"status": "ringing", "sipCode": 180}, {"status": "ANSWERED"}], HUNG_UP),
        ("ended", [{"status": "answered", "sipCode": 486}, {"status": "ended"}], HUNG_UP),
        ("ended", [], HUNG_UP),
        ("transferred", [], HUNG_UP),
        ("never-heard-of", [], HUNG_UP),
    ],
)
def test_the_cause_of_a_leg_that_is_down(status: str, log: list[dict[str, Any]], cause: CallCause) -> None:
    assert cause_of(status, log) is cause


@pytest.mark.parametrize("status", ["initiated", "ringing", "incoming", "verified", "answered", "INITIATED"])
def test_a_live_status_is_up(status: str) -> None:
    record = read_call({"callId": "c", "status": status})
    assert (record.up, record.cause, record.status) == (True, None, status.lower())


@pytest.mark.parametrize("status", [*DOWN, "NOT_ANSWERED", "Not Answered", "ENDED"])
def test_a_final_status_is_down(status: str) -> None:
    record = read_call({"id": "c", "status": status})
    assert (record.up, record.cause) == (False, DOWN[status.lower().replace("_", "-").replace(" ", "-")])


def test_an_end_time_means_down_whatever_the_status() -> None:
    assert not read_call({"callId": "c", "status": "something-new", "end": "2026-11-22T10:00:00Z"}).up


def test_switches_are_counted_over_the_life_of_a_call() -> None:
    log = [{"status": f"switch-room-{word}"} for word in ("initiated", "completed", "initiated", "failed")]
    record = read_call({"callId": "c", "status": "switch-room-failed", "timelog": log})
    assert (record.up, record.moving, record.completed_moves, record.failed_moves) == (True, False, 1, 1)
    bare = read_call({"callId": "c", "status": "SWITCH_ROOM_COMPLETED"})
    assert (bare.completed_moves, bare.moving) == (1, False)
    assert read_call({"callId": "c", "status": "switch-room-initiated"}).moving


@pytest.mark.parametrize(
    "raw",
    [
        {"participantId": "p"},
        {"participant": {"id": "p"}},
    ],
)
def test_the_participant_is_found(raw: dict[str, Any]) -> None:
    assert read_call({"callId": "c", **raw}).participant_id == "p"


@pytest.mark.parametrize(
    ("read", "raw"),
    [
        (read_call, {}),
        (read_call, {"callId": ""}),
        (read_call, {"callId": 7}),
        (read_call, {"callId": "x" * 1_000}),
        (read_page, {}),
        (read_page, {"data": {"callId": "c"}}),
        (read_page, {"data": [{"status": "answered"}]}),
        (read_room, {"id": "x"}),
        (read_switched, {"statusCode": 200}),
        (read_switched, {"data": {"ok": True}}),
    ],
)
def test_another_shape_is_unreadable(read: Any, raw: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        read(raw)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
FIELDS = st.sampled_from(
    [
        "id",
        "status",
        "type",
        "roomId",
        "timelog",
        "metadata",
        "participant",
        "additionalDetails",
        "end",
        "start",
    ]
)


@given(st.dictionaries(FIELDS, json_values))
def test_each_record_with_an_id_is_parsed(raw: dict[str, Any]) -> None:
    record = read_call({**raw, "callId": "c1"})
    assert record.call_id == "c1"
    assert record.up == (record.cause is None)


def test_a_huge_response_keeps_only_its_ids() -> None:
    huge = {"data": {"callId": "c1", "status": "answered", "notes": "x" * ANSWER_MAX_BYTES}}
    assert bounded(huge) == {"data": {"callId": "c1", "status": "answered"}}
    small = {"data": {"callId": "c1"}, "message": "ok"}
    assert bounded(small) == small
    assert len(msgspec.json.encode(bounded(huge))) < 100


def test_a_dispatch_is_accepted_if_the_response_confirms_it() -> None:
    read_dispatched({"message": "…", "data": {"success": True, "status": "assigned"}})


@pytest.mark.parametrize("response", [{}, {"data": []}, {"data": {}}, {"data": {"success": False}}])
def test_any_other_response_to_a_dispatch_has_an_unknown_outcome(response: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        read_dispatched(response)


@pytest.mark.parametrize("names", [{f"k{n}": 1 for n in range(FACTS_MAX + 1)}, {"k" * (ID_MAX_CHARS + 1): 1}])
def test_an_answer_with_too_many_or_too_long_names_keeps_its_ids(names: dict[str, int]) -> None:
    assert bounded({"callId": "c1", **names}) == {"callId": "c1"}


def test_a_status_is_cut_to_a_word_and_a_long_id_is_none() -> None:
    long = "a" * 100_000
    record = read_call({"callId": "c1", "status": long, "roomId": long, "participantId": long})
    assert (len(record.status), record.room_id, record.participant_id) == (WORD_MAX_CHARS, None, None)
    with pytest.raises(Unreadable):
        read_call({"callId": long})
