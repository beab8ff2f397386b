"""The only functions that build a subject, read one, or say where it is stored (table: `subject_table.py`).

    of users                    warmxfer.<id>.<kind>
    between the actors          wx.<partition>.<id>.<kind>[.<rest>]
    of one AI session           wx.session.<session>.<kind>
    of an archived transfer     wx.archive.<id>
    of all gateways             wx.dial.<counter>.count
    request and reply           warmxfer.ask.<question>[.<session>], for users warmxfer.api.v1.<verb>

- Invariant: no other file writes a subject as text.
- Invariant: no unchecked id reaches a subject (`test_subjects.py`). An id is 1 to 64 of `A-Z a-z 0-9 _ -`, so
  it holds no dot, wildcard or space.
- Invariant: the streams capture no request subject. The broker's own acknowledgement would answer the
  request.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from warmxfer.schemas.fields import TOKEN_PATTERN

from .errors import InvalidRequest
from .partition import partition_of
from .subject_table import (
    ARCHIVE,
    ARCHIVED,
    CORE,
    EVENTS,
    IN,
    INTERNAL_ROOT,
    PUBLIC,
    ROOT,
    SESSION,
    STREAM_OF_KIND,
    STREAMS,
    SUBJECTS,
    WORKING_STREAMS,
    SubjectSpec,
    stored_filters,
)

__all__ = [
    "ARCHIVE",
    "CORE",
    "EVENTS",
    "IN",
    "PUBLIC",
    "STREAMS",
    "SUBJECTS",
    "WORKING_STREAMS",
    "SubjectSpec",
    "stored_filters",
]

ROLES = ("summarizer", "gateway", "briefing")
"""Roles with a work queue. `primary` and `consult` take level commands on subjects of their own instead."""
WRITERS = ("summarizer", "gateway", "briefing", "primary")
"""Roles that publish events. A consultation in the process of a session speaks as `primary`."""

MAX_SHOWN_CHARS = 40
MAX_SUBJECT_CHARS = 256

_TOKEN = re.compile(TOKEN_PATTERN, re.ASCII)
_USER_KINDS = frozenset(spec.kind for spec in SUBJECTS if spec.captured and spec.pattern.startswith(ROOT))
_FROM_USERS = frozenset(spec.kind for spec in SUBJECTS if spec.stream == IN)
"""Kinds that are published on a subject of users and stored on one between the actors."""
_STORED_KINDS = _FROM_USERS.union(
    spec.kind for spec in SUBJECTS if spec.pattern.startswith(f"{INTERNAL_ROOT}.<partition>")
)

ASK_ROOM_TOKEN = "warmxfer.ask.token"
ANY_SESSION_TOKEN = "warmxfer.ask.token.*"
ASK_LIVENESS = "warmxfer.ask.pulse"
COORDINATOR_PRESENCE = "wx.coordinator.presence"
ASK_REPLAY = "warmxfer.ask.replay"
ASK_ERASE = "warmxfer.ask.erase"
ANY_CAPACITY = "wx.capacity.*"
ANY_PHASE = "warmxfer.*.phase"
ANY_NOTICE = "warmxfer.*.notice"
ANY_DEAD_LETTER = "warmxfer.*.dead"
ANY_ARCHIVED = f"{INTERNAL_ROOT}.{ARCHIVED}.*"

INVALID_ID = "unaddressed"
"""The id in the dead letter of a message whose own subject carries no allowed id."""


class Address(NamedTuple):
    """The parts of the subject of one transfer. Without a rest, `rest` is ""."""

    id: str
    kind: str
    rest: str


class Place(NamedTuple):
    """Where messages are stored: the stream, and the subject in it (wildcards allowed)."""

    stream: str
    subject: str


def check_token(value: str, field: str = "id") -> str:
    """Return `value` if it may stand between two dots of a subject. Raises InvalidRequest otherwise."""
    # Programs without a type checker pass a UUID or a number.
    if not isinstance(value, str) or _TOKEN.fullmatch(value) is None:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidRequest(f"{field} is {_show(value)}; use 1 to 64 of A-Z a-z 0-9 _ -", field=field)
    return value


def is_token(value: str) -> bool:
    """Return whether `value` may stand between two dots of a subject."""
    return _TOKEN.fullmatch(value) is not None


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


def dead_letter(id: str) -> str:
    return f"{ROOT}.{check_token(id)}.dead"


def event(id: str, role: str) -> str:
    """Return the subject of the events that `role` (one of `WRITERS`) says about a transfer."""
    if role not in WRITERS:
        raise InvalidRequest(f"role is {_show(role)}; use one of {', '.join(WRITERS)}", field="role")
    return f"{_of(id)}.event.{role}"


def is_event_of(subject: str, id: str) -> bool:
    """Return whether `subject` is one of the events of transfer `id`."""
    return subject.startswith(f"{_of(id)}.event.")


def timeout(id: str) -> str:
    return f"{_of(id)}.timeout"


def log(id: str) -> str:
    return f"{_of(id)}.log"


def work_queue(id: str, role: str) -> str:
    """Return the subject of commands for the work queue of `role` (one of `ROLES`)."""
    if role not in ROLES:
        raise InvalidRequest(f"role is {_show(role)}; use one of {', '.join(ROLES)}", field="role")
    return f"{_of(id)}.do.{role}"


def consult(id: str) -> str:
    """Return the subject of level commands for the briefing agent in the consultation of this transfer."""
    return f"{_of(id)}.do.consult"


def timer(id: str, name: str) -> str:
    return f"{_of(id)}.timer.{check_token(name, 'timer')}"


def any_timer(name: str) -> str:
    """Return the filter for timer `name` of every transfer."""
    return f"{INTERNAL_ROOT}.*.*.timer.{check_token(name, 'timer')}"


def any_request(partition: int) -> str:
    """Return the filter for the requests and cancels of one partition, as they are stored."""
    return f"{INTERNAL_ROOT}.{partition}.>"


def any_event(partition: int) -> str:
    """Return the filter for the events of one partition."""
    return f"{INTERNAL_ROOT}.{partition}.*.event.*"


def any_timeout(partition: int) -> str:
    """Return the filter for the timers of one partition that fired."""
    return f"{INTERNAL_ROOT}.{partition}.*.timeout"


def any_work(role: str) -> str:
    """Return the filter for the commands in the work queue of `role`, of every transfer."""
    return f"{INTERNAL_ROOT}.*.*.do.{role}"


def effect_claim(id: str, effect: str) -> str:
    return f"{_of(id)}.intent.{check_token(effect, 'effect')}"


def effect_claims(id: str) -> str:
    """Return the filter for the claims on all effects of one transfer."""
    return f"{_of(id)}.intent.*"


def capacity(role: str) -> str:
    """Return the subject on which a process of `role` announces its jobs."""
    return f"{INTERNAL_ROOT}.capacity.{check_token(role, 'role')}"


def role_of_capacity(subject: str) -> str:
    """Return the role that announces its jobs on `subject`."""
    return subject.removeprefix(f"{INTERNAL_ROOT}.capacity.")


def dial_count(counter: str) -> str:
    """Return the subject of one count of dials, of all gateways together."""
    return f"{INTERNAL_ROOT}.dial.{check_token(counter, 'counter')}.count"


def session_commands(session: str) -> str:
    """Return the subject of level commands for one AI session, of whatever transfer."""
    return f"{INTERNAL_ROOT}.{SESSION}.{check_token(session, 'session')}.primary"


def session_briefing(session: str) -> str:
    """Return the subject of commands to brief in the process of `session` itself."""
    return f"{INTERNAL_ROOT}.{SESSION}.{check_token(session, 'session')}.briefing"


def caller_lock(session: str) -> str:
    return f"{INTERNAL_ROOT}.{SESSION}.{check_token(session, 'session')}.lock"


def of_session(session: str) -> str:
    """Return the filter for the commands and the lock of one AI session."""
    return f"{INTERNAL_ROOT}.{SESSION}.{check_token(session, 'session')}.*"


def archived(id: str) -> str:
    """Return the subject of the one archived record of a transfer."""
    return f"{INTERNAL_ROOT}.{ARCHIVED}.{check_token(id)}"


def ask_history(session: str) -> str:
    return f"{ROOT}.ask.history.{check_token(session, 'session')}"


def ask_summary(session: str) -> str:
    return f"{ROOT}.ask.summary.{check_token(session, 'session')}"


def ask_session_token(session: str) -> str:
    return f"{ASK_ROOM_TOKEN}.{check_token(session, 'session')}"


def session_of_token_query(subject: str) -> str | None:
    """Return the session that asks for a token on `subject`; None if a briefing worker asks.

    Raises InvalidRequest if the subject names no session.
    """
    if subject == ASK_ROOM_TOKEN:
        return None
    return check_token(subject.removeprefix(f"{ASK_ROOM_TOKEN}."), "session")


def api(verb: str) -> str:
    """Return the subject on which coordinators answer `verb` of the API."""
    return f"{ROOT}.api.v1.{check_token(verb, 'verb')}"


def for_actors(id: str) -> str:
    """Return the filter for the log, the commands and the timer of one transfer, in the stream `CORE`."""
    return f"{_of(id)}.>"


def for_users(id: str) -> str:
    """Return the filter for the phases, the result and the notices of one transfer: stream `PUBLIC`."""
    return f"{ROOT}.{check_token(id)}.*"


def is_for_users(subject: str) -> bool:
    """Return whether `subject` (wildcards allowed) is one that users write or read."""
    return subject.startswith(f"{ROOT}.")


def parse(subject: str) -> Address:
    """Return the parts of the subject of a transfer.

    Raises InvalidRequest for other subjects, for invalid ids, and for a partition that is not that of the id.
    """
    words = subject.split(".", 4)
    if len(subject) <= MAX_SUBJECT_CHARS:
        if words[0] == INTERNAL_ROOT and len(words) >= 4 and words[3] in _STORED_KINDS:
            id = words[2]
            if f"{INTERNAL_ROOT}.{words[1]}.{id}" == _of(id):
                return Address(id, words[3], words[4] if len(words) == 5 else "")
        elif words[0] == ROOT and len(words) == 3 and words[2] in _USER_KINDS:
            return Address(check_token(words[1]), words[2], "")
    raise InvalidRequest(f"subject is {_show(subject)}; it is not a subject of warmxfer", field="subject")


def is_of_archive(subject: str) -> bool:
    """Return whether `subject` is that of an archived record."""
    return subject.startswith(f"{INTERNAL_ROOT}.{ARCHIVED}.")


def is_of_session(subject: str) -> bool:
    """Return whether `subject` names an AI session and no transfer."""
    return subject.startswith(f"{INTERNAL_ROOT}.{SESSION}.")


def is_reply_address(subject: str) -> bool:
    """Return whether a reply may be sent to `subject`: never to a subject of ours or of the broker.

    The author of a request chooses the reply subject. A server may have more rights than that author.
    """
    return not subject.startswith((f"{ROOT}.", f"{INTERNAL_ROOT}.", "$"))


def place_of(subject: str) -> Place:
    """Return where the messages of `subject` (wildcards allowed) are stored.

    Raises InvalidRequest if no stream stores it, or if more than one may.
    """
    words = subject.split(".")
    internal = words[0] == INTERNAL_ROOT
    if internal and len(words) == 3 and words[1] == ARCHIVED:
        return Place(ARCHIVE, subject)
    kind = words[3] if internal and len(words) > 3 else words[-1]
    stream = STREAM_OF_KIND.get(kind)
    if stream is None or len(words) < 3:
        raise InvalidRequest(f"subject is {_show(subject)}; no stream stores it", field="subject")
    if kind in _FROM_USERS and not internal:
        return Place(stream, stored_request(words[1], kind))
    return Place(stream, subject)


def stored_request(id: str, kind: str) -> str:
    """Return the subject under which the request or cancel of a transfer is stored. `id` may be `*`."""
    return f"{INTERNAL_ROOT}.*.*.{kind}" if id == "*" else f"{_of(id)}.{kind}"


def sibling_subject(subject: str, kind: str) -> str | None:
    """Return the subject of `kind` for the id on `subject`, without checking the id.

    It is used only to send a rejection to the author of a request with an invalid id. Returns None if
    `subject` is not the subject of a stored request, or if the id would address more than one subject.
    """
    words = subject.split(".")
    if (
        len(words) != 4
        or words[0] != INTERNAL_ROOT
        or words[3] != "request"
        or len(subject) > MAX_SUBJECT_CHARS
    ):
        return None
    one_subject = words[2].isprintable() and not set(words[2]) & set("*> ")
    return f"{ROOT}.{words[2]}.{kind}" if one_subject else None


@lru_cache(maxsize=1_024)
def _of(id: str) -> str:
    """Return the beginning of the subjects that are stored of transfer `id`. Raises InvalidRequest."""
    return f"{INTERNAL_ROOT}.{partition_of(check_token(id))}.{id}"


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= MAX_SHOWN_CHARS else f"{text[:MAX_SHOWN_CHARS]}…{text[-1]}"
