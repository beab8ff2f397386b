"""Record of transitions, as `wx.<partition>.<id>.log` stores it: event, new state, and messages to send.

A record has one transition, or several: `also` holds the events that were applied after `event`, in order.
Its state is the state after the last one, and its outbox has the messages of all. `expand.py` tells the
transitions of a record apart.

Storing the record commits its transitions. Its outbox is published afterwards, and again if a crash may have
prevented that. Every message of an outbox has its own Msg-Id, so the broker stores a repeat once.

Every record holds the whole state, so one read is enough to continue a transfer. What has its default is left
out, in the state and in its request: two thirds of a record. Every version reads a field that is missing as
its default.

The stored form of a state keeps the booleans of `MACHINE_VERSION` 1. So every version can replay every
log, and during an upgrade an older coordinator can continue a transfer of a newer one:

- Unknown fields, unknown words and values out of range are read (`warmxfer.schemas.read_leniently`).
- Fields of the state that this version does not know are written again (`kept_fields.py`).
- `obstacle` says why this version must not continue a transfer. Test: `tests/golden/test_newer.py`.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar, cast, get_args

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.json import Decoder, Encoder
from msgspec.structs import fields

from warmxfer.schemas import (
    AnyCommand,
    AnyEvent,
    Event,
    PhaseChanged,
    TransferNotice,
    TransferRequested,
    WarmTransferResult,
    WarmxferError,
    is_known,
    read_leniently,
)
from warmxfer.schemas.compact_request import kept_compact_request
from warmxfer.schemas.fields import Id, Word
from warmxfer.schemas.lenient import is_token, is_word

from .kept_fields import UnknownFields, add_unknown, find_unknown
from .state import CallerPlace, RoomStatus, Stage, SupervisorLeg, Transfer, TransferFields

MACHINE_VERSION = 4
"""Version of the state machine that writes a record. Version 1 wrote no number, version 2 had no guard.

Version 4 knows that a briefing agent was asked to leave, and repeats the end of a leg that came up late.
"""
MIN_MACHINE_VERSION = 1
"""Lowest version that may continue the transfers of this version. An older coordinator leaves them alone.

Raise it to `MACHINE_VERSION` only if an older version would do harm. It costs every rollback its transfers.
"""


OUTBOX_MAX = 256
"""Messages of one record. A transition sends about ten."""
ALSO_MAX = 7
"""Further events of one record. More than three seldom wait."""


class UnreadableRecord(WarmxferError):
    """Bytes that are not a record. The text never quotes them."""


class SetTimer(Struct, frozen=True, tag="arm_timer", tag_field="type"):
    """Set the transfer's one timer to `due_at`, in place of the time it was set to."""

    due_at: float


class ArchiveTransfer(Struct, frozen=True, tag="archive_transfer", tag_field="type"):
    """Store the log in the archive, and remove the transfer from the working streams."""

    session: Id = ""
    """The session whose subjects hold commands of the transfer. Empty if it has none."""


class UnknownMessage(Event, frozen=True, kw_only=True):
    """An event or output of a newer version, in a record that was read. It is never written."""

    kind: Word = ""
    """Its type on the wire; empty if it has none."""


Output = PhaseChanged | WarmTransferResult | TransferNotice | AnyCommand | SetTimer | ArchiveTransfer
RecordedEvent = AnyEvent | UnknownMessage
RecordedOutput = Output | UnknownMessage


class FurtherEvent(Struct, frozen=True, kw_only=True):
    """An event that a record applied after its first one. `trigger` and `at` as in `Record`.

    Its trigger is a message of the stream of events, as that of the first event then is.
    """

    trigger: int
    at: float
    event: RecordedEvent


class Record(Struct, frozen=True, kw_only=True):
    """`trigger` is the stream sequence of the message that caused the transition, `at` when it was stored."""

    trigger: int
    at: float
    event: RecordedEvent
    also: tuple[FurtherEvent, ...] = ()
    """The events that were applied after `event`, in order. Each one is a transition of its own."""
    state: Transfer
    outbox: list[RecordedOutput]
    newest_at: float = 0.0
    """When the newest message of this record or an earlier one was stored, if later than `at`; else 0.
    Messages of several streams may be applied in another order than they were stored.
    """
    first_event: int = 0
    """Number of the first event that was applied, in the stream of events; 0 before it."""
    machine_version: int = MACHINE_VERSION
    min_machine_version: int = MIN_MACHINE_VERSION

    def is_due_to(self, at: float, trigger: int) -> bool:
        """Return whether message number `trigger`, stored at `at`, caused a transition of this record."""
        if self.trigger == trigger and self.at == at:
            return True
        return any(each.trigger == trigger and each.at == at for each in self.also)

    @property
    def triggers(self) -> list[tuple[float, int]]:
        """When each message was stored that caused a transition of this record, and its number."""
        return [(self.at, self.trigger), *((each.at, each.trigger) for each in self.also)]


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


