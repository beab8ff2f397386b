"""User input is read strictly. A rejection is one sentence with field, value and remedy."""

import json
from typing import Any

import pytest
from msgspec import UNSET, structs

from warmxfer.schemas import (
    MAX_MESSAGE_BYTES,
    InvalidRequest,
    WarmTransferRequest,
    encode,
    read_cancel,
    read_request,
)

from .examples import example as example_of
from .request_text import A_NUMBER, AN_ID, MISSING, NUMBER, raw, rejection

SENTENCES: list[tuple[dict[str, Any], str, str]] = [
    ({"room_id": "a.b"}, "room_id", f"room_id is 'a.b'; {AN_ID}"),
    ({"room_id": MISSING}, "room_id", f"room_id is missing; {AN_ID}"),
    ({"room_id": ""}, "room_id", f"room_id is ''; {AN_ID}"),
    ({"room_id": None}, "room_id", f"room_id is null; {AN_ID}"),
    ({"room_id": "room\n"}, "room_id", f"room_id is 'room\\n'; {AN_ID}"),
    ({"session": "a b"}, "session", f"session is 'a b'; {AN_ID}"),
    (
        {"config": MISSING},
        "config",
        "config is missing; give an object with destination.",
    ),
    ({"config": 3}, "config", "config is 3; give an object with destination."),
    (
        {"config__destination": MISSING},
        "config.destination",
        "config.destination is missing; give an object with routing_rule_id, sip_call_to, sip_call_from.",
    ),
    (
        {"config__destination__sip_call_to": "4155550123"},
        "config.destination.sip_call_to",
        f"config.destination.sip_call_to is '••••••••23'; {A_NUMBER}",
    ),
    (
        {"config__destination__sip_call_to": "1 415 555 01 23"},
        "config.destination.sip_call_to",
        f"config.destination.sip_call_to is '• ••• ••• •• 23'; {A_NUMBER}",
    ),
    (
        {"config__destination__sip_to": NUMBER},
        "config.destination.sip_to",
        "config.destination has the unknown field 'sip_to'; did you mean sip_call_to?",
    ),
    (
        {"colour": "red"},
        "colour",
        "the message has the unknown field 'colour'; the fields here are room_id, config, session, "
        "caller_call_id, caller_participant_id.",
    ),
    (
        {NUMBER: 1},
        "+•••••••••23",
        "the message has the unknown field '+•••••••••23'; the fields here are room_id, config, session, "
        "caller_call_id, caller_participant_id.",
    ),
    ({"config__record": "yes"}, "config.record", "config.record is 'yes'; give true or false."),
    (
        {"config__destination__extra_options": {"ringingTimeout": 30.5}},
        "config.destination.extra_options.ringingTimeout",
        "config.destination.extra_options.ringingTimeout is 30.5; give whole seconds from 1 to 600.",
    ),
    ({"config__pacing": "fast"}, "config.pacing", "config.pacing is 'fast'; use one of overlap, sequential."),
    (
        {"config__on_briefing_timeout": "wait"},
        "config.on_briefing_timeout",
        "config.on_briefing_timeout is 'wait'; use one of cancel, proceed.",
    ),
    (
        {"config__command_timeout_s": 0},
        "config.command_timeout_s",
        "config.command_timeout_s is 0; give seconds from 0.5 to 60.",
    ),
    (
        {"config__command_timeout_s": "10"},
        "config.command_timeout_s",
        "config.command_timeout_s is '10'; give seconds from 0.5 to 60.",
    ),
    (
        {"config__supervisor_join_timeout_s": 3_601},
        "config.supervisor_join_timeout_s",
        "config.supervisor_join_timeout_s is 3601; give seconds from 1 to 3600.",
    ),
    (
        {"config__caller_arrival_timeout_s": 61},
        "config.caller_arrival_timeout_s",
        "config.caller_arrival_timeout_s is 61; give seconds from 1 to 60.",
    ),
    (
        {"config__summary_prompt": "x" * 8_001},
        "config.summary_prompt",
        f"config.summary_prompt is '{'x' * 39}…'; use 1 to 8000 characters.",
    ),
    (
        {"config__lines__hold": ""},
        "config.lines.hold",
        "config.lines.hold is ''; use 1 to 500 characters of plain text.",
    ),
    (
        {"config__lines__apologies": {"mood": "sorry"}},
        "config.lines.apologies",
        'config.lines.apologies is {"mood":"sorry"}; use outcome words as keys and lines of 1 to 500 '
        "characters as values.",
    ),
    (
        {"config__destination__participant_display_name": "Dana\nEvil: header"},
        "config.destination.participant_display_name",
        "config.destination.participant_display_name is 'Dana\\nEvil: header'; use 1 to 128 printable "
        "characters on one line.",
    ),
    (
        {"config__destination__extra_options": {"ringingTimeout": 601}},
        "config.destination.extra_options.ringingTimeout",
        "config.destination.extra_options.ringingTimeout is 601; give whole seconds from 1 to 600.",
    ),
    (
        {"config__destination__extra_options": {"ringing_timeout": 60}},
        "config.destination.extra_options.ringing_timeout",
        "config.destination.extra_options has the unknown field 'ringing_timeout'; did you mean "
        "ringingTimeout?",
    ),
    (
        {"config__destination__extra_options": {"headers": {"From": "x"}}},
        "config.destination.extra_options.headers",
        'config.destination.extra_options.headers is {"From":"x"}; use at most 10 headers named X-... or '
        "User-to-User, each value up to 512 printable ASCII characters without line breaks.",
    ),
    (
        {"config__destination__extra_options": {"sipCallTo": NUMBER}},
        "config.destination.extra_options",
        "config.destination.extra_options has 'sipCallTo', which warmxfer sets itself; remove it and use "
        "the fields of config.destination.",
    ),
]


