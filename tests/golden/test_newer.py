"""Rollback and mixed fleets: this version reads logs of a pretended newer version (`newer.py`).

It continues what it can without losing the newer version's fields. What it cannot continue it leaves alone,
and it can end it at any record.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from warmxfer.actors.coordinator.outbox import outgoing, unknown_outputs
from warmxfer.actors.coordinator.state_machine import (
    Applied,
    Record,
    Stage,
    UnreadableRecord,
    decode_record,
    encode_record,
    give_up,
    obstacle,
    salvage,
    step,
    unknown_fields,
)
from warmxfer.actors.coordinator.state_machine.cleanup import NOT_AWAITED
from warmxfer.actors.coordinator.state_machine.record import StoredTransfer
from warmxfer.bus.stream import MAX_MESSAGE_BYTES
from warmxfer.schemas import (
    EndCall,
    Outcome,
    PhaseChanged,
    ReleaseCaller,
    ReturnCaller,
    TransferBroken,
    WarmTransferResult,
)

from .newer import CONTINUED, LEFT, NEW_FIELD, NEW_VALUE, PATCHED, newer_path, patched_log
from .record import log_path

NOW = 1_795_400_000.0


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


def lacks_nothing(value: Any, before: Any) -> bool:
    """Return whether `value` has every field of `before`, at every depth, with the same value."""
    if not isinstance(before, dict):
        return bool(value == before)
    return all(name in value and lacks_nothing(value[name], each) for name, each in before.items())


def next_record(record: Record, original: Record, unknown: Any) -> bytes:
    """Return what this version writes for `original`, after `record` of a newer version."""
    applied = step(record.state, original.event, original.at)
    assert isinstance(applied, Applied)
    return encode_record(
        Record(
            trigger=1, at=original.at, event=original.event, state=applied.state, outbox=[*applied.outbox]
        ),
        unknown,
    )


@pytest.mark.parametrize("name", PATCHED)
def test_the_stored_logs_are_the_patched_golden_logs(name: str) -> None:
    assert newer_path(name).read_bytes() == patched_log(*PATCHED[name]), "run python -m tests.golden.newer"


@pytest.mark.parametrize("name", CONTINUED)
def test_every_record_that_can_be_continued_leads_to_the_same_next_state(name: str) -> None:
    """Between any two records of the newer version, this version may take over."""
    golden = [decode_record(line) for line in lines_of(log_path(CONTINUED[name][0]))]
    newer = [decode_record(line) for line in lines_of(newer_path(name))]
    assert [obstacle(each) for each in newer] == [None] * len(golden)
    for record, original, after in zip(newer, golden, golden[1:], strict=False):
        assert record.state.stage is original.state.stage
        applied = step(record.state, after.event, after.at)
        assert isinstance(applied, Applied)
        # An outcome that this version does not know is no decision of a person.
        unknown = name == "outcome" and after.state.stage.ended
        assert applied.state.stage is (Stage.FAILED if unknown else after.state.stage)
        if name.startswith("fields"):
            assert record.state == original.state
            assert applied.state == after.state
            assert [type(each) for each in applied.outbox] == [type(each) for each in after.outbox]


@pytest.mark.parametrize("name", [name for name in CONTINUED if name.startswith("fields")])
def test_the_next_record_keeps_the_fields_of_the_newer_version(name: str) -> None:
    lines, golden = lines_of(newer_path(name)), lines_of(log_path(CONTINUED[name][0]))
    for line, after in zip(lines, golden[1:], strict=False):
        record, original = decode_record(line), decode_record(after)
        written = json.loads(next_record(record, original, unknown_fields(line, record)))
        state, before = written["state"], json.loads(line)["state"]
        assert decode_record(json.dumps(written).encode()).state == original.state
        assert lacks_nothing(state["request"], before["request"])
        assert state["request"]["config"]["destination"]["extra_options"][NEW_FIELD] == NEW_VALUE
        assert state[NEW_FIELD] == NEW_VALUE
        for command_id, pending in state["pending"].items():
            assert pending == before["pending"].get(command_id, pending)
        if state["verdict"] and before["verdict"]:
            assert state["verdict"][NEW_FIELD] == NEW_VALUE


def test_a_record_of_this_version_has_no_unknown_fields() -> None:
    for line in lines_of(log_path("ready")):
        assert unknown_fields(line, decode_record(line)) == {}


def test_words_of_a_newer_version_are_kept() -> None:
    line = lines_of(newer_path("outcome"))[-1]
    record = decode_record(line)
    state = json.loads(encode_record(record, unknown_fields(line, record)))["state"]
    assert state["verdict"]["outcome"] == "supervisor_asleep"
    assert state["begun"][-1] == "play_music"
    assert (state["request"]["config"]["pacing"], state["request"]["config"]["brief_by"]) == (
        "relaxed",
        "phone",
    )
    (result,) = (each for each in record.outbox if isinstance(each, WarmTransferResult))
    assert result.outcome.value == "supervisor_asleep"


def test_an_unknown_output_is_named_and_not_published() -> None:
    record = decode_record(lines_of(newer_path("command"))[0])
    (unknown,) = unknown_outputs(record)
    assert unknown.endswith(f":1:{len(record.outbox) - 1}")
    assert unknown not in {each.msg_id for each in outgoing(record)}
    assert len(outgoing(record)) == len(record.outbox) - 1


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("stage", "its stage conferencing is unknown"),
        ("awaited_command", "the command play_music, which it waits for, is unknown"),
        ("requirement", "it needs version 1000 of the state machine"),
    ],
)
def test_a_record_that_cannot_be_continued_says_why(name: str, why: str) -> None:
    found = {reason for line in lines_of(newer_path(name)) if (reason := obstacle(decode_record(line)))}
    assert {reason.partition(", this")[0] for reason in found} == {why}
    assert name in LEFT


@pytest.mark.parametrize("name", PATCHED)
def test_a_transfer_can_be_given_up_at_any_record(name: str) -> None:
    """The caller is released first, a leg that may be up is ended, and the last record is readable."""
    lines = lines_of(newer_path(name))
    for number, line in enumerate(lines, 1):
        written: dict[str, Any] = json.loads(line)["state"]
        if written["stage"] in ("completed", "cancelled", "failed"):
            continue
        applied = give_up(salvage(written["id"], lines[:number], b"", NOW), "It is too new.", NOW)
        check_given_up(applied, written, number)
        moved = written["caller_moved"] and not written["caller_gone"]
        releases = [each for each in applied.outbox if isinstance(each, ReleaseCaller)]
        assert len(releases) == ("hold" in written["begun"])
        check_caller_evidence(applied, releases)
        assert [each.stay_s > 0 for each in releases] == [moved] * len(releases)
        if moved:
            assert any(isinstance(each, ReturnCaller) for each in applied.outbox)
        elif "dial" in written["begun"]:
            (end,) = (each for each in applied.outbox if isinstance(each, EndCall))
            assert (end.attempt, end.room_id, end.call_id) == (
                written["attempt"],
                written["room_id"],
                written["supervisor_call_id"],
            )


@pytest.mark.parametrize("cut", [0, 1, 100, -1])
def test_a_transfer_whose_newest_record_is_cut_off_can_be_given_up(cut: int) -> None:
    """The record before it names leg and room. Fencing tokens rise above those that were lost."""
    lines = lines_of(log_path("ready"))
    for number, line in enumerate(lines[:-1], 1):
        torn = lines[number][:cut]
        with pytest.raises(UnreadableRecord):
            decode_record(torn)
        before: dict[str, Any] = json.loads(line)["state"]
        applied = give_up(salvage(before["id"], [*lines[:number], torn], b"", NOW), "It is cut off.", NOW)
        check_given_up(applied, before, number + 1)
        release = next(each for each in applied.outbox if isinstance(each, ReleaseCaller))
        assert release.fence > json.loads(lines[number])["state"]["commands"]


GARBAGE = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"\xff\xfe",
    b"7",
    b'{"state": 5}',
    b'{"state": {"request": []}}',
    b"[" * 9_999,
]


@pytest.mark.parametrize("garbage", GARBAGE)
@pytest.mark.parametrize("request_body", [b"", b"{", b'{"room_id": "a b"}', b'{"room_id": "room-1"}'])
def test_a_transfer_of_which_nothing_can_be_read_still_ends(garbage: bytes, request_body: bytes) -> None:
    applied = give_up(salvage("t-1", [garbage], request_body, NOW), "It is garbage.", NOW)
    record = check_given_up(applied, {"id": "t-1", "phases": 0}, 1)
    session = "room-1" if b"room-1" in request_body else "unknown"
    released = [each.subject for each in outgoing(record) if each.subject.endswith(".primary")]
    if released:
        assert released == [f"wx.session.{session}.primary"]


@pytest.mark.parametrize("value", [None, -1, "word", [], {}, [None], {"a": 1}, 10**30, 1e300, "x" * 60_000])
@pytest.mark.parametrize("field", [each.encode_name for each in msgspec.structs.fields(StoredTransfer)])
def test_any_field_may_be_anything(field: str, value: Any) -> None:
    """The last record can be written and read, and is no larger than the broker stores."""
    line = lines_of(newer_path("stage"))[-3]
    written = json.loads(line)
    written["state"][field] = value
    applied = give_up(salvage("t-1", [json.dumps(written).encode()], b"", NOW), "It is strange.", NOW)
    assert applied.state.stage is Stage.FAILED
    event = TransferBroken(transfer_id="t-1", kind="timeout", cause="It is strange.")
    record = Record(trigger=9, at=NOW, event=event, state=applied.state, outbox=[*applied.outbox])
    data = encode_record(record)
    assert obstacle(decode_record(data)) is None
    assert len(data) < MAX_MESSAGE_BYTES
    assert all(len(each.data) < MAX_MESSAGE_BYTES for each in outgoing(record))
    fences = [each.fence for each in applied.outbox if isinstance(each, ReleaseCaller)]
    assert all(0 < fence <= 1e12 for fence in fences)


def check_caller_evidence(applied: Applied, releases: list[ReleaseCaller]) -> None:
    """Check that the evidence says that no reply to the release was awaited, if the caller was to hear it."""
    (result,) = (each for each in applied.outbox if isinstance(each, WarmTransferResult))
    expected = NOT_AWAITED if any(each.line for each in releases) else None
    assert result.evidence.get("caller") == expected


def check_given_up(applied: Applied, before: dict[str, Any], number: int) -> Record:
    """Check what holds of every transfer that is given up, and return its last record, as it is read."""
    state = applied.state
    assert (state.id, state.stage, state.pending) == (before["id"], Stage.FAILED, {})
    assert state.decision is not None
    assert state.decision.outcome is Outcome.BROKEN
    assert state.seq == number + 1
    (phase,) = (each for each in applied.outbox if isinstance(each, PhaseChanged))
    assert (phase.phase.value, phase.seq) == ("transfer_failed", before["phases"] + 1)
    (result,) = (each for each in applied.outbox if isinstance(each, WarmTransferResult))
    assert (result.outcome, result.success) == (Outcome.BROKEN, False)
    released = [place for place, each in enumerate(applied.outbox) if isinstance(each, ReleaseCaller)]
    assert released in ([0], [])
    event = TransferBroken(transfer_id=state.id, kind="timeout", cause="It is too new.")
    record = Record(trigger=9, at=NOW, event=event, state=state, outbox=[*applied.outbox])
    read = decode_record(encode_record(record))
    assert read == record
    assert obstacle(read) is None
    return read