class CompactTransfer(StoredTransfer, kw_only=True, omit_defaults=True):
    """The same, as it is written: without the fields that have their default."""


class StoredFurtherEvent(Struct, frozen=True, kw_only=True):
    """A further event as it is stored."""

    trigger: int
    at: float
    event: AnyEvent


class StoredRecord(Struct, frozen=True, kw_only=True):
    """A record as it is stored."""

    trigger: int
    at: float
    event: AnyEvent
    also: Annotated[list[StoredFurtherEvent], Meta(max_length=ALSO_MAX)] | UnsetType = UNSET
    state: StoredTransfer
    outbox: Annotated[list[Output], Meta(max_length=OUTBOX_MAX)]
    newest_at: float | UnsetType = UNSET
    first_event: int | UnsetType = UNSET
    machine_version: int = 1
    min_machine_version: int = 1


class _LooseFurtherEvent(Struct, frozen=True, kw_only=True):
    """A further event whose message is read by itself."""

    trigger: int
    at: float
    event: Any


class _LooseRecord(Struct, frozen=True, kw_only=True):
    """A record whose messages are read one by one, because one of an unknown type hides no other."""

    trigger: int
    at: float
    event: Any
    also: Annotated[list[_LooseFurtherEvent], Meta(max_length=ALSO_MAX)] | UnsetType = UNSET
    state: StoredTransfer
    outbox: Annotated[list[Any], Meta(max_length=OUTBOX_MAX)]
    newest_at: float | UnsetType = UNSET
    first_event: int | UnsetType = UNSET
    machine_version: int = 1
    min_machine_version: int = 1


S = TypeVar("S", bound=StoredTransfer)

_encoder = Encoder()
_decoder = Decoder(StoredRecord)
_COMMON = [each.name for each in fields(TransferFields)]
_REQUESTED = str(TransferRequested.__struct_config__.tag)
_COMMANDS = frozenset(str(each.__struct_config__.tag) for each in get_args(AnyCommand))


def encode_record(record: Record, unknown: UnknownFields | None = None) -> bytes:
    """Return the stored form of a record, as JSON; `unknown` are fields of a newer version to keep.

    An unknown field may belong to a part that has its default. So with one, the state is written whole.
    """
    state: Any
    if unknown:
        state = msgspec.to_builtins(to_stored(record.state))
        add_unknown(state, unknown)
    else:
        state = _stored_as(CompactTransfer, record.state)
        if state.request is not None:
            state.request = msgspec.Raw(kept_compact_request(state.request))
    stored = StoredRecord(
        trigger=record.trigger,
        at=record.at,
        event=_without_repeated_request(record),
        also=cast("list[StoredFurtherEvent]", [*record.also]) or UNSET,
        state=state,
        outbox=cast("list[Output]", record.outbox),
        newest_at=record.newest_at or UNSET,
        first_event=record.first_event or UNSET,
        machine_version=record.machine_version,
        min_machine_version=record.min_machine_version,
    )
    return _encoder.encode(stored)


def _without_repeated_request(record: Record) -> Any:
    """Return the event of a record, without the request if the state has the same one."""
    event = record.event
    if not isinstance(event, TransferRequested) or event.request != record.state.request:
        return event
    written: dict[str, Any] = msgspec.to_builtins(event)
    del written["request"]
    return written


def decode_record(data: bytes) -> Record:
    """Return the record that `data` holds, from any version. Raises UnreadableRecord if it holds none."""
    try:
        stored = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableRecord(f"The record cannot be read ({type(error).__name__})") from error
    return Record(
        trigger=stored.trigger,
        at=stored.at,
        event=stored.event,
        also=_further(stored),
        state=from_stored(stored.state),
        outbox=cast("list[RecordedOutput]", stored.outbox),
        newest_at=0.0 if stored.newest_at is UNSET else stored.newest_at,
        first_event=0 if stored.first_event is UNSET else stored.first_event,
        machine_version=stored.machine_version,
        min_machine_version=stored.min_machine_version,
    )


