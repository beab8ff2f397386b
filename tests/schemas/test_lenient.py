"""What warmxfer wrote is read leniently, in every struct; what users write stays strict."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, get_args

import msgspec
import pytest
from msgspec import inspect

from warmxfer.actors.coordinator.caller_lock import CallerLock
from warmxfer.actors.coordinator.state_machine.record import StoredRecord, StoredTransfer
from warmxfer.actors.gateway.at_most_once import ClaimRecord, EffectEnd
from warmxfer.schemas import (
    AnyCommand,
    AnyEvent,
    CallCause,
    CommandFailed,
    DecodeError,
    FailureKind,
    InvalidRequest,
    NewerMessage,
    Outcome,
    PhaseChanged,
    SupervisorCallEnded,
    SupervisorReady,
    WarmTransferPhase,
    WarmTransferRequest,
    WarmTransferResult,
    decode_as,
    decode_command,
    decode_event,
    decode_phase,
    decode_result,
    encode,
    is_known,
    read_leniently,
    read_request,
    undecoded_command_id,
    unknown_member,
)

from .examples import COMMANDS, example

NEW = {"more": [1, {"deep": None}]}
STORED = (StoredRecord, StoredTransfer, CallerLock, ClaimRecord, EffectEnd)


def structs_in(kind: inspect.Type) -> Iterator[type[msgspec.Struct]]:
    """Yield every struct that a value of `kind` may contain."""
    match kind:
        case inspect.Metadata():
            yield from structs_in(kind.type)
        case inspect.StructType():
            yield kind.cls
            for field in kind.fields:
                yield from structs_in(field.type)
        case inspect.UnionType():
            for each in kind.types:
                yield from structs_in(each)
        case inspect.ListType():
            yield from structs_in(kind.item_type)
        case inspect.DictType():
            yield from structs_in(kind.value_type)
        case _:
            pass


REACHABLE = sorted(
    {each for root in STORED for each in structs_in(inspect.type_info(root))}, key=lambda each: each.__name__
)


def with_new_fields(value: Any) -> Any:
    """Return `value` with a new field in it and in every object inside it."""
    if isinstance(value, dict):
        return {name: with_new_fields(each) for name, each in value.items()} | {"a_new_field": NEW}
    return [with_new_fields(each) for each in value] if isinstance(value, list) else value


def test_the_search_finds_the_structs_of_requests_commands_and_events() -> None:
    assert {WarmTransferRequest, *get_args(AnyCommand), *get_args(AnyEvent)} <= set(REACHABLE)


@pytest.mark.parametrize("kind", REACHABLE)
def test_every_struct_of_a_record_ignores_unknown_fields(kind: type[msgspec.Struct]) -> None:
    whole = example(kind, full=False)
    newer = json.loads(encode(whole)) | {"a_new_field": NEW}
    assert read_leniently(newer, kind) == whole


def test_a_request_ignores_unknown_fields_at_every_depth_only_if_warmxfer_wrote_it() -> None:
    request = {
        "room_id": "room-1",
        "config": {
            "destination": {
                "routing_rule_id": "rr",
                "sip_call_to": "+14155550101",
                "sip_call_from": "+14155550100",
                "extra_options": {"recordAudio": True},
            },
            "lines": {"hold": "One moment."},
        },
    }
    paths = ((), ("config",), ("config", "lines"), ("config", "destination"))
    for path in (*paths, ("config", "destination", "extra_options")):
        newer = copy.deepcopy(request)
        place: Any = newer
        for name in path:
            place = place[name]
        place["a_new_field"] = NEW
        known = read_request(json.dumps(request).encode())
        assert read_leniently(newer, WarmTransferRequest) == known
        with pytest.raises(InvalidRequest, match="a_new_field"):
            read_request(json.dumps(newer).encode())


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_command_ignores_unknown_fields_at_every_depth(kind: type) -> None:
    whole = example(kind, full=False)
    assert decode_command(json.dumps(with_new_fields(json.loads(encode(whole)))).encode()) == whole


def test_an_unknown_word_is_kept_and_written_again() -> None:
    body = {"type": "supervisor_call_ended", "attempt": 1, "call_id": "c", "cause": "ghosted"}
    event = decode_event(json.dumps(body).encode())
    assert isinstance(event, SupervisorCallEnded)
    assert not is_known(event.cause)
    assert (event.cause, event.cause.value, f"{event.cause}") == ("ghosted", "ghosted", "ghosted")
    assert json.loads(encode(event))["cause"] == "ghosted"


def test_an_unknown_word_equals_no_known_one() -> None:
    word = unknown_member(Outcome, "BROKEN")
    assert not is_known(word)
    assert word not in set(Outcome)
    assert {word: 1}[unknown_member(Outcome, "BROKEN")] == 1
    assert not word.cancelled
    assert all(is_known(each) for each in Outcome)


@pytest.mark.parametrize("word", ["", "two words", "x" * 65, "ünï", 5, None, ["declined"]])
def test_only_a_word_can_be_unknown(word: Any) -> None:
    body = {"type": "supervisor_call_ended", "attempt": 1, "call_id": "c", "cause": word}
    with pytest.raises(DecodeError):
        decode_event(json.dumps(body).encode())


def test_phases_and_results_may_have_unknown_words() -> None:
    phase = json.loads(encode(example(PhaseChanged, full=True))) | {"phase": "caller_asked"}
    read = decode_phase(json.dumps(phase).encode()).phase
    assert isinstance(read, WarmTransferPhase)
    assert (read.value, read.final) == ("caller_asked", False)
    result = json.loads(encode(example(WarmTransferResult, full=True))) | {"outcome": "supervisor_asleep"}
    assert decode_result(json.dumps(result).encode()).outcome.value == "supervisor_asleep"


def test_limits_hold_unless_the_reader_allows_more() -> None:
    long = {"type": "summary_ready", "command_id": "c", "summary": "x" * 5_000, "source": "oracle"}
    with pytest.raises(DecodeError):
        decode_event(json.dumps(long).encode())
    with pytest.raises(msgspec.ValidationError):
        read_leniently(long, AnyEvent, words=True)
    assert len(read_leniently(long, AnyEvent, words=True, limits=True).summary) == 5_000


def test_an_event_of_an_unknown_type_may_be_newer_and_a_broken_one_is_not() -> None:
    with pytest.raises(NewerMessage):
        decode_event(b'{"type": "supervisor_sneezed", "loud": true}')
    for data in (b"{", b"{}", b'{"type": 5}', b'{"type": "two words"}', b'{"type": "room_created"}'):
        with pytest.raises(DecodeError) as caught:
            decode_event(data)
        assert not isinstance(caught.value, NewerMessage)


@pytest.mark.parametrize(
    "change",
    [
        {"type": "whisper"},
        {"destination": {"routing_rule_id": "rr", "sip_call_to": "tel:5", "sip_call_from": "+14155550100"}},
        {"attempt": "first"},
    ],
    ids=["type", "value out of range", "type of a field"],
)
def test_a_command_that_cannot_be_read_may_be_newer_if_it_can_be_answered(change: dict[str, Any]) -> None:
    dial = next(each for each in COMMANDS if each.__name__ == "DialSupervisor")
    newer = json.dumps(json.loads(encode(example(dial, full=False))) | change).encode()
    with pytest.raises(NewerMessage):
        decode_command(newer)
    assert undecoded_command_id(newer) == example(dial, full=False).command_id
    unanswerable = json.loads(newer)
    del unanswerable["command_id"]
    with pytest.raises(DecodeError) as caught:
        decode_command(json.dumps(unanswerable).encode())
    assert not isinstance(caught.value, NewerMessage)


def test_an_option_word_of_a_dial_is_not_guessed() -> None:
    """The word would change the call. A gateway that does not know it must not dial."""
    dial = next(each for each in COMMANDS if each.__name__ == "DialSupervisor")
    newer = json.loads(encode(example(dial, full=False)))
    newer["destination"]["extra_options"] = {"mediaEncryption": "quantum"}
    with pytest.raises(NewerMessage):
        decode_command(json.dumps(newer).encode())


def test_errors_never_quote_the_input() -> None:
    for decode in (decode_command, decode_event, decode_phase, decode_result):
        with pytest.raises(DecodeError) as caught:
            decode(
                json.dumps({"type": "command_failed", "command_id": "c", "fault": "+1415 5550123"}).encode()
            )
        assert "555" not in str(caught.value)


def test_stored_claims_ignore_unknown_fields() -> None:
    claim = ClaimRecord(command_id="c", token="t", moves_done=2)
    assert (
        decode_as(ClaimRecord, json.dumps(json.loads(encode(claim)) | {"a_new_field": NEW}).encode()) == claim
    )
    lock = CallerLock("t-1")
    assert decode_as(CallerLock, json.dumps(json.loads(encode(lock)) | {"a_new_field": NEW}).encode()) == lock


def test_every_enum_of_a_record_may_have_unknown_words() -> None:
    for kind in (Outcome, CallCause, FailureKind, WarmTransferPhase):
        assert issubclass(kind, StrEnum)
        assert read_leniently("brand_new", kind, words=True).value == "brand_new"
        with pytest.raises(msgspec.ValidationError):
            read_leniently("brand_new", kind)
    failed = read_leniently(
        {"type": "command_failed", "command_id": "c", "fault": "odd"}, AnyEvent, words=True
    )
    assert isinstance(failed, CommandFailed)
    assert read_leniently({"type": "supervisor_ready"}, AnyEvent) == SupervisorReady()
