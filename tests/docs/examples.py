"""The JSON examples of `docs/protocol.md` and `docs/internals.md`: subject and decoded message of each.

The subject of an example is the nearest one named above it: in the prose of its section, else in the heading
of an enclosing section. If the line above it starts with "The reply", the example is a reply to a query on
that subject.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args

import msgspec

from warmxfer.actors.common.capacity import RoleCapacity
from warmxfer.actors.coordinator.caller_lock import CallerLock
from warmxfer.actors.coordinator.partition_sharing import CoordinatorPresence
from warmxfer.actors.coordinator.state_machine.record import StoredRecord
from warmxfer.actors.gateway.at_most_once import ClaimRecord, EffectEnd
from warmxfer.actors.gateway.dial_limits import DialCount, PendingCalls
from warmxfer.bus import subjects
from warmxfer.schemas import (
    AnyEvent,
    DeadlinePassed,
    EraseQuery,
    EraseReply,
    History,
    HistoryQuery,
    LivenessQuery,
    LivenessReply,
    ReplayQuery,
    ReplayReply,
    RoomToken,
    RoomTokenQuery,
    SessionSummary,
    SummaryQuery,
    ToBriefing,
    ToConsult,
    ToGateway,
    ToPrimary,
    ToSummarizer,
    WarmxferError,
    decode_as,
    decode_command,
    decode_event,
    decode_notice,
    decode_phase,
    decode_result,
    read_cancel,
    read_request,
)
from warmxfer.schemas.api import (
    CancelQuery,
    CancelReply,
    ListQuery,
    ListReply,
    StartReply,
    TransferQuery,
    TransferStatus,
    ValidateReply,
)
from warmxfer.schemas.archived import ArchivedTransfer
from warmxfer.schemas.report import TransferReport
from warmxfer.schemas.timeline import DeadLettersQuery, DeadLettersReply, TransferOutline, TransferTimeline
from warmxfer.schemas.validation import read_query, read_start

from .pages import DOCS, Block, Section, read_page

PROTOCOL, INTERNALS = "protocol.md", "internals.md"
Decode = Callable[[bytes], Any]

_SUBJECT = re.compile(r"`((?:warmxfer|wx)\.[^`]+)`")
_REPLY = "The reply"
_FIELD = re.compile(r"`(\w+)` of `wx\.")
_ONLY_IN_LOG = ("TransferRequested", "TransferRefused", "TransferBroken", "CancelRequested")


class DeadLetterBody(msgspec.Struct, forbid_unknown_fields=True):
    """Body of a dead letter. A test compares it with `bus.dead_letters.dead_letter`."""

    subject: str
    seq: int
    cause: str
    tries: int
    consumer: str
    stream: str
    count: int = 1


@dataclass
class Example:
    """One JSON block. `field` is set if the block shows only that field of the message on `subject`."""

    section: Section
    block: Block
    subject: str
    subject_name: str
    reply: bool
    field: str

    @property
    def name(self) -> str:
        return f"{self.block.where} ({self.subject_name})"

    @property
    def message(self) -> Any:
        try:
            return self.decode(self.block.text.encode())
        except (WarmxferError, msgspec.DecodeError) as error:
            raise AssertionError(
                f"{self.name} cannot be decoded as a message of {self.subject}: {error}"
            ) from error

    @property
    def decode(self) -> Decode:
        if self.field:
            return FIELD_DECODERS[self.subject_name, self.field]
        if self.reply:
            return _as(REPLIES[self.subject_name])
        if self.subject_name == "intent" and self.subject.endswith("-ended"):
            return _as(EffectEnd)
        if self.subject == subjects.dial_count("pending"):
            return _as(PendingCalls)
        return DECODERS[self.subject_name]


def _as(kind: type[Any]) -> Decode:
    return lambda data: decode_as(kind, data)


def _query(kind: type[Any]) -> Decode:
    return lambda data: read_query(kind, data)


def _one_of(decode: Decode, kinds: Any, except_for: tuple[str, ...] = ()) -> Decode:
    allowed = [kind for kind in get_args(kinds) or (kinds,) if kind.__name__ not in except_for]

    def read(data: bytes) -> Any:
        message = decode(data)
        assert type(message) in allowed, f"{type(message).__name__} is never published on this subject"
        return message

    return read


def _only(decode: Decode, names: tuple[str, ...]) -> Decode:
    def read(data: bytes) -> Any:
        message = decode(data)
        assert type(message).__name__ in names, f"{type(message).__name__} is published on another subject"
        return message

    return read


DECODERS: Mapping[str, Decode] = {
    "request": read_request,
    "cancel": read_cancel,
    "phase": decode_phase,
    "result": decode_result,
    "notice": decode_notice,
    "event": _one_of(decode_event, AnyEvent, except_for=(*_ONLY_IN_LOG, "DeadlinePassed")),
    "timeout": _one_of(decode_event, DeadlinePassed),
    "log": _as(StoredRecord),
    "archive": _as(ArchivedTransfer),
    "dead": _as(DeadLetterBody),
    "do.summarizer": _one_of(decode_command, ToSummarizer),
    "do.gateway": _one_of(decode_command, ToGateway),
    "do.briefing": _one_of(decode_command, ToBriefing),
    "do.consult": _one_of(decode_command, ToConsult),
    "session.primary": _one_of(decode_command, ToPrimary),
    "session.briefing": _one_of(decode_command, ToBriefing),
    "session.lock": _as(CallerLock),
    "timer": _one_of(decode_event, DeadlinePassed),
    "intent": _as(ClaimRecord),
    "dial.count": _as(DialCount),
    "ask.history": _as(HistoryQuery),
    "ask.summary": _as(SummaryQuery),
    "ask.token": _as(RoomTokenQuery),
    "ask.token.session": _as(RoomTokenQuery),
    "ask.pulse": _as(LivenessQuery),
    "presence": _as(CoordinatorPresence),
    "ask.erase": _as(EraseQuery),
    "ask.replay": _as(ReplayQuery),
    "api.validate": read_request,
    "api.start": read_start,
    "api.status": _query(TransferQuery),
    "api.list": _query(ListQuery),
    "api.cancel": _query(CancelQuery),
    "api.report": _query(TransferQuery),
    "api.outline": _query(TransferQuery),
    "api.timeline": _query(TransferQuery),
    "api.dead_letters": _query(DeadLettersQuery),
    "capacity": _as(RoleCapacity),
}
REPLIES: Mapping[str, type[Any]] = {
    "ask.history": History,
    "ask.summary": SessionSummary,
    "ask.token": RoomToken,
    "ask.token.session": RoomToken,
    "ask.pulse": LivenessReply,
    "ask.erase": EraseReply,
    "ask.replay": ReplayReply,
    "api.validate": ValidateReply,
    "api.start": StartReply,
    "api.status": TransferStatus,
    "api.list": ListReply,
    "api.cancel": CancelReply,
    "api.report": TransferReport,
    "api.outline": TransferOutline,
    "api.timeline": TransferTimeline,
    "api.dead_letters": DeadLettersReply,
}
FIELD_DECODERS: Mapping[tuple[str, str], Decode] = {("log", "event"): _only(decode_event, _ONLY_IN_LOG)}


def subject_name(subject: str) -> str:
    """Return the name of the row in `bus.subjects.SUBJECTS` that `subject`, real or a pattern, belongs to."""
    for row in subjects.SUBJECTS:
        shape = "".join(
            r"[\w<>-]{1,64}" if part.startswith("<") else re.escape(part)
            for part in re.split(r"(<\w+>)", row.pattern)
        )
        if re.fullmatch(shape, subject, re.ASCII):
            return row.name
    raise AssertionError(f"a page names the subject {subject}; bus/subjects.py does not have it")


@cache
def page(name: str) -> Section:
    return read_page(DOCS / name)


@cache
def examples() -> list[Example]:
    """Return every JSON block of both pages, in order."""
    return [
        _example(section, block)
        for name in (PROTOCOL, INTERNALS)
        for section in page(name).walk()
        for block in section.blocks
        if block.language == "json"
    ]


@cache
def by_kind() -> dict[type[Any], list[Example]]:
    """Return the examples of each message type. Undecodable ones are left out: another test finds them."""
    found: dict[type[Any], list[Example]] = {}
    for example in examples():
        try:
            found.setdefault(type(example.message), []).append(example)
        except AssertionError:
            continue
    return found


def _example(section: Section, block: Block) -> Example:
    lines = [*block.above, *(each.title for each in section.with_parents)]
    named = next((line for line in lines if _SUBJECT.search(line)), "")
    subject = _SUBJECT.search(named)
    assert subject, f"{block.where}: no subject is named above this example; write its subject in backticks"
    field = _FIELD.search(named)
    reply = bool(block.above) and block.above[0].startswith(_REPLY)
    return Example(
        section, block, subject[1], subject_name(subject[1]), reply, field[1] if field is not None else ""
    )
