"""The examples of `docs/protocol.md`: each JSON block, the subject it stands under, what it decodes to there.

A block travels on the subject named nearest above it: in the prose of its section, else in a heading it
stands under. "The answer" right above it makes it the reply to a question on that subject.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args

import msgspec

from warmxfer.actors.coordinator.caller_lock import CallerLock
from warmxfer.actors.coordinator.state_machine import decode_record
from warmxfer.actors.gateway.at_most_once import ClaimRecord, EffectEnd
from warmxfer.bus import subjects
from warmxfer.schemas import (
    AnyEvent,
    DeadlinePassed,
    History,
    HistoryQuery,
    LivenessQuery,
    LivenessReply,
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
    decode_phase,
    decode_result,
    read_cancel,
    read_request,
)

from .pages import DOCS, Block, Section, read_page

PROTOCOL = DOCS / "protocol.md"
Decode = Callable[[bytes], Any]

_SUBJECT = re.compile(r"`(warmxfer\.[^`]+)`")
_ANSWER = "The answer"
_INSIDE = re.compile(r"`(\w+)` of `warmxfer\.")
_FROM_USERS = ("TransferRequested", "TransferRefused", "TransferBroken", "CancelRequested")


class DeadLetter(msgspec.Struct, forbid_unknown_fields=True):
    """What `bus.dead.letter` writes: a test compares the two."""

    subject: str
    seq: int
    cause: str
    tries: int
    consumer: str


@dataclass
class Example:
    """`message` is what the block means; `inside` names the field of the subject's message it stands for."""

    section: Section
    block: Block
    subject: str
    road: str
    answer: bool
    inside: str

    @property
    def name(self) -> str:
        return f"{self.block.where} ({self.road})"

    @property
    def message(self) -> Any:
        try:
            return self.decode(self.block.text.encode())
        except (WarmxferError, msgspec.DecodeError) as error:
            raise AssertionError(f"{self.name} is no message of {self.subject}: {error}") from error

    @property
    def decode(self) -> Decode:
        if self.inside:
            return INSIDE[self.road, self.inside]
        if self.answer:
            return as_kind(ANSWERS[self.road])
        if self.road == "intent" and self.subject.endswith("-ended"):
            return as_kind(EffectEnd)
        return READERS[self.road]


def as_kind(kind: type[Any]) -> Decode:
    return lambda data: decode_as(kind, data)


def _one_of(decode: Decode, kinds: Any, but: tuple[str, ...] = ()) -> Decode:
    allowed = [kind for kind in get_args(kinds) or (kinds,) if kind.__name__ not in but]

    def read(data: bytes) -> Any:
        message = decode(data)
        assert type(message) in allowed, f"{type(message).__name__} does not travel here"
        return message

    return read


def _only(decode: Decode, names: tuple[str, ...]) -> Decode:
    def read(data: bytes) -> Any:
        message = decode(data)
        assert type(message).__name__ in names, f"{type(message).__name__} has a subject of its own"
        return message

    return read


READERS: Mapping[str, Decode] = {
    "request": read_request,
    "cancel": read_cancel,
    "phase": decode_phase,
    "result": decode_result,
    "event": _one_of(decode_event, AnyEvent, but=(*_FROM_USERS, "DeadlinePassed")),
    "timeout": _one_of(decode_event, DeadlinePassed),
    "log": decode_record,
    "dead": as_kind(DeadLetter),
    "do.summarizer": _one_of(decode_command, ToSummarizer),
    "do.gateway": _one_of(decode_command, ToGateway),
    "do.briefing": _one_of(decode_command, ToBriefing),
    "do.hosted": _one_of(decode_command, ToBriefing),
    "do.primary": _one_of(decode_command, ToPrimary),
    "do.consult": _one_of(decode_command, ToConsult),
    "timer": _one_of(decode_event, DeadlinePassed),
    "intent": as_kind(ClaimRecord),
    "claim": as_kind(CallerLock),
    "ask.history": as_kind(HistoryQuery),
    "ask.summary": as_kind(SummaryQuery),
    "ask.token": as_kind(RoomTokenQuery),
    "ask.pulse": as_kind(LivenessQuery),
}
ANSWERS: Mapping[str, type[Any]] = {
    "ask.history": History,
    "ask.summary": SessionSummary,
    "ask.token": RoomToken,
    "ask.pulse": LivenessReply,
}
INSIDE: Mapping[tuple[str, str], Decode] = {("log", "event"): _only(decode_event, _FROM_USERS)}


def road_of(subject: str) -> str:
    """The name of the row of `bus.subjects.TABLE` that `subject`, real or a pattern, belongs to."""
    for road in subjects.SUBJECTS:
        shape = "".join(
            r"[\w<>-]{1,64}" if part.startswith("<") else re.escape(part)
            for part in re.split(r"(<\w+>)", road.pattern)
        )
        if re.fullmatch(shape, subject, re.ASCII):
            return road.name
    raise AssertionError(f"docs/protocol.md names the subject {subject}, which bus/subjects.py does not have")


@cache
def page() -> Section:
    return read_page(PROTOCOL)


@cache
def examples() -> list[Example]:
    """Every JSON block of the page, in order."""
    return [
        _example(section, block)
        for section in page().walk()
        for block in section.blocks
        if block.language == "json"
    ]


@cache
def by_kind() -> dict[type[Any], list[Example]]:
    """The examples of each kind of message; one that cannot be read is none (and has a test of its own)."""
    found: dict[type[Any], list[Example]] = {}
    for example in examples():
        try:
            found.setdefault(type(example.message), []).append(example)
        except AssertionError:
            continue
    return found


def _example(section: Section, block: Block) -> Example:
    lines = [*block.above, *(head.title for head in section.heads)]
    named = next((line for line in lines if _SUBJECT.search(line)), "")
    found = _SUBJECT.search(named)
    assert found, (
        f"{block.where}: no subject is named above this example; write the one it travels on, in backticks"
    )
    inside = _INSIDE.search(named)
    answer = bool(block.above) and block.above[0].startswith(_ANSWER)
    return Example(
        section, block, found[1], road_of(found[1]), answer, inside[1] if inside is not None else ""
    )
