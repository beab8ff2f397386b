"""Every subject, as one table: who writes it, who reads it, and which stream stores it.

There are four working streams, cut by who may write and who may read, and one for transfers that have ended:

    WARMXFER_IN        what users ask for: requests and cancels
    WARMXFER_EVENTS    what actors say: events, effect claims, dead letters
    WARMXFER_CORE      what the coordinator alone writes: the log, commands, timers
    WARMXFER_PUBLIC    what the coordinator writes for users: phases, results, notices
    WARMXFER_ARCHIVE   one record of each transfer that has ended and left the working streams

A user writes `warmxfer.<id>.request`. The stream stores it under `wx.<partition>.<id>.request`, so that each
partition has a consumer with one filter (`partition.py`).

Writers and readers are users of the broker (`USERS`). The permissions are made from this table
(`permissions.py`), and so are the tables of the docs and the matrix of the tests. A new subject is one row.
"""

from __future__ import annotations

import re
from typing import NamedTuple

IN = "WARMXFER_IN"
EVENTS = "WARMXFER_EVENTS"
CORE = "WARMXFER_CORE"
PUBLIC = "WARMXFER_PUBLIC"
ARCHIVE = "WARMXFER_ARCHIVE"
WORKING_STREAMS = (IN, EVENTS, CORE, PUBLIC)
"""What a transfer that runs needs. A transfer that was archived has left them."""
STREAMS = (*WORKING_STREAMS, ARCHIVE)
NOT_STORED = ""

ROOT = "warmxfer"
"""First token of the subjects that users write and read."""
INTERNAL_ROOT = "wx"
"""First token of the subjects between the actors."""
SESSION = "session"
"""Second token of the subjects that belong to an AI session, not to one transfer."""
ARCHIVED = "archive"
"""Second token of the subjects of archived transfers."""

DEPLOY = "deploy"
COORDINATOR = "coordinator"
GATEWAY = "gateway"
SUMMARIZER = "summarizer"
BRIEFING = "briefing"
PRIMARY = "primary"
CLIENT = "client"
AGENT = "agent"
OBSERVER = "observer"
OPERATOR = "operator"
BOARD = "board"
USERS = (
    DEPLOY,
    COORDINATOR,
    GATEWAY,
    SUMMARIZER,
    BRIEFING,
    PRIMARY,
    CLIENT,
    AGENT,
    OBSERVER,
    OPERATOR,
    BOARD,
)
"""Every user of the broker. The process of an actor is the user of its role."""
ACTORS = (COORDINATOR, GATEWAY, SUMMARIZER, BRIEFING, PRIMARY)
"""The users that are actors."""
LOCAL = "local"
"""The user of a terminal beside `warmxfer up`. No other deployment has it."""
INCLUDED: dict[str, tuple[str, ...]] = {AGENT: (CLIENT, PRIMARY), LOCAL: (CLIENT, PRIMARY, OPERATOR)}
"""Users that have the rights of others. The process of a voice agent is a client and a primary session."""
READ_ALL = (COORDINATOR, OPERATOR)
"""Users that may read whatever a stream stores: to decide, and to look for faults."""
ANNOUNCED = ("presence", "capacity")
"""The rows that ask for no reply."""
BROKER = "the broker"
"""The broker itself, as the writer or the reader of a timer."""


class SubjectSpec(NamedTuple):
    """One row of the table: the subject, its writers, its readers, what it carries, and its stream.

    If no stream stores it, a writer sends requests and a reader replies to them.
    """

    name: str
    pattern: str
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    carries: str
    stream: str = NOT_STORED

    @property
    def filter(self) -> str:
        """The pattern as the broker writes it: every `<word>` becomes `*`."""
        return re.sub(r"<\w+>", "*", self.pattern)

    @property
    def captured(self) -> bool:
        """True if a stream stores it."""
        return self.stream != NOT_STORED

    @property
    def kind(self) -> str:
        """The token that names what the message is, such as `log` or `do`."""
        tokens = self.pattern.split(".")
        if tokens[1] == ARCHIVED:
            return ARCHIVED
        return tokens[3] if tokens[0] == INTERNAL_ROOT and len(tokens) > 3 else tokens[-1]

    def written_by(self, user: str) -> tuple[str, ...]:
        """Return the filters on which `user` may write; none if it is no writer.

        A writer of `<role>` writes only on the subject of its own role.
        """
        return tuple(
            re.sub(r"<\w+>", "*", self.pattern.replace("<role>", each))
            for each in rights(user)
            if each in self.writers
        )

    def is_read_by(self, user: str) -> bool:
        """Return whether `user` may read every subject of this row."""
        return any(each in self.readers or (self.captured and each in READ_ALL) for each in rights(user))


def rights(user: str) -> tuple[str, ...]:
    """Return the users whose rights `user` has: itself, or those that it includes."""
    return INCLUDED.get(user, (user,))


