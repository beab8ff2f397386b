"""The examples of the protocol pages are decoded by the code that decodes real messages."""

from __future__ import annotations

import json
from typing import Any, get_args

import msgspec
import pytest

from warmxfer.actors.coordinator.inbound_events import decode_trigger
from warmxfer.actors.coordinator.state_machine import SetTimer
from warmxfer.bus import DeadLetter, Delivery, subjects
from warmxfer.bus.dead_letters import dead_letter, describe_error, summary
from warmxfer.bus.partition import partition_of
from warmxfer.schemas import (
    AnyCommand,
    AnyEvent,
    CancelRequest,
    PhaseChanged,
    TransferNotice,
    WarmTransferRequest,
    WarmTransferResult,
    api,
    encode,
)
from warmxfer.schemas.report import TransferReport
from warmxfer.schemas.timeline import TransferOutline, TransferTimeline

from .examples import DECODERS, INTERNALS, PROTOCOL, REPLIES, DeadLetterBody, Example, by_kind, examples
from .message_fields import all_field_names, fields_of, tag_of
from .pages import Section, code, codes

NAMED = [pytest.param(each, id=each.name) for each in examples()]
FOR_USERS = (
    WarmTransferRequest,
    CancelRequest,
    PhaseChanged,
    WarmTransferResult,
    TransferNotice,
    api.ValidateReply,
    api.StartQuery,
    api.StartReply,
    api.TransferQuery,
    api.TransferStatus,
    api.ListQuery,
    api.ListReply,
    api.CancelQuery,
    api.CancelReply,
    TransferReport,
    TransferOutline,
    TransferTimeline,
)
"""Messages of users: each has a chapter of `docs/protocol.md`, under a title in plain words."""

KINDS = sorted(by_kind(), key=lambda kind: kind.__name__)

TAGGED = [*get_args(AnyCommand), *get_args(AnyEvent), PhaseChanged, WarmTransferResult, TransferNotice]


@pytest.mark.parametrize("example", NAMED)
def test_every_example_decodes_as_a_message_of_its_subject(example: Example) -> None:
    message = example.message
    shown = json.loads(example.block.text)
    unknown = _differences(shown, json.loads(encode(message)))
    assert not unknown, f"{example.name}: {type(message).__name__} has no {', '.join(unknown)}; remove it"


@pytest.mark.parametrize("example", NAMED)
def test_examples_use_only_fictitious_phone_numbers(example: Example) -> None:
    for number in _strings(json.loads(example.block.text)):
        assert not number.startswith("+") or (number.startswith("+1") and number[-7:-2] == "55501"), (
            f"{example.name}: {number} may be a real number; use +1 ... 555-01xx"
        )


@pytest.mark.parametrize("kind", TAGGED, ids=tag_of)
def test_every_message_has_an_example(kind: type[msgspec.Struct]) -> None:
    titles = [example.section.title for example in by_kind().get(kind, [])]
    assert titles if kind in FOR_USERS else tag_of(kind) in titles, (
        f"docs/internals.md has no example of {tag_of(kind)}: add a heading {tag_of(kind)} with its fields "
        "and a json block, under the heading that names its subject"
    )


@pytest.mark.parametrize("example", NAMED)
def test_messages_of_users_are_in_protocol_and_all_others_in_internals(example: Example) -> None:
    name = PROTOCOL if isinstance(example.message, FOR_USERS) else INTERNALS
    assert example.block.where.startswith(f"docs/{name}:")


@pytest.mark.parametrize("name", [row.name for row in subjects.SUBJECTS])
def test_every_subject_has_an_example(name: str) -> None:
    shown = {(example.subject_name, example.reply) for example in examples()}
    assert name in DECODERS, f"tests/docs/examples.py has no decoder for {name}; add one to DECODERS"
    assert (name, False) in shown, f"no page has an example of {name}; add one"
    if name in REPLIES:
        assert (name, True) in shown, f"docs/internals.md has no reply on {name}; add one"


