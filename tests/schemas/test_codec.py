"""Bytes to messages and back: unknown fields are ignored, and anything else raises DecodeError."""

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmxfer.schemas import (
    MAX_MESSAGE_BYTES,
    CancelRequested,
    DecodeError,
    PhaseChanged,
    TransferNotice,
    WarmTransferResult,
    decode_as,
    decode_command,
    decode_event,
    decode_notice,
    decode_phase,
    decode_result,
    encode,
)
from warmxfer.schemas.fields import snake_case

from .examples import COMMANDS, EVENTS, JSON, QUERIES, example, quickly

DECODERS = [decode_command, decode_event, decode_phase, decode_result, decode_notice]


def decoder_of(kind: type) -> Any:
    if kind in COMMANDS:
        return decode_command
    if kind in EVENTS:
        return decode_event
    public: dict[type, Any] = {
        PhaseChanged: decode_phase,
        WarmTransferResult: decode_result,
        TransferNotice: decode_notice,
    }
    return public.get(kind, lambda data: decode_as(kind, data))


MESSAGES = [*COMMANDS, *EVENTS, PhaseChanged, WarmTransferResult, TransferNotice, *QUERIES]


@pytest.mark.parametrize("full", [False, True], ids=["smallest", "fullest"])
@pytest.mark.parametrize("kind", MESSAGES)
def test_every_message_is_decoded_to_what_was_encoded(kind: type, full: bool) -> None:
    message = example(kind, full=full)
    data = encode(message)
    assert decoder_of(kind)(data) == message
    assert encode(decoder_of(kind)(data)) == data
    assert b"\n" not in data


@pytest.mark.parametrize("kind", MESSAGES)
def test_an_unknown_field_of_a_newer_release_is_ignored(kind: type) -> None:
    message = example(kind, full=True)
    newer = json.loads(encode(message)) | {"a_field_of_tomorrow": {"deep": [1, 2]}}
    assert decoder_of(kind)(json.dumps(newer).encode()) == message


@pytest.mark.parametrize("kind", [*COMMANDS, *EVENTS])
def test_a_tag_is_the_class_name_in_snake_case_or_upstreams_event_name(kind: type) -> None:
    tag = json.loads(encode(example(kind, full=False)))["type"]
    original = {"AUDIO_STREAM_ENABLED", "PARTICIPANT_LEFT", "PARTICIPANT_JOINED"}
    assert tag == snake_case(kind.__name__) or (tag in original and tag.lower() == snake_case(kind.__name__))


def test_no_two_messages_share_a_tag() -> None:
    tags = [json.loads(encode(example(kind, full=False)))["type"] for kind in (*COMMANDS, *EVENTS)]
    assert len(tags) == len(set(tags)) == len(COMMANDS) + len(EVENTS)


@pytest.mark.parametrize("kind", [*COMMANDS, *EVENTS])
def test_a_missing_field_is_named(kind: type) -> None:
    for field in msgspec.structs.fields(kind):
        if not field.required:
            continue
        whole = json.loads(encode(example(kind, full=False)))
        del whole[field.encode_name]
        with pytest.raises(DecodeError, match=f"missing required field `{field.encode_name}`"):
            decoder_of(kind)(json.dumps(whole).encode())


@pytest.mark.parametrize("decode", DECODERS)
@quickly
@given(data=st.binary(max_size=400))
def test_any_bytes_raise_decode_error(decode: Any, data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(data)


TAGS = st.sampled_from([snake_case(kind.__name__) for kind in (*COMMANDS, *EVENTS)])


@pytest.mark.parametrize("decode", DECODERS)
@quickly
@given(value=JSON, tag=TAGS)
def test_any_json_is_decoded_or_a_decode_error(decode: Any, value: Any, tag: str) -> None:
    tagged = value | {"type": tag} if isinstance(value, dict) else value
    with contextlib.suppress(DecodeError):
        decode(json.dumps(tagged).encode())


def test_a_message_that_is_too_large_is_not_decoded() -> None:
    with pytest.raises(DecodeError, match=f"message of {MAX_MESSAGE_BYTES + 1} bytes is larger than 65536"):
        decode_event(b"{" + b" " * MAX_MESSAGE_BYTES)


def test_deep_nesting_is_rejected() -> None:
    with pytest.raises(DecodeError):
        decode_event(b'{"type":"caller_switched","response":' + b'{"a":' * 10_000)


NUMBER = "+14155550123"


@pytest.mark.parametrize(
    ("decode", "message"),
    [
        (decode_event, {"type": NUMBER}),
        (decode_event, {"type": [NUMBER]}),
        (decode_event, {"type": "cancel_requested", "reason": [NUMBER]}),
        (decode_event, {"type": "caller_released", "command_id": None, "cause": NUMBER}),
        (decode_event, {"type": "transfer_requested", "transfer_id": "t1", "request": {NUMBER: 1}}),
        (decode_phase, {"type": "phase_changed", "phase": NUMBER}),
        (decode_phase, NUMBER),
    ],
)
def test_a_decode_error_does_not_quote_its_input(decode: Any, message: Any) -> None:
    """DecodeError reaches logs and dead letters: it once showed a phone number from a wrong field."""
    with pytest.raises(DecodeError) as caught:
        decode(json.dumps(message).encode())
    assert "4155" not in str(caught.value)


def test_limits_hold_between_actors_too() -> None:
    with pytest.raises(DecodeError, match="length <= 500"):
        decode_event(encode(CancelRequested(reason="x" * 501)))
