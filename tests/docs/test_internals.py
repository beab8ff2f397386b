"""The tables of `docs/internals.md`: subjects, words, fields of the state, headers, ids and limits."""

from __future__ import annotations

from warmxfer.actors.coordinator.outbox import outgoing
from warmxfer.actors.coordinator.state_machine import decode_record
from warmxfer.actors.coordinator.state_machine.record import StoredRecord, StoredTransfer
from warmxfer.bus import BusSettings, subjects, timers
from warmxfer.bus.archive import MAX_ARCHIVED_BYTES
from warmxfer.bus.dead_letters import MAX_CAUSE_CHARS
from warmxfer.bus.request_reply import ERROR
from warmxfer.bus.stream import DUPLICATE_WINDOW_S
from warmxfer.bus.stream import MAX_MESSAGE_BYTES as MAX_STORED_BYTES
from warmxfer.schemas import (
    MAX_MESSAGE_BYTES,
    MAX_TURN_CHARS,
    MAX_TURNS,
    CallCause,
    FailureKind,
)

from . import example_transfer
from .examples import INTERNALS, examples, page
from .message_fields import fields_of
from .pages import assert_limits, code, codes

PAGE = page(INTERNALS)


def test_the_table_of_subjects_is_that_of_the_bus() -> None:
    rows = PAGE.find("Subjects").table("subject", "writer", "readers", "what", "stored in").rows
    expected = [
        (
            row.pattern,
            ", ".join(row.writers),
            ", ".join(row.readers),
            row.carries,
            f"`{row.stream}`" if row.captured else "no",
        )
        for row in subjects.SUBJECTS
    ]
    assert [(code(row["subject"]), *list(row.values())[1:]) for row in rows] == expected


def test_every_fault_and_cause_is_named() -> None:
    rows = PAGE.find("command_failed").table("fault", "meaning").rows
    assert [code(row["fault"]) for row in rows] == [kind.value for kind in FailureKind]
    rows = PAGE.find("supervisor_call_ended").table("field", "type", "meaning").rows
    named = codes([row["meaning"] for row in rows if row["field"] == "`cause`"])
    assert named == {cause.value for cause in CallCause}


def test_every_field_of_the_state_has_a_row() -> None:
    rows = PAGE.find("The log").table("field", "meaning").rows
    assert [code(row["field"]) for row in rows] == [field.name for field in fields_of(StoredTransfer)]


def test_the_headers_of_a_timer_are_those_of_the_bus() -> None:
    shown = next(each.message for each in examples() if each.subject_name == "timer")
    message = timers.schedule(example_transfer.ID, "deadline", shown.due_at, b"")
    rows = PAGE.find("Timers").table("header", "value").rows
    assert {code(row["header"]): code(row["value"]) for row in rows} == dict(message.headers)


def test_the_error_header_of_a_query_is_that_of_the_bus() -> None:
    assert ERROR in codes(PAGE.find("Queries").prose)


LIMITS = {
    "a subject": subjects.MAX_SUBJECT_CHARS,
    "any message that warmxfer decodes": MAX_MESSAGE_BYTES,
    "any message that the broker stores": MAX_STORED_BYTES,
    "an archived record": MAX_ARCHIVED_BYTES,
    "turns in a history": MAX_TURNS,
    "one turn": MAX_TURN_CHARS,
    "the cause in a dead letter": MAX_CAUSE_CHARS,
    "attempts to handle a message": BusSettings().max_deliver,
}


def test_limits_are_those_of_the_code() -> None:
    assert_limits(PAGE.find("Limits"), LIMITS)


def test_message_ids_are_those_of_the_outbox() -> None:
    section = PAGE.find("Message ids")
    shown = {
        row["message"]: code(row["`Nats-Msg-Id`"]) for row in section.table("message", "`Nats-Msg-Id`").rows
    }
    example = next(each for each in examples() if isinstance(each.message, StoredRecord))
    record = decode_record(example.block.text.encode())
    expected = [
        shown["an output of a record"]
        .replace("<id>", record.state.id)
        .replace("<seq of the record>", str(record.state.seq))
        .replace("<index in the outbox>", str(index))
        for index in range(len(record.outbox))
    ]
    assert [message.msg_id for message in outgoing(record)] == expected
    assert f"{DUPLICATE_WINDOW_S // 60} minutes" in " ".join(section.prose)