@pytest.mark.parametrize(("changes", "field", "sentence"), SENTENCES, ids=lambda each: str(each)[:40])
def test_the_sentence_names_the_field_the_value_and_the_remedy(
    changes: dict[str, Any], field: str, sentence: str
) -> None:
    error = rejection(raw(**changes))
    assert (str(error), error.field) == (sentence, field)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "The message is not JSON (Input data was truncated); send one JSON object."),
        (b"[]", "the message is []; send one JSON object."),
        (b"null", "the message is null; send one JSON object."),
        (b'"+14155550123"', "the message is '+•••••••••23'; send one JSON object."),
        (
            b"\xff",
            "The message is not JSON (JSON is malformed: invalid character (byte 0)); send one JSON object.",
        ),
        (b" " * (MAX_MESSAGE_BYTES + 1), "The message is 65537 bytes long; send at most 65536."),
    ],
    ids=lambda each: repr(each[:20]),
)
def test_bytes_that_are_not_a_request_are_rejected_with_the_reason(data: bytes, sentence: str) -> None:
    assert str(rejection(data)) == sentence


def test_deep_nesting_is_rejected() -> None:
    assert "not JSON" in str(rejection(b'{"config":' + b"[" * 20_000))


@pytest.mark.parametrize("full", [False, True])
def test_a_good_request_is_read_as_it_was_written(full: bool) -> None:
    request = example_of(WarmTransferRequest, full=full)
    # A destination has numbers or a name, never both.
    destination = structs.replace(request.config.destination, name=UNSET if full else "billing")
    rescue = structs.replace(request.config.rescue, name=UNSET) if full else UNSET
    config = structs.replace(request.config, destination=destination, rescue=rescue)
    request = structs.replace(request, config=config)
    assert read_request(encode(request)) == request


