"""I13: replaying the events of a log gives its stored states, bit for bit."""

import msgspec
import pytest

from warmxfer.actors.coordinator.state_machine import (
    Applied,
    Record,
    Stage,
    decode_record,
    encode_record,
    step,
)
from warmxfer.actors.coordinator.state_machine.record import MACHINE_VERSION, from_stored, to_stored
from warmxfer.schemas import AudioStreamEnabled, ParticipantLeft

from .transfer_builder import CALLER, PRIMARY, TransferBuilder


def log_of(transfer: TransferBuilder) -> list[bytes]:
    """Return the transfer's log as the coordinator writes it."""
    records = iter(transfer.records)
    log: list[bytes] = []
    state = None
    for number, (event, at) in enumerate(transfer.events, 1):
        if isinstance(step(state, event, at), Applied):
            record = next(records)
            state = record.state
            log.append(
                encode_record(Record(trigger=number, at=at, event=event, state=state, outbox=record.outbox))
            )
    return log


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not Stage.NEW])
@pytest.mark.parametrize("pacing", ["overlap", "sequential"])
def test_a_decoded_log_replays_to_its_stored_states(stage: Stage, pacing: str) -> None:
    transfer = TransferBuilder(pacing=pacing).until(stage)
    transfer.apply(transfer.room_event(AudioStreamEnabled, "wxs-t1-1"))
    transfer.apply(ParticipantLeft(room_id=PRIMARY, participant_id=CALLER))
    log = log_of(transfer)
    assert len(log) == len(transfer.records)
    state = None
    for line in log:
        record = decode_record(line)
        applied = step(state, record.event, record.at)
        assert isinstance(applied, Applied)
        assert applied.state == record.state
        again = msgspec.structs.replace(record, state=applied.state, outbox=applied.outbox)
        assert encode_record(again) == line
        state = record.state
    assert state == transfer.state


def test_a_record_with_unknown_fields_of_a_newer_release_is_read() -> None:
    line = log_of(TransferBuilder().until(Stage.BRIEFING))[-1]
    newer = msgspec.json.decode(line)
    newer["state"]["mood"] = newer["note"] = newer["event"]["colour"] = "new"
    assert decode_record(msgspec.json.encode(newer)) == decode_record(line)


def test_a_record_carries_the_version_of_the_state_machine() -> None:
    line = log_of(TransferBuilder().until(Stage.BRIEFING))[-1]
    assert msgspec.json.decode(line)["machine_version"] == MACHINE_VERSION


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not Stage.NEW])
def test_the_stored_form_of_a_state_is_the_same_state(stage: Stage) -> None:
    state = TransferBuilder().until(stage).state
    assert state is not None
    assert from_stored(to_stored(state)) == state