def _further(stored: StoredRecord | _LooseRecord) -> tuple[FurtherEvent, ...]:
    if stored.also is UNSET:
        return ()
    return tuple(FurtherEvent(trigger=each.trigger, at=each.at, event=each.event) for each in stored.also)


def unknown_fields(data: bytes, record: Record) -> UnknownFields:
    """Return the fields of the state in `data` that are not in `record`, which was read from `data`."""
    if encode_record(record) == data:
        return {}
    return find_unknown(msgspec.json.decode(data)["state"], msgspec.to_builtins(to_stored(record.state)))


def obstacle(record: Record, id: str | None = None) -> str | None:
    """Return why this version cannot continue the transfer of `record`, or None if it can.

    `id`: the transfer in whose log the record is. An unknown event is no obstacle: the state after it is
    known.
    """
    if id is not None and record.state.id != id:
        return "it is the record of another transfer"
    if record.min_machine_version > MACHINE_VERSION:
        return (
            f"it needs version {record.min_machine_version} of the state machine, this is {MACHINE_VERSION}"
        )
    if not is_known(record.state.stage):
        return f"its stage {record.state.stage.value} is unknown"
    if record.state.request is not None and not is_token(record.state.request.session_name):
        return "its session cannot be part of a subject"
    unknown = next((each.kind for each in record.state.pending.values() if each.kind not in _COMMANDS), None)
    return None if unknown is None else f"the command {unknown}, which it waits for, is unknown"


def _decode(data: bytes) -> StoredRecord | _LooseRecord:
    try:
        return _decoder.decode(data)
    except msgspec.ValidationError:
        raw = msgspec.json.decode(data)
    _fill_request(raw)
    try:
        return msgspec.convert(raw, StoredRecord)
    except msgspec.ValidationError:
        return _decode_leniently(raw)


def _fill_request(raw: Any) -> None:
    """Put the request into the event that began the transfer. A record holds it once, in its state."""
    record = cast("dict[str, Any]", raw) if isinstance(raw, dict) else {}
    event, state = record.get("event"), record.get("state")
    if isinstance(event, dict) and isinstance(state, dict):
        began, after = cast("dict[str, Any]", event), cast("dict[str, Any]", state)
        if began.get("type") == _REQUESTED:
            began.setdefault("request", after.get("request"))


def _decode_leniently(raw: Any) -> _LooseRecord:
    stored: _LooseRecord = read_leniently(raw, _LooseRecord, words=True, limits=True)
    return msgspec.structs.replace(
        stored,
        event=_read_message(stored.event, AnyEvent),
        also=UNSET
        if stored.also is UNSET
        else [
            msgspec.structs.replace(each, event=_read_message(each.event, AnyEvent)) for each in stored.also
        ],
        outbox=[_read_message(each, Output) for each in stored.outbox],
    )


def _read_message(raw: Any, kind: Any) -> Any:
    try:
        return read_leniently(raw, kind, words=True, limits=True)
    except msgspec.ValidationError:
        tag = cast("dict[str, Any]", raw).get("type") if isinstance(raw, dict) else None
        return UnknownMessage(kind=tag) if is_word(tag) else UnknownMessage()


def to_stored(state: Transfer) -> StoredTransfer:
    """Return the stored form of a state, with every field."""
    return _stored_as(StoredTransfer, state)


def _stored_as(kind: type[S], state: Transfer) -> S:
    place, room = state.caller, state.room
    return kind(
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
    return CallerPlace.OVERDUE if overdue else CallerPlace.IN_TRANSIT


def _room_status(stored: StoredTransfer) -> RoomStatus:
    if stored.room_closing:
        return RoomStatus.CLOSE_UNCONFIRMED if stored.closing_doubtful else RoomStatus.CLOSING
    if stored.room_id is None:
        return RoomStatus.CREATE_UNCONFIRMED if stored.room_doubtful else RoomStatus.NONE
    return RoomStatus.STILL_OPEN if stored.closing_doubtful else RoomStatus.OPEN
