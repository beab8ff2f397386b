"""Every subject, as one table: who writes it, who reads it, and which stream stores it.

There are three working streams, cut by who may write, and one for transfers that have ended:

    WARMXFER_IN        what users ask for: requests and cancels
    WARMXFER_EVENTS    what actors say: events, effect claims, dead letters
    WARMXFER_CORE      what the coordinator alone writes: the log, commands, timers, phases, results, notices
    WARMXFER_ARCHIVE   one record of each transfer that has ended and left the working streams

A user writes `warmxfer.<id>.request`. The stream stores it under `wx.<partition>.<id>.request`, so that each
partition has a consumer with one filter (`partition.py`).
"""

from __future__ import annotations

import re
from typing import NamedTuple

IN = "WARMXFER_IN"
EVENTS = "WARMXFER_EVENTS"
CORE = "WARMXFER_CORE"
ARCHIVE = "WARMXFER_ARCHIVE"
WORKING_STREAMS = (IN, EVENTS, CORE)
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


class SubjectSpec(NamedTuple):
    """One row of the table: the subject, its writer, its readers, what it carries, and its stream."""

    name: str
    pattern: str
    writer: str
    readers: str
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


SUBJECTS: tuple[SubjectSpec, ...] = (
    # ── stored in WARMXFER_IN ────────────────────────────────────────────────────────────────────
    SubjectSpec("request", "warmxfer.<id>.request", "users", "coordinator", "WarmTransferRequest", IN),
    SubjectSpec("cancel", "warmxfer.<id>.cancel", "users", "coordinator", "CancelRequest", IN),
    # ── stored in WARMXFER_EVENTS ────────────────────────────────────────────────────────────────
    SubjectSpec(
        "event",
        "wx.<partition>.<id>.event.<role>",
        "actors, webhooks",
        "coordinator",
        "replies and events; `<role>` is the actor that says it",
        EVENTS,
    ),
    SubjectSpec(
        "intent",
        "wx.<partition>.<id>.intent.<effect>",
        "gateway",
        "gateway",
        "the claim on a side effect at the provider",
        EVENTS,
    ),
    SubjectSpec(
        "dial.count",
        "wx.dial.<counter>.count",
        "gateway",
        "gateway",
        "how many calls were dialled: only the newest counts",
        EVENTS,
    ),
    SubjectSpec(
        "dead", "warmxfer.<id>.dead", "workers", "operators", "dead letters: subject and cause", EVENTS
    ),
    # ── stored in WARMXFER_CORE ──────────────────────────────────────────────────────────────────
    SubjectSpec("phase", "warmxfer.<id>.phase", "coordinator", "users, CLI, primary", "PhaseChanged", CORE),
    SubjectSpec("result", "warmxfer.<id>.result", "coordinator", "users", "WarmTransferResult, once", CORE),
    SubjectSpec("notice", "warmxfer.<id>.notice", "coordinator", "users", "TransferNotice", CORE),
    SubjectSpec(
        "log",
        "wx.<partition>.<id>.log",
        "coordinator",
        "coordinator, CLI",
        "one record per transition",
        CORE,
    ),
    SubjectSpec(
        "timer",
        "wx.<partition>.<id>.timer.<name>",
        "coordinator",
        "the broker",
        "a timer that is pending",
        CORE,
    ),
    SubjectSpec(
        "timeout", "wx.<partition>.<id>.timeout", "the broker", "coordinator", "a timer that fired", CORE
    ),
    SubjectSpec(
        "do.summarizer", "wx.<partition>.<id>.do.summarizer", "coordinator", "summarizer", "commands", CORE
    ),
    SubjectSpec("do.gateway", "wx.<partition>.<id>.do.gateway", "coordinator", "gateway", "commands", CORE),
    SubjectSpec(
        "do.briefing", "wx.<partition>.<id>.do.briefing", "coordinator", "briefing", "commands", CORE
    ),
    SubjectSpec(
        "do.consult",
        "wx.<partition>.<id>.do.consult",
        "coordinator",
        "briefing",
        "level commands: only the newest counts",
        CORE,
    ),
    SubjectSpec(
        "session.primary",
        "wx.session.<session>.primary",
        "coordinator",
        "primary",
        "level commands of any transfer: only the newest counts",
        CORE,
    ),
    SubjectSpec(
        "session.briefing",
        "wx.session.<session>.briefing",
        "coordinator",
        "primary",
        "commands to brief in the process of the session",
        CORE,
    ),
    SubjectSpec(
        "session.lock",
        "wx.session.<session>.lock",
        "coordinator",
        "coordinator",
        "which transfer owns the caller",
        CORE,
    ),
    # ── stored in WARMXFER_ARCHIVE ───────────────────────────────────────────────────────────────
    SubjectSpec(
        "archive",
        "wx.archive.<id>",
        "coordinator",
        "coordinator, gateway, CLI, users",
        "a transfer that has ended: summary and log",
        ARCHIVE,
    ),
    # ── never stored ─────────────────────────────────────────────────────────────────────────────
    SubjectSpec(
        "ask.history",
        "warmxfer.ask.history.<session>",
        "summarizer",
        "primary",
        "request for the transcript so far",
    ),
    SubjectSpec(
        "ask.summary",
        "warmxfer.ask.summary.<session>",
        "summarizer",
        "primary",
        "request for a summary by the session's own model",
    ),
    SubjectSpec(
        "ask.token", "warmxfer.ask.token", "briefing, primary", "gateway", "request for a token of one room"
    ),
    SubjectSpec(
        "ask.pulse",
        "warmxfer.ask.pulse",
        "primary, briefing, gateway",
        "coordinator",
        "request: is the transfer live",
    ),
    SubjectSpec(
        "ask.replay",
        "warmxfer.ask.replay",
        "operators",
        "coordinator",
        "request to handle a dead-lettered message again",
    ),
    SubjectSpec(
        "api.validate",
        "warmxfer.api.v1.validate",
        "users",
        "coordinator",
        "request: is this WarmTransferRequest valid, and may its calls be dialled",
    ),
    SubjectSpec("api.start", "warmxfer.api.v1.start", "users", "coordinator", "request for a start"),
    SubjectSpec("api.status", "warmxfer.api.v1.status", "users", "coordinator", "request for a status"),
    SubjectSpec("api.list", "warmxfer.api.v1.list", "users", "coordinator", "request for a list"),
    SubjectSpec("api.cancel", "warmxfer.api.v1.cancel", "users", "coordinator", "request for a cancel"),
    SubjectSpec("api.report", "warmxfer.api.v1.report", "users", "coordinator", "request for a report"),
    SubjectSpec(
        "presence",
        "wx.coordinator.presence",
        "coordinator",
        "coordinator",
        "that a coordinator is live, twice a second, or that it stops",
    ),
    SubjectSpec(
        "capacity",
        "wx.capacity.<role>",
        "gateway, briefing",
        "coordinator",
        "the jobs of one process and how many are taken, every two seconds and after a change",
    ),
)


def stored_filters(stream: str) -> tuple[str, ...]:
    """Return the subjects that `stream` captures, one by one: a subject outside the table is not stored."""
    return tuple(spec.filter for spec in SUBJECTS if spec.stream == stream)


STREAM_OF_KIND = {spec.kind: spec.stream for spec in SUBJECTS if spec.captured}
"""Which stream stores a message, by the kind on its subject."""
