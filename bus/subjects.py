"""Every subject, as one table, and the only functions that build one.

    stored in the stream        warmxfer.<id>.<kind>[.<rest>]
    request and reply           warmxfer.ask.<question>[.<session>]

- Invariant: no other file writes a subject as text.
- Invariant: no unchecked id reaches a subject (`test_subjects.py`). An id is 1 to 64 of `A-Z a-z 0-9 _ -`, so
  it holds no dot, wildcard or space.
- Invariant: the stream captures no request subject. The broker's own acknowledgement would answer the
  request.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from warmxfer.schemas.fields import TOKEN_PATTERN

from .errors import InvalidRequest

ROOT = "warmxfer"
ROLES = ("summarizer", "gateway", "briefing")
"""Roles with a work queue. `primary` and `consult` take level commands on subjects of their own instead."""

MAX_SHOWN_CHARS = 40
MAX_SUBJECT_CHARS = 256

_TOKEN = re.compile(TOKEN_PATTERN, re.ASCII)


class SubjectSpec(NamedTuple):
    """One row of the table: the subject, its writer, its readers and what it carries."""

    name: str
    pattern: str
    writer: str
    readers: str
    carries: str
    captured: bool = True

    @property
    def filter(self) -> str:
        """The pattern as the broker writes it: every `<word>` becomes `*`."""
        return re.sub(r"<\w+>", "*", self.pattern)


SUBJECTS: tuple[SubjectSpec, ...] = (
    SubjectSpec("request", "warmxfer.<id>.request", "users", "coordinator", "WarmTransferRequest"),
    SubjectSpec("cancel", "warmxfer.<id>.cancel", "users", "coordinator", "CancelRequest"),
    SubjectSpec("phase", "warmxfer.<id>.phase", "coordinator", "users, CLI, primary", "PhaseChanged"),
    SubjectSpec("result", "warmxfer.<id>.result", "coordinator", "users", "WarmTransferResult, once"),
    SubjectSpec("notice", "warmxfer.<id>.notice", "coordinator", "users", "TransferNotice"),
    SubjectSpec("event", "warmxfer.<id>.event", "actors, webhooks", "coordinator", "replies and events"),
    SubjectSpec("timeout", "warmxfer.<id>.timeout", "the broker", "coordinator", "a timer that fired"),
    SubjectSpec("log", "warmxfer.<id>.log", "coordinator", "coordinator, CLI", "one record per transition"),
    SubjectSpec("dead", "warmxfer.<id>.dead", "workers", "operators", "dead letters: subject and cause"),
    SubjectSpec("do.summarizer", "warmxfer.<id>.do.summarizer", "coordinator", "summarizer", "commands"),
    SubjectSpec("do.gateway", "warmxfer.<id>.do.gateway", "coordinator", "gateway", "commands"),
    SubjectSpec("do.briefing", "warmxfer.<id>.do.briefing", "coordinator", "briefing", "commands"),
    SubjectSpec(
        "do.hosted",
        "warmxfer.<id>.do.briefing.<session>",
        "coordinator",
        "primary",
        "commands to brief in the process of the session",
    ),
    SubjectSpec(
        "do.primary",
        "warmxfer.<id>.do.primary.<session>",
        "coordinator",
        "primary",
        "level commands: only the newest counts",
    ),
    SubjectSpec(
        "do.consult",
        "warmxfer.<id>.do.consult",
        "coordinator",
        "briefing",
        "level commands: only the newest counts",
    ),
    SubjectSpec(
        "timer", "warmxfer.<id>.timer.<name>", "coordinator", "the broker", "a timer that is pending"
    ),
    SubjectSpec(
        "intent",
        "warmxfer.<id>.intent.<effect>",
        "gateway",
        "gateway",
        "the claim on a side effect at the provider",
    ),
    SubjectSpec(
        "claim",
        "warmxfer.<session>.claim",
        "coordinator",
        "coordinator",
        "which transfer owns the caller",
    ),
    SubjectSpec(
        "ask.history",
        "warmxfer.ask.history.<session>",
        "summarizer",
        "primary",
        "request for the transcript so far",
        captured=False,
    ),
    SubjectSpec(
        "ask.summary",
        "warmxfer.ask.summary.<session>",
        "summarizer",
        "primary",
        "request for a summary by the session's own model",
        captured=False,
    ),
    SubjectSpec(
        "ask.token",
        "warmxfer.ask.token",
        "briefing, primary",
        "gateway",
        "request for a token of one room",
        captured=False,
    ),
    SubjectSpec(
        "ask.pulse",
        "warmxfer.ask.pulse",
        "primary, briefing, gateway",
        "coordinator",
        "request: is the transfer live",
        captured=False,
    ),
    SubjectSpec(
        "ask.replay",
        "warmxfer.ask.replay",
        "operators",
        "coordinator",
        "request to handle a dead-lettered message again",
        captured=False,
    ),
)

STREAM_SUBJECTS: tuple[str, ...] = tuple(spec.filter for spec in SUBJECTS if spec.captured)
"""The subjects that the stream stores, listed one by one: a subject outside the table is not stored."""

_KINDS = frozenset(spec.pattern.split(".")[2] for spec in SUBJECTS if spec.captured)

ASK_ROOM_TOKEN = "warmxfer.ask.token"
ASK_LIVENESS = "warmxfer.ask.pulse"
ASK_REPLAY = "warmxfer.ask.replay"
ANY_PHASE = "warmxfer.*.phase"
ANY_NOTICE = "warmxfer.*.notice"
ANY_DEAD_LETTER = "warmxfer.*.dead"

INVALID_ID = "unaddressed"
"""The id in the dead letter of a message whose own subject carries no allowed id."""


class Address(NamedTuple):
    """The parts of a stored subject, `warmxfer.<id>.<kind>[.<rest>]`. Without a rest, `rest` is ""."""

    id: str
    kind: str
    rest: str


def check_token(value: str, field: str = "id") -> str:
    """Return `value` if it may stand between two dots of a subject. Raises InvalidRequest otherwise."""
    if _TOKEN.fullmatch(value) is None:
        raise InvalidRequest(f"{field} is {_show(value)}; use 1 to 64 of A-Z a-z 0-9 _ -", field=field)
    return value


def request(id: str) -> str:
    return f"{ROOT}.{check_token(id)}.request"


def cancel(id: str) -> str:
    return f"{ROOT}.{check_token(id)}.cancel"


def phase(id: str) -> str:
    return f"{ROOT}.{check_token(id)}.phase"


def result(id: str) -> str:
    return f"{ROOT}.{check_token(id)}.result"


def notice(id: str) -> str:
    return f"{ROOT}.{check_token(id)}.notice"


def event(id: str) -> str:
    return f"{ROOT}.{check_token(id)}.event"


def timeout(id: str) -> str:
    return f"{ROOT}.{check_token(id)}.timeout"


def log(id: str) -> str:
    return f"{ROOT}.{check_token(id)}.log"


def dead_letter(id: str) -> str:
    return f"{ROOT}.{check_token(id)}.dead"


def work_queue(id: str, role: str) -> str:
    """Return the subject of commands for the work queue of `role` (one of `ROLES`)."""
    if role not in ROLES:
        raise InvalidRequest(f"role is {_show(role)}; use one of {', '.join(ROLES)}", field="role")
    return f"{ROOT}.{check_token(id)}.do.{role}"


def primary(id: str, session: str) -> str:
    """Return the subject of level commands of one transfer for one AI session."""
    return f"{ROOT}.{check_token(id)}.do.primary.{check_token(session, 'session')}"


def any_primary(session: str) -> str:
    """Return the filter for the level commands of every transfer for one AI session."""
    return f"{ROOT}.*.do.primary.{check_token(session, 'session')}"


def session_briefing(id: str, session: str) -> str:
    """Return the subject of commands to brief in the process of `session` itself."""
    return f"{ROOT}.{check_token(id)}.do.briefing.{check_token(session, 'session')}"


def any_session_briefing(session: str) -> str:
    """Return the filter for the in-session briefing commands of every transfer for `session`."""
    return f"{ROOT}.*.do.briefing.{check_token(session, 'session')}"


def consult(id: str) -> str:
    """Return the subject of level commands for the briefing agent in the consultation of this transfer."""
    return f"{ROOT}.{check_token(id)}.do.consult"


def timer(id: str, name: str) -> str:
    return f"{ROOT}.{check_token(id)}.timer.{check_token(name, 'timer')}"


def any_timer(name: str) -> str:
    """Return the filter for timer `name` of every transfer."""
    return f"{ROOT}.*.timer.{check_token(name, 'timer')}"


def effect_claim(id: str, effect: str) -> str:
    return f"{ROOT}.{check_token(id)}.intent.{check_token(effect, 'effect')}"


def caller_lock(session: str) -> str:
    return f"{ROOT}.{check_token(session, 'session')}.claim"


def ask_history(session: str) -> str:
    return f"{ROOT}.ask.history.{check_token(session, 'session')}"


def ask_summary(session: str) -> str:
    return f"{ROOT}.ask.summary.{check_token(session, 'session')}"


def all_of(id: str) -> str:
    """Return the filter for everything stored about one transfer."""
    return f"{ROOT}.{check_token(id)}.>"


def parse(subject: str) -> Address:
    """Return the parts of a stored subject. Raises InvalidRequest for other subjects and for invalid ids."""
    words = subject.split(".", 3)
    if len(words) < 3 or len(subject) > MAX_SUBJECT_CHARS or words[0] != ROOT or words[2] not in _KINDS:
        raise InvalidRequest(f"subject is {_show(subject)}; it is not a subject of warmxfer", field="subject")
    return Address(check_token(words[1]), words[2], words[3] if len(words) == 4 else "")


def sibling_subject(subject: str, kind: str) -> str | None:
    """Return the subject of `kind` for the id on `subject`, without checking the id.

    It is used only to send a rejection to the author of a request with an invalid id. Returns None if
    `subject` is not a request subject, or if the id would address more than one subject.
    """
    words = subject.split(".")
    if len(words) != 3 or words[0] != ROOT or words[2] != "request" or len(subject) > MAX_SUBJECT_CHARS:
        return None
    one_subject = words[1].isprintable() and not set(words[1]) & set("*> ")
    return f"{ROOT}.{words[1]}.{kind}" if one_subject else None


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= MAX_SHOWN_CHARS else text[:MAX_SHOWN_CHARS] + "…"