def test_the_example_of_a_log_record_sets_a_timer() -> None:
    records = [each.message for each in examples() if each.subject_name == "log" and not each.field]
    assert any(isinstance(out, SetTimer) for record in records for out in record.outbox)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_field_has_a_row_in_the_section_of_its_message(kind: type[msgspec.Struct]) -> None:
    missing, title = min(
        (_undescribed(kind, example.section), example.section.title) for example in by_kind()[kind]
    )
    assert not missing, (
        f'"{title}" does not describe {", ".join(missing)} of {kind.__name__}: '
        "add a row for each to its table of fields"
    )


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_tables_have_no_field_that_the_message_lacks_and_no_wrong_type(kind: type[msgspec.Struct]) -> None:
    for section in {id(each.section): each.section for each in by_kind()[kind]}.values():
        here = [other for other, shown in by_kind().items() if any(each.section is section for each in shown)]
        known = {"type"}.union(*(all_field_names(other) for other in here))
        types = [(field.name, field.type) for other in here for field in fields_of(other)]
        for row in _field_rows(section):
            name = code(row["field"])
            assert name in known, f'"{section.title}" describes {name}; no message of this section has it'
            expected = {type for field, type in types if field == name}
            assert not expected or row.get("type") in {None, *expected}, (
                f'"{section.title}", {name}: the type is {", ".join(expected)}'
            )


def test_the_example_of_a_dead_letter_is_what_the_bus_writes() -> None:
    delivery = Delivery(
        "refund-4417",
        "cancel",
        "",
        subjects.place_of(subjects.cancel("refund-4417")).subject,
        b'{"reason": 5}',
        4711,
        1_781_532_000.0,
        1,
        {},
        f"requests-{partition_of('refund-4417')}",
    )
    with pytest.raises(DeadLetter) as failure:
        decode_trigger(delivery)
    flood = Delivery(
        "x-9813",
        "event",
        "",
        subjects.event("x-9813", "gateway"),
        b"{",
        14_813,
        1_781_532_000.0,
        1,
        {},
        f"events-{partition_of('x-9813')}",
    )
    cause = "The message on event is not a warmxfer event: JSON is malformed"
    written = [
        dead_letter(delivery, describe_error(failure.value)),
        summary(flood, cause, 1_873),
    ]
    shown = [(each.subject, each.message) for each in examples() if each.subject_name == "dead"]
    bodies = [msgspec.json.decode(message.data, type=DeadLetterBody) for message in written]
    assert [message for _, message in shown] == bodies
    assert shown[1][0] == written[1].subject


def _undescribed(kind: type[msgspec.Struct], section: Section) -> list[str]:
    """Return the fields of `kind` without a row, and the fields of nested structs that are not named."""
    around = [*section.walk(), *section.with_parents[1:]]
    rows = {code(row["field"]) for part in around for row in _field_rows(part)}
    named = codes([line for part in around for line in part.prose])
    own = {field.name for field in fields_of(kind)}
    return sorted((own - rows) | (all_field_names(kind) - named))


def _field_rows(section: Section) -> list[dict[str, str]]:
    return [row for table in section.tables if table.header[0] == "field" for row in table.rows]


def _differences(shown: Any, decoded: Any, path: str = "") -> list[str]:
    """Return the paths in `shown` that `decoded` lacks or holds with another value."""
    if isinstance(shown, dict) and isinstance(decoded, dict):
        return [
            difference
            for key, value in shown.items()
            for difference in (
                _differences(value, decoded[key], f"{path}.{key}")
                if key in decoded
                else [f"{path}.{key}"[1:]]
            )
        ]
    if isinstance(shown, list) and isinstance(decoded, list) and len(shown) == len(decoded):
        return [
            difference
            for i, (a, b) in enumerate(zip(shown, decoded, strict=True))
            for difference in _differences(a, b, f"{path}[{i}]")
        ]
    return [] if shown == decoded else [f"{path[1:]}={shown!r}"]


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in _strings(each)]
    if isinstance(value, list):
        return [text for each in value for text in _strings(each)]
    return [value] if isinstance(value, str) else []
