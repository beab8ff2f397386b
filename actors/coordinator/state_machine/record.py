"""Record of one transition, as `warmxfer.<id>.log` stores it: event, new state, and messages to send.

Storing the record commits the transition. Its outbox is published afterwards, and again if a crash may have
prevented that. Every message of an outbox has its own Msg-Id, so the broker stores a repeat once.

The stored form of a state keeps the booleans of `MACHINE_VERSION` 1. So every version can replay every
log, and during an upgrade an older coordinator can continue a transfer of a newer one.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.json import Decoder, Encoder
from msgspec.structs import fields

from warmxfer.schemas import AnyCommand, AnyEvent, PhaseChanged, TransferNotice, WarmTransferResult

from .state import CallerPlace, RoomStatus, Stage, SupervisorLeg, Transfer, TransferFields

MACHINE_VERSION = 3
"""Version of the state machine that writes a record. Version 1 wrote no number, version 2 had no guard."""


class SetTimer(Struct, frozen=True, tag="arm_timer", tag_field="type"):
    """Set the transfer's one timer to `due_at`, in place of the time it was set to."""

    due_at: float


Output = PhaseChanged | WarmTransferResult | TransferNotice | AnyCommand | SetTimer


class Record(Struct, frozen=True, kw_only=True):
    """`trigger` is the stream sequence of the message that caused the transition."""

    trigger: int
    at: float
    event: AnyEvent
    state: Transfer
    outbox: list[Output]


class StoredTransfer(TransferFields, kw_only=True):
    """The state of a transfer as a record stores it."""

    caller_gone: bool = False
    caller_moved: bool = False
    caller_arrived: bool = False
    last_look: bool = False
    room_doubtful: bool = False
    room_closing: bool = False
    closing_doubtful: bool = False
    supervisor_heard: bool = False
    leg_doubtful: bool = False


class StoredRecord(Struct, frozen=True, kw_only=True):
    """A record as it is stored."""

    trigger: int
    at: float
    event: AnyEvent
    state: StoredTransfer
    outbox: list[Output]
    machine_version: int = 1


_encoder = Encoder()
_decoder = Decoder(StoredRecord)
_COMMON = [each.name for each in fields(TransferFields)]


def encode_record(record: Record) -> bytes:
    """Return the stored form of a record, as JSON."""
    return _encoder.encode(
        StoredRecord(
            trigger=record.trigger,
            at=record.at,
            event=record.event,
            state=to_stored(record.state),
            outbox=record.outbox,
            machine_version=MACHINE_VERSION,
        )
    )


def decode_record(data: bytes) -> Record:
    """Return the record that `data` holds, from this version or an older one.

    Raises `msgspec.MsgspecError` if `data` is not a record.
    """
    stored = _decoder.decode(data)
    return Record(
        trigger=stored.trigger,
        at=stored.at,
        event=stored.event,
        state=from_stored(stored.state),
        outbox=stored.outbox,
    )


def to_stored(state: Transfer) -> StoredTransfer:
    """Return the stored form of a state."""
    place, room = state.caller, state.room
    return StoredTransfer(
        **{name: getattr(state, name) for name in _COMMON},
        caller_gone=place is CallerPlace.HUNG_UP,
        caller_moved=place.may_be_in_consultation,
        caller_arrived=place in (CallerPlace.ARRIVED, CallerPlace.SEEN_EARLY),
        last_look=place is CallerPlace.OVERDUE,
        room_doubtful=state.room_id is None and room.exists,
        room_closing=room.close_requested,
        closing_doubtful=room.may_be_open,
        supervisor_heard=state.supervisor_leg.was_heard,
        leg_doubtful=state.supervisor_leg.may_be_up,
    )


def from_stored(stored: StoredTransfer) -> Transfer:
    """Return the state that a stored form stands for."""
    leg = SupervisorLeg.HEARD if stored.supervisor_heard else SupervisorLeg.UNHEARD
    return Transfer(
        **{name: getattr(stored, name) for name in _COMMON},
        caller=_caller_place(stored),
        room=_room_status(stored),
        supervisor_leg=leg.with_end(confirmed=False) if stored.leg_doubtful else leg,
    )


def _caller_place(stored: StoredTransfer) -> CallerPlace:
    """Return the caller's place. Booleans that no handler reads in this stage are ignored."""
    if stored.caller_gone:
        return CallerPlace.HUNG_UP
    if not stored.caller_moved:
        seen_early = stored.caller_arrived and stored.stage is Stage.SWITCHING
        return CallerPlace.SEEN_EARLY if seen_early else CallerPlace.WITH_AI
    complete = stored.stage in (Stage.GUARDING, Stage.COMPLETED)
    if stored.stage is Stage.HANDING_OVER or (complete and stored.caller_arrived):
        return CallerPlace.ARRIVED
    overdue = stored.last_look and stored.stage is Stage.ARRIVING
    return CallerPlace.OVERDUE if overdue else CallerPlace.MOVED


def _room_status(stored: StoredTransfer) -> RoomStatus:
    if stored.room_closing:
        return RoomStatus.CLOSE_UNCONFIRMED if stored.closing_doubtful else RoomStatus.CLOSING
    if stored.room_id is None:
        return RoomStatus.CREATE_UNCONFIRMED if stored.room_doubtful else RoomStatus.NONE
    return RoomStatus.STILL_OPEN if stored.closing_doubtful else RoomStatus.OPEN
