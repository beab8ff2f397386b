"""Request bodies: no option of a user replaces a checked field."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmxfer.adapters.telephony import DialRequest
from warmxfer.adapters.telephony.videosdk.request_bodies import dial_body, dispatch_body, room_body
from warmxfer.schemas import SIPDestination, SIPOptions
from warmxfer.schemas.transfer import RESERVED_OPTIONS

MARKS = {"warmxferId": "t1", "attempt": "1", "attemptKey": "t1-1"}
RINGING_TIMEOUT_S = 45
CHECKED_FIELDS = {
    "ringingTimeout": RINGING_TIMEOUT_S,
    "participant": {"id": "wxs-t1-1", "name": "Dana"},
    "destinationRoomId": "room-1",
    "routingRuleId": "rr_1",
    "sipCallFrom": "+14155559876",
    "sipCallTo": "+14155550101",
}


def body_with(options: SIPOptions) -> dict[str, Any]:
    destination = SIPDestination("rr_1", "+14155550101", "+14155559876", "Dana", options)
    return dial_body(DialRequest("room-1", "wxs-t1-1", 45, destination, MARKS))


def test_a_dial_in_full() -> None:
    options = SIPOptions(
        max_call_duration=600,
        record_audio=True,
        wait_until_answered=False,
        hide_phone_number=True,
        dtmf="12#",
        media_encryption="enable",
        include_headers="NONE",
        headers={"X-Case": "77"},
        metadata={"case": "77", "attemptKey": "another"},
    )
    assert body_with(options) == {
        **CHECKED_FIELDS,
        "maxCallDuration": 600,
        "recordAudio": True,
        "waitUntilAnswered": False,
        "hidePhoneNumber": True,
        "dtmf": "12#",
        "mediaEncryption": "enable",
        "includeHeaders": "NONE",
        "headers": {"X-Case": "77"},
        "metadata": {"case": "77", **MARKS},
    }


def test_unset_options_are_not_sent() -> None:
    assert body_with(SIPOptions()) == {**CHECKED_FIELDS, "metadata": MARKS}


names = st.sampled_from([*SIPOptions.__struct_encode_fields__, *RESERVED_OPTIONS, *MARKS]) | st.text(
    max_size=10
)
values = st.none() | st.booleans() | st.integers(1, 600) | st.text(max_size=20)
values = values | st.dictionaries(names, st.text(max_size=10), max_size=4)


@given(st.dictionaries(names, values, max_size=6))
def test_no_options_override_what_was_checked(raw: dict[str, Any]) -> None:
    try:
        options = msgspec.convert(raw, SIPOptions)
    except msgspec.ValidationError:
        return
    body = body_with(options)
    ringing_s = min(raw.get("ringingTimeout", RINGING_TIMEOUT_S), RINGING_TIMEOUT_S)
    assert {**CHECKED_FIELDS, "ringingTimeout": ringing_s}.items() <= body.items()
    assert MARKS.items() <= body["metadata"].items()


@given(st.dictionaries(names, st.text(max_size=20), max_size=6))
def test_no_options_without_schema_check_override_what_was_checked(metadata: dict[str, str]) -> None:
    body = body_with(SIPOptions(metadata=metadata))
    assert CHECKED_FIELDS.items() <= body.items()
    assert MARKS.items() <= body["metadata"].items()


@pytest.mark.parametrize("url", [None, "https://hooks.example.com/webhooks/videosdk"])
def test_a_room_gets_the_webhook_url_if_there_is_one(url: str | None) -> None:
    body = room_body("key-1", url)
    assert body["customRoomId"] == "key-1"
    assert body.get("webhook", {}).get("endPoint") == url
    assert body.get("webhook", {}).get("events", []) == (
        ["participant-joined", "participant-left"] if url else []
    )


@pytest.mark.parametrize(
    ("option_s", "expected_s"), [(10, 10), (RINGING_TIMEOUT_S, RINGING_TIMEOUT_S), (600, RINGING_TIMEOUT_S)]
)
def test_an_option_can_shorten_the_ringing_and_not_lengthen_it(option_s: int, expected_s: int) -> None:
    assert body_with(SIPOptions(ringing_timeout=option_s))["ringingTimeout"] == expected_s


def test_a_dispatch_in_full() -> None:
    assert dispatch_body("agent-1", "room-1", "version-2", MARKS) == {
        "agentId": "agent-1",
        "meetingId": "room-1",
        "versionId": "version-2",
        "metadata": MARKS,
    }


def test_a_dispatch_without_a_version_leaves_the_choice_to_the_provider() -> None:
    assert "versionId" not in dispatch_body("agent-1", "room-1", None, MARKS)
