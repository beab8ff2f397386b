"""The map and the small print of `docs/protocol.md`: subjects, words, names, headers and limits."""

from __future__ import annotations

from warmxfer.actors.coordinator.outbox import outgoing
from warmxfer.actors.coordinator.state_machine import Record, Stage, Transfer
from warmxfer.bus import BusSettings, subjects, timers
from warmxfer.bus.dead_letters import MAX_CAUSE_CHARS
from warmxfer.bus.request_reply import ERROR
from warmxfer.bus.stream import DUPLICATE_WINDOW_S
from warmxfer.bus.stream import MAX_MESSAGE_BYTES as MAX_STORED_BYTES
from warmxfer.schemas import (
    MAX_MESSAGE_BYTES,
    MAX_TURN_CHARS,
    MAX_TURNS,
    SUMMARY_MAX_CHARS,
    CallCause,
    FailureKind,
)

from . import transfer_example
from .contract import facts
from .examples import examples, page
from .pages import code, codes


def test_subjects_are_the_table_of_the_bus() -> None:
    rows = page().find("Subjects").table("subject", "who writes", "who reads", "what", "stored").rows
    real = [
        (road.pattern, road.writer, road.readers, road.carries, "yes" if road.captured else "no")
        for road in subjects.SUBJECTS
    ]
    assert [(code(row["subject"]), *list(row.values())[1:]) for row in rows] == real


def test_faults_and_causes_are_all_there() -> None:
    rows = page().find("command_failed").table("fault", "meaning").rows
    assert [code(row["fault"]) for row in rows] == [fault.value for fault in FailureKind]
    rows = page().find("supervisor_call_ended").table("field", "type", "meaning").rows
    assert codes([row["meaning"] for row in rows if row["field"] == "`cause`"]) == {
        c.value for c in CallCause
    }


def test_the_state_is_described_field_by_field() -> None:
    rows = page().find("The log").table("field", "meaning").rows
    assert [code(row["field"]) for row in rows] == [fact.name for fact in facts(Transfer)]


def test_the_timer_has_these_headers() -> None:
    shown = next(each.message for each in examples() if each.road == "timer")
    real = timers.schedule(transfer_example.ID, "deadline", shown.due_at, b"")
    rows = page().find("Deadlines").table("header", "value").rows
    assert {code(row["header"]): code(row["value"]) for row in rows} == dict(real.headers)


def test_a_failed_question_has_this_header() -> None:
    assert ERROR in codes(page().find("Questions").prose)


LIMITS = {
    "an id, a session name": 64,
    "a subject": subjects.MAX_SUBJECT_CHARS,
    "any message we read": MAX_MESSAGE_BYTES,
    "any message the broker stores": MAX_STORED_BYTES,
    "a summary": SUMMARY_MAX_CHARS,
    "a line people hear": 500,
    "a reason or a detail": 500,
    "turns in a history": MAX_TURNS,
    "one turn": MAX_TURN_CHARS,
    "the cause in a dead letter": MAX_CAUSE_CHARS,
    "tries of a message that fails": BusSettings().max_deliver,
    "a stored message is kept": round(BusSettings().max_age_s / 86_400),
}


def test_limits_are_the_codes() -> None:
    rows = page().find("Names and limits").table("what", "limit").rows
    assert [row["what"] for row in rows] == list(LIMITS)
    for row in rows:
        assert str(LIMITS[row["what"]]) in row["limit"].replace(",", "").split(), row


def test_names_are_the_machines() -> None:
    transfer = Transfer(id=transfer_example.ID, stage=Stage.NEW, started_at=transfer_example.NOW)
    ours = {
        transfer.supervisor_participant_id,
        transfer.caller_consult_id,
        transfer.caller_return_id,
        transfer.agent_participant_id,
    }
    rows = page().find("Names and limits").table("name", "of").rows
    assert ours <= {code(row["name"]) for row in rows}


def test_msg_ids_are_made_as_written() -> None:
    section = page().find("Names and limits")
    shown = {
        row["message"]: code(row["`Nats-Msg-Id`"]) for row in section.table("message", "`Nats-Msg-Id`").rows
    }
    record = next(each.message for each in examples() if isinstance(each.message, Record))
    names = [
        shown["anything from an outbox"]
        .replace("<id>", record.state.id)
        .replace("<the record's seq>", str(record.state.seq))
        .replace("<its place in the outbox>", str(place))
        for place in range(len(record.outbox))
    ]
    assert [message.msg_id for message in outgoing(record)] == names
    assert f"{DUPLICATE_WINDOW_S // 60} minutes" in " ".join(section.prose)