FOR_USERS = (CLIENT, OBSERVER, BOARD, PRIMARY, GATEWAY)
"""Who reads phases, results and notices, and the archive, which has them after the end.

A session tells its agent the phases of its transfer. The gateway looks for a success before it ends an orphan
call.
"""
WHO_REQUESTS = (CLIENT, COORDINATOR)
"""Who writes requests and cancels. A coordinator stores those that the API was asked for."""
WHO_LOOKS = (CLIENT, OBSERVER, OPERATOR, BOARD)
"""Who may ask the API where transfers are."""
WHO_OPENS = (CLIENT, OPERATOR, BOARD)
"""Who may ask the API what happened in one transfer."""
WHO_COUNTS_PROCESSES = (COORDINATOR, OPERATOR, BOARD)
"""Who may ask which processes run."""
OF_EVENTS = (GATEWAY, BRIEFING)
"""Who reads the stream of events by number: the gateway its claims, a briefing agent what was said before."""

SUBJECTS: tuple[SubjectSpec, ...] = (
    # ── stored in WARMXFER_IN ────────────────────────────────────────────────────────────────────
    SubjectSpec("request", "warmxfer.<id>.request", WHO_REQUESTS, (COORDINATOR,), "WarmTransferRequest", IN),
    SubjectSpec("cancel", "warmxfer.<id>.cancel", WHO_REQUESTS, (COORDINATOR,), "CancelRequest", IN),
    # ── stored in WARMXFER_EVENTS ────────────────────────────────────────────────────────────────
    SubjectSpec(
        "event",
        "wx.<partition>.<id>.event.<role>",
        (SUMMARIZER, GATEWAY, BRIEFING, PRIMARY),
        (COORDINATOR, *OF_EVENTS),
        "replies and events; `<role>` is the actor that says it",
        EVENTS,
    ),
    SubjectSpec(
        "intent",
        "wx.<partition>.<id>.intent.<effect>",
        (GATEWAY,),
        OF_EVENTS,
        "the claim on a side effect at the provider",
        EVENTS,
    ),
    SubjectSpec(
        "dead",
        "warmxfer.<id>.dead",
        (COORDINATOR, SUMMARIZER, GATEWAY, BRIEFING),
        (OPERATOR, *OF_EVENTS),
        "dead letters: subject and cause",
        EVENTS,
    ),
    SubjectSpec(
        "dial.count",
        "wx.dial.<counter>.count",
        (GATEWAY,),
        OF_EVENTS,
        "how many calls were dialled: only the newest counts",
        EVENTS,
    ),
    # ── stored in WARMXFER_PUBLIC ────────────────────────────────────────────────────────────────
    SubjectSpec("phase", "warmxfer.<id>.phase", (COORDINATOR,), FOR_USERS, "PhaseChanged", PUBLIC),
    SubjectSpec(
        "result",
        "warmxfer.<id>.result",
        (COORDINATOR,),
        FOR_USERS,
        "WarmTransferResult, once",
        PUBLIC,
    ),
    SubjectSpec("notice", "warmxfer.<id>.notice", (COORDINATOR,), FOR_USERS, "TransferNotice", PUBLIC),
    # ── stored in WARMXFER_CORE ──────────────────────────────────────────────────────────────────
    SubjectSpec(
        "log",
        "wx.<partition>.<id>.log",
        (COORDINATOR,),
        ACTORS,
        "the transitions: one record for each, or for several",
        CORE,
    ),
    SubjectSpec(
        "timer",
        "wx.<partition>.<id>.timer.<name>",
        (COORDINATOR,),
        (BROKER,),
        "a timer that is pending",
        CORE,
    ),
    SubjectSpec(
        "timeout",
        "wx.<partition>.<id>.timeout",
        (BROKER,),
        (COORDINATOR,),
        "a timer that fired",
        CORE,
    ),
    SubjectSpec(
        "do.summarizer",
        "wx.<partition>.<id>.do.summarizer",
        (COORDINATOR,),
        (SUMMARIZER,),
        "commands",
        CORE,
    ),
    SubjectSpec(
        "do.gateway",
        "wx.<partition>.<id>.do.gateway",
        (COORDINATOR,),
        (GATEWAY,),
        "commands",
        CORE,
    ),
    SubjectSpec(
        "do.briefing",
        "wx.<partition>.<id>.do.briefing",
        (COORDINATOR,),
        (BRIEFING,),
        "commands",
        CORE,
    ),
    SubjectSpec(
        "do.consult",
        "wx.<partition>.<id>.do.consult",
        (COORDINATOR,),
        (BRIEFING, PRIMARY),
        "level commands: only the newest counts",
        CORE,
    ),
    SubjectSpec(
        "session.primary",
        "wx.session.<session>.primary",
        (COORDINATOR,),
        (PRIMARY,),
        "level commands of any transfer: only the newest counts",
        CORE,
    ),
    SubjectSpec(
        "session.briefing",
        "wx.session.<session>.briefing",
        (COORDINATOR,),
        (PRIMARY,),
        "commands to brief in the process of the session",
        CORE,
    ),
    SubjectSpec(
        "session.lock",
        "wx.session.<session>.lock",
        (COORDINATOR,),
        (COORDINATOR,),
        "which transfer owns the caller",
        CORE,
    ),
    # ── stored in WARMXFER_ARCHIVE ───────────────────────────────────────────────────────────────
    SubjectSpec(
        "archive",
        "wx.archive.<id>",
        (COORDINATOR,),
        FOR_USERS,
        "a transfer that has ended: summary and log",
        ARCHIVE,
    ),
    # ── never stored ─────────────────────────────────────────────────────────────────────────────
    SubjectSpec(
        "ask.history",
        "warmxfer.ask.history.<session>",
        (SUMMARIZER, PRIMARY),
        (PRIMARY,),
        "request for the transcript so far",
    ),
    SubjectSpec(
        "ask.summary",
        "warmxfer.ask.summary.<session>",
        (SUMMARIZER,),
        (PRIMARY,),
        "request for a summary by the session's own model",
    ),
    SubjectSpec(
        "ask.token", "warmxfer.ask.token", (BRIEFING,), (GATEWAY,), "request for a token of one room"
    ),
    SubjectSpec(
        "ask.token.session",
        "warmxfer.ask.token.<session>",
        (PRIMARY,),
        (GATEWAY,),
        "the same, for this session's own participant id or for its own briefing",
    ),
    SubjectSpec(
        "ask.pulse",
        "warmxfer.ask.pulse",
        (PRIMARY, BRIEFING, GATEWAY),
        (COORDINATOR,),
        "request: is the transfer live",
    ),
    SubjectSpec(
        "ask.replay",
        "warmxfer.ask.replay",
        (OPERATOR, BOARD),
        (COORDINATOR,),
        "request to handle a dead-lettered message again",
    ),
    SubjectSpec(
        "ask.erase",
        "warmxfer.ask.erase",
        (OPERATOR,),
        (COORDINATOR,),
        "request to erase a transfer that was archived",
    ),
    SubjectSpec(
        "api.validate",
        "warmxfer.api.v1.validate",
        (CLIENT, OPERATOR),
        (COORDINATOR,),
        "request: is this WarmTransferRequest valid, and may its calls be dialled",
    ),
    SubjectSpec("api.start", "warmxfer.api.v1.start", (CLIENT,), (COORDINATOR,), "request for a start"),
    SubjectSpec("api.status", "warmxfer.api.v1.status", WHO_LOOKS, (COORDINATOR,), "request for a status"),
    SubjectSpec("api.list", "warmxfer.api.v1.list", WHO_LOOKS, (COORDINATOR,), "request for a list"),
    SubjectSpec(
        "api.cancel",
        "warmxfer.api.v1.cancel",
        (CLIENT, OPERATOR, BOARD),
        (COORDINATOR,),
        "request for a cancel",
    ),
    SubjectSpec(
        "api.report",
        "warmxfer.api.v1.report",
        WHO_OPENS,
        (COORDINATOR,),
        "request for a report",
    ),
    SubjectSpec(
        "api.outline",
        "warmxfer.api.v1.outline",
        WHO_OPENS,
        (COORDINATOR,),
        "request: to whom does a transfer go, and how long may each step take",
    ),
    SubjectSpec(
        "api.timeline",
        "warmxfer.api.v1.timeline",
        WHO_OPENS,
        (COORDINATOR,),
        "request for everything that happened in a transfer",
    ),
    SubjectSpec(
        "api.dead_letters",
        "warmxfer.api.v1.dead_letters",
        (OPERATOR, BOARD),
        (COORDINATOR,),
        "request for the newest dead letters",
    ),
    SubjectSpec(
        "presence",
        "wx.coordinator.presence",
        (COORDINATOR,),
        (COORDINATOR,),
        "that a coordinator is live and which places of briefing agents it holds, or that it stops",
    ),
    SubjectSpec(
        "capacity",
        "wx.capacity.<role>",
        (GATEWAY, BRIEFING),
        # The gateways share the provider's rate among those whose announcements they receive.
        (COORDINATOR, GATEWAY),
        "the jobs of one process and how many are taken, every two seconds and after a change",
    ),
)


def stored_filters(stream: str) -> tuple[str, ...]:
    """Return the subjects that `stream` captures, one by one: a subject outside the table is not stored."""
    return tuple(spec.filter for spec in SUBJECTS if spec.stream == stream)


STREAM_OF_KIND = {spec.kind: spec.stream for spec in SUBJECTS if spec.captured}
"""Which stream stores a message, by the kind on its subject."""
