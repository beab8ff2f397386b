"""Every text, list and object that is decoded has a length; a longer one is refused where it comes in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta, Struct, inspect

from tests.golden.record import log_paths
from warmxfer.actors.coordinator.state_machine import decode_record
from warmxfer.actors.coordinator.state_machine.record import StoredRecord, _decode
from warmxfer.cli.asyncapi.messages import kinds_by_name
from warmxfer.schemas import (
    CancelRequest,
    DecodeError,
    InvalidRequest,
    TranscriptTurn,
    WarmTransferRequest,
    decode_as,
    decode_command,
    decode_event,
    decode_result,
    read_cancel,
    read_leniently,
    read_request,
)
from warmxfer.schemas.fields import ID_MAX_CHARS, PROVIDER_ID_MAX_CHARS, Id, provider_id
from warmxfer.schemas.queries import MAX_LIVENESS_QUERY, History, LivenessQuery

from .decoded_types import ROOT, can_be_imported, decoded, files, has_types, places, schema_structs
from .unbounded import unbounded

WITHOUT_LENGTH = {
    "PhaseChanged.data: AnyType": "each value has the length of the field that it comes from",
    "TransferNotice.data: AnyType": "each value has the length of the field that it comes from",
    "SupervisorDialed.response: AnyType": "the provider's answer, cut to 16 KB where it comes in",
    "CallerSwitched.response: AnyType": "the provider's answer, cut to 16 KB where it comes in",
    "_LooseRecord.event: AnyType": "a message of a newer version, in a record of 128 KB",
    "_LooseFurtherEvent.event: AnyType": "a message of a newer version, in a record of 128 KB",
    "_LooseRecord.outbox: AnyType": "messages of a newer version, in a record of 128 KB",
    "LogRecord.outbox: RawType": "compared with a command, in a record of 128 KB",
    "LogConfig.destination: AnyType": "compared with a command, in a record of 128 KB",
    "LogConfig.rescue: AnyType": "compared with a command, in a record of 128 KB",
    "LogConfig.lines: AnyType": "compared with a command, in a record of 128 KB",
    "_State.request: RawType": "a part of a record of 128 KB, and kept as it is",
}
"""The fields without a length, and what bounds them."""
OWN_CHECK = {
    "actors/common/dial_directory.py dict[str, msgspec.Raw]": "the operator's file: 8 MB, 10,000 entries",
    "adapters/rooms/sandbox/frames.py Frame": "a frame of 64 KB; each text of it is cut in roster.py",
    "adapters/rooms/videosdk/chat_model.py dict[str, Any]": "the arguments of a tool call; the size is cut",
}
"""Places that decode into a plain object, and the limit that they check themselves."""
GENERIC = {
    "schemas/codec.py kind",
    "schemas/codec.py decoder.type",
    "schemas/lenient.py kind",
    "schemas/validation.py kind",
    "actors/coordinator/state_machine/plain_record.py field.type",
    "actors/coordinator/state_machine/record.py kind",
    "actors/primary/query_handlers.py kind",
    "actors/gateway/dial_counters.py kind",
}
"""Places whose type is an argument: the calls of these functions are places themselves."""


def test_every_decoded_text_list_and_object_has_a_length() -> None:
    found, _ = decoded()
    kinds = {**found, **kinds_by_name(), **schema_structs()}
    missing = {each for place, kind in kinds.items() if place not in OWN_CHECK for each in unbounded(kind)}
    assert missing - WITHOUT_LENGTH.keys() == set(), "give each field a type of schemas/fields.py"
    assert WITHOUT_LENGTH.keys() - missing == set()


def test_the_search_sees_every_place_that_decodes() -> None:
    found, variable = decoded()
    assert {each.name for each in variable} - GENERIC == set(), "a type that this test cannot read"
    own = {place for place in OWN_CHECK if can_be_imported(ROOT / place.split()[0])}
    assert own <= found.keys()
    assert {
        "schemas/codec.py AnyCommand",
        "schemas/codec.py AnyEvent",
        "schemas/validation.py WarmTransferRequest",
        "actors/common/log_record.py LogRecord",
        "actors/coordinator/state_machine/record.py StoredRecord",
        "bus/archive.py ArchivedLog",
        "bus/stored_dead_letters.py DeadLetterBody",
    } <= found.keys()


def test_the_folders_without_types_decode_into_none() -> None:
    assert [place for path in files() if not has_types(path) for place in places(path)] == []


class Inner(Struct):
    texts: Annotated[list[str], Meta(max_length=3)]
    blob: bytes
    anything: Any


class Outer(Struct):
    id: Id
    name: str
    inner: Inner | None
    numbers: dict[str, int]
    open_end: Annotated[str, Meta(pattern=r"^[a-z]+\Z")]
    anchored: Annotated[str, Meta(pattern=r"^[a-z]{1,9}\Z")]
    loose: Annotated[str, Meta(pattern=r"[a-z]{1,9}")]


def test_a_field_without_a_length_is_named() -> None:
    assert unbounded(Outer) == [
        "Inner.anything: AnyType",
        "Inner.blob: bytes",
        "Inner.texts: str",
        "Outer.loose: str",
        "Outer.name: str",
        "Outer.numbers: dict",
        "Outer.numbers: str",
        "Outer.open_end: str",
    ]


# ── what users write ─────────────────────────────────────────────────────────────────────────────

REQUEST: dict[str, Any] = {
    "room_id": "room-1",
    "config": {
        "destination": {
            "routing_rule_id": "rr",
            "sip_call_to": "+14155550101",
            "sip_call_from": "+14155550100",
            "extra_options": {},
        },
        "lines": {},
        "rescue": {"by": "agent", "agent_id": "a"},
    },
}
TOO_LONG = 9_000
"""Characters: more than any field of a request takes."""


def texts(info: inspect.Type, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the path of each text field of a request, and a value that is too long for it."""
    match info:
        case inspect.Metadata():
            yield from texts(info.type, path)
        case inspect.UnionType():
            for each in info.types:
                yield from texts(each, path)
        case inspect.StructType() if info.tag != "dial":
            for field in info.fields:
                yield from texts(field.type, (*path, field.encode_name))
        case inspect.StrType():
            yield path, "a" * TOO_LONG
        case inspect.ListType():
            yield path, ["a"] * TOO_LONG
        case inspect.DictType() if not isinstance(info.key_type, inspect.EnumType):
            yield path, {f"X-{number}": "a" for number in range(TOO_LONG // 10)}
        case inspect.DictType():
            yield path, {"declined": "a" * TOO_LONG}
        case _:
            pass


FIELDS = list(texts(inspect.type_info(WarmTransferRequest)))


def test_the_fields_of_a_request_are_found() -> None:
    paths = {".".join(path) for path, _ in FIELDS}
    assert {"room_id", "config.summary_prompt", "config.destination.sip_call_to"} <= paths
    assert {
        "config.destination.extra_options.headers",
        "config.lines.apologies",
        "config.lines.hold",
    } <= paths
    assert {"config.rescue.agent_id", "config.rescue.metadata", "caller_call_id"} <= paths


@pytest.mark.parametrize(("path", "value"), FIELDS, ids=[".".join(path) for path, _ in FIELDS])
def test_a_field_that_is_too_long_gets_one_sentence_with_field_limit_and_remedy(
    path: tuple[str, ...], value: Any
) -> None:
    request = json.loads(json.dumps(REQUEST))
    place = request
    for name in path[:-1]:
        place = place.setdefault(name, {})
    place[path[-1]] = value
    with pytest.raises(InvalidRequest) as refused:
        read_request(json.dumps(request).encode())
    sentence = str(refused.value)
    assert sentence.startswith(f"{'.'.join(path)} is ")
    assert len(sentence) <= 400
    remedy = sentence.rpartition("; ")[2]
    assert re.match(r"(use|give|write) ", remedy), sentence
    has_number = re.search(r"[0-9]", remedy) is not None
    assert has_number or remedy.startswith("use one of"), sentence


def test_a_cancel_that_is_too_long_gets_one_sentence() -> None:
    assert inspect.type_info(CancelRequest)
    with pytest.raises(InvalidRequest, match=r"^reason is 'a+…'; use at most 500 characters\.$"):
        read_cancel(json.dumps({"reason": "a" * 501}).encode())


# ── what warmxfer writes ─────────────────────────────────────────────────────────────────────────


def dumped(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def test_an_event_and_a_command_with_a_long_id_are_refused() -> None:
    def room_created(id: str) -> bytes:
        return dumped(type="room_created", command_id="t-1", room_id=id)

    assert decode_event(room_created("r" * ID_MAX_CHARS))
    with pytest.raises(DecodeError, match="room_id"):
        decode_event(room_created("r" * (ID_MAX_CHARS + 1)))
    with pytest.raises(DecodeError, match="key"):
        decode_command(dumped(type="create_room", command_id="t-1", deadline_at=1.0, key="k" * 257))


def test_a_result_with_too_many_facts_is_refused_also_by_the_lenient_reader() -> None:
    def result(facts: int) -> bytes:
        evidence = {f"fact-{number}": 1 for number in range(facts)}
        return dumped(
            type="warm_transfer_result",
            success=False,
            phase="transfer_failed",
            outcome="a_newer_word",
            consultation_room_id=None,
            supervisor_call_id=None,
            switched_call_id=None,
            summary="",
            evidence=evidence,
        )

    assert decode_result(result(100)).outcome == "a_newer_word"
    with pytest.raises(DecodeError):
        decode_result(result(101))


def test_a_list_that_is_too_long_is_refused() -> None:
    query = {"transfer_id": "t", "more": ["t"] * (MAX_LIVENESS_QUERY + 1)}
    with pytest.raises(DecodeError, match="more"):
        decode_as(LivenessQuery, dumped(**query))
    with pytest.raises(msgspec.ValidationError):
        read_leniently({"turns": [{"role": "caller", "text": ""}] * 201}, History)
    newer = {"turns": [{"role": "caller", "text": "Hello.", "mood": "calm"}], "more": 1}
    assert read_leniently(newer, History) == History([TranscriptTurn("caller", "Hello.")])


def test_every_golden_log_fits_the_lengths() -> None:
    lines = [line for path in log_paths() for line in path.read_bytes().splitlines()]
    assert len(lines) > 500
    assert {type(_decode(line)) for line in lines} == {StoredRecord}


def test_a_record_is_read_whatever_its_lengths() -> None:
    """The record is the only copy of the state: a coordinator continues or ends the transfer of it."""
    raw = json.loads(next(iter(log_paths())).read_bytes().splitlines()[-1])
    raw["state"]["room_id"] = "r" * 1_000
    raw["state"]["done"] = ["hold"] * 1_000
    assert decode_record(json.dumps(raw).encode()).state.room_id == "r" * 1_000


@pytest.mark.parametrize("given", [None, 1, ["a"], "a" * (PROVIDER_ID_MAX_CHARS + 1), "\ud800"])
def test_no_id_is_taken_that_is_no_text_of_json_or_too_long(given: object) -> None:
    assert provider_id(given) is None
    assert provider_id("a" * PROVIDER_ID_MAX_CHARS) == "a" * PROVIDER_ID_MAX_CHARS