@pytest.mark.parametrize("place", ["destination", "rescue"])
def test_a_destination_has_a_name_or_numbers(place: str) -> None:
    by = {"by": "dial"} if place == "rescue" else {}
    named = read_request(raw(**{f"config__{place}": {**by, "name": "billing"}}))
    assert getattr(named.config, place).name == "billing"
    numbers = {"routing_rule_id": "r", "sip_call_to": NUMBER, "sip_call_from": NUMBER}
    assert str(rejection(raw(**{f"config__{place}": {**by, **numbers, "name": "billing"}}))) == (
        f"config.{place}.name is 'billing' beside routing_rule_id; give the name alone, "
        "or routing_rule_id, sip_call_to, sip_call_from without a name."
    )
    for missing in numbers:
        given = {each: value for each, value in numbers.items() if each != missing}
        error = rejection(raw(**{f"config__{place}": {**by, **given}}))
        assert str(error).startswith(f"config.{place}.{missing} is missing; ")
        assert error.field == f"config.{place}.{missing}"
    for given, missing in [
        (("sip_call_to",), "routing_rule_id and sip_call_from"),
        (("routing_rule_id",), "sip_call_to and sip_call_from"),
        ((), "routing_rule_id, sip_call_to and sip_call_from"),
    ]:
        error = rejection(raw(**{f"config__{place}": {**by, **{each: numbers[each] for each in given}}}))
        assert str(error) == f"config.{place}.{missing} are missing; add them, or give a name alone."
        assert error.field == f"config.{place}.{missing.split()[0].rstrip(',')}"
    assert "'two words'; use 1 to 64" in str(
        rejection(raw(**{f"config__{place}": {**by, "name": "two words"}}))
    )


@pytest.mark.parametrize(
    "number",
    [
        NUMBER,
        "sip:dana@example.com",
        "sips:d.a-n_a+1@pbx.example.com:5061",
        "sip:dana@example.com;transport=tls",
        "sip:+14155550123@pbx.example.com:5060;user=phone;transport=tcp",
    ],
)
def test_numbers_and_sip_addresses_are_accepted(number: str) -> None:
    assert read_request(raw(config__destination__sip_call_to=number)).config.destination.sip_call_to == number


@pytest.mark.parametrize(
    "number",
    [
        "tel:+14155550123",
        "+04155550123",
        "+14155",
        "+1415555012345678",
        "+\N{ARABIC-INDIC DIGIT ONE}4155550123",
        "+14155550123\n",
        "+14155550123\r\nX-Evil: 1",
        "+14155550123,sip:evil@example.com",
        "sip:dana@example.com;transport=x",
        "sip:dana@example.com;transport=tcp\r\nX-Evil: 1",
        "sip:dana@example.com;transport=tcp;maddr=evil.example.com",
        "sip:dana@example.com;maddr=evil.example.com",
        "sip:dana@example.com;user=phone@evil.example.com",
        "sip:dana@example.com;transport=tcp?Replaces=x",
        "sip:dana@example.com;",
        "sip:dana@example.com\n",
        "sip:@example.com",
        "sip:dana@-example.com",
        "sip:da na@example.com",
    ],
)
def test_any_other_address_is_rejected(number: str) -> None:
    assert rejection(raw(config__destination__sip_call_to=number)).field == "config.destination.sip_call_to"


HEADERS = "config__destination__extra_options__headers"


@pytest.mark.parametrize("name", ["User-to-User", "user-to-user", "X-Case"])
def test_headers_for_the_supervisors_phone_are_accepted(name: str) -> None:
    value = "56a390f3d2b7310023a2;encoding=hex;purpose=isdn-uui"
    options = read_request(raw(**{HEADERS: {name: value}})).config.destination.extra_options
    assert options.headers == {name: value}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("User-to-User", "1\r\nVia: x"),
        ("User-to-User", "\N{SNOWMAN}"),
        ("User-to-User", "x" * 513),
        ("User-to-User2", "1"),
        ("User-to-User\n", "1"),
        ("From", "1"),
        ("Refer-To", "1"),
    ],
)
def test_any_other_header_and_any_line_break_is_rejected(name: str, value: str) -> None:
    error = rejection(raw(**{HEADERS: {name: value}}))
    assert error.field == "config.destination.extra_options.headers"


# ── cancel ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("data", [b"", b" \n", b"{}"])
def test_a_cancel_needs_no_reason(data: bytes) -> None:
    assert read_cancel(data).reason == "cancelled by request"


def test_a_cancel_is_read_strictly() -> None:
    with pytest.raises(InvalidRequest, match=r"has the unknown field 'reasn'; did you mean reason\?"):
        read_cancel(b'{"reasn":"x"}')
    with pytest.raises(InvalidRequest, match=r"reason is 'x{39}…'; use at most 500 characters"):
        read_cancel(json.dumps({"reason": "x" * 501}).encode())
