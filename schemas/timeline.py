"""What a board shows of a transfer: to whom it goes, its time limits, its timeline, and the dead letters.

Queries and replies of `warmxfer.api.v1.outline`, `timeline` and `dead_letters`. None holds a whole phone
number, a transcript, a summary or a word of a person.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, field

from .api import MAX_API_LISTED, ListLimit
from .fields import FACTS_MAX, Id, Sentence, SubjectText, Word

MAX_ENTRIES = 400
"""Entries of one timeline. A longer one keeps its first and its newest entries."""
Words = Annotated[list[Word], Meta(max_length=FACTS_MAX)]


class TimeLimits(Struct, frozen=True, kw_only=True):
    """How long each step of a transfer may take, in seconds. Then a timer ends the step."""

    preparation_s: float
    """From the request until the supervisor is dialled."""
    ring_s: float
    """From the dial until the supervisor is heard."""
    briefing_s: float
    switch_s: float
    """From the supervisor's yes until the provider has accepted the move."""
    arrival_s: float
    """From the move until the caller is seen with the supervisor."""
    cleanup_s: float


class TransferOutline(Struct, frozen=True, kw_only=True):
    """What does not change while a transfer runs: from which room, to whom, and its time limits."""

    id: Id
    started_at: float
    """Epoch seconds by the broker's clock."""
    room_id: Id = ""
    """The room in which the caller talked with the AI. Empty if the request could not be read."""
    session: Id = ""
    """The name of the AI session."""
    supervisor: Sentence = ""
    """The supervisor's display name."""
    destination: Sentence = ""
    """The number with its last two digits only, a SIP URI without its user, or a name of the directory."""
    limits: TimeLimits | None = None
    """None if the request could not be read."""


class TimelineEntry(Struct, frozen=True, kw_only=True):
    """One record of the log: what happened, and what the coordinator did then."""

    at: float
    """When the broker stored the message that caused it: epoch seconds."""
    event: Word
    """Type of the event on the wire, such as `supervisor_dialed`. Empty if the record cannot be read."""
    stage: Word = ""
    """What the transfer waits for from then on."""
    phases: Words = field(default_factory=list[str])
    """The phases that were published."""
    commands: Words = field(default_factory=list[str])
    """The types of the commands that were sent."""
    timer: bool = False
    """Whether a timer was set."""
    note: Sentence = ""
    """Facts of the event: who joined, how a command failed, why a leg went down. Empty if there are none."""


class TransferTimeline(Struct, frozen=True, kw_only=True):
    """Everything that happened in a transfer, oldest first."""

    id: Id
    entries: Annotated[list[TimelineEntry], Meta(max_length=MAX_ENTRIES)]
    left_out: int = 0
    """Entries in the middle that are left out, because a reply has a limit."""


class DeadLettersQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Ask for the newest dead letters of all transfers."""

    limit: ListLimit = 20


class DeadLetter(Struct, frozen=True, kw_only=True):
    """A message that no worker could handle. It holds no part of the message."""

    number: int
    """Its number in the stream of events, by which it is replayed."""
    at: float
    """When it was stored: epoch seconds by the broker's clock."""
    id: Id
    """The transfer, or `unaddressed` if the message had no valid id."""
    subject: SubjectText
    """Subject of the message that could not be handled."""
    consumer: Word
    """The consumer that it failed in."""
    cause: Sentence
    tries: int
    count: int = 1
    """How many messages it stands for. Only one that stands for one message can be replayed."""


class DeadLettersReply(Struct, frozen=True):
    """The newest first."""

    dead_letters: Annotated[list[DeadLetter], Meta(max_length=MAX_API_LISTED)] = field(
        default_factory=list[DeadLetter]
    )
