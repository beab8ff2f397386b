"""The messages of one successful transfer at commit e2d3578, as data. Frozen: see `program.py`.

Recorded on 2026-11-29 from the broker's own trace of one transfer of that commit (`warmxfer demo`,
nats-server 2.15.1). A cloud at 0 ms does not cause four repeats of room events by webhook and one leg check;
they are left out. What remains are 55 stored messages, 22 acknowledgements, 6 reads of the stream leader, 8
direct reads and 2 requests with a reply.

`bytes` is the size of a body without headers. A subject consists of the transfer's id and its session's name.
"""

from __future__ import annotations

from typing import NamedTuple


class Message(NamedTuple):
    """One stored message: who publishes it, where, how large, and how it is delivered.

    `pulled_by` is the durable consumer that delivers it, which acknowledges it. `live_to` are the roles that
    receive it by a plain subscription.
    """

    name: str
    subject: str
    publisher: str
    bytes: int
    pulled_by: str = ""
    live_to: tuple[str, ...] = ()


def _event(name: str, publisher: str, size: int) -> Message:
    return Message(name, "floor.{id}.event", publisher, size, pulled_by="coordinator")


def _log(name: str, size: int) -> Message:
    return Message(name, "floor.{id}.log", "coordinator", size)


def _phase(name: str, size: int) -> Message:
    return Message(name, "floor.{id}.phase", "coordinator", size, live_to=("client", "primary"))


def _work(name: str, role: str, size: int) -> Message:
    return Message(name, f"floor.{{id}}.do.{role}", "coordinator", size, pulled_by=role)


def _timer(name: str) -> Message:
    return Message(name, "floor.{id}.timer.deadline", "coordinator", 53)


def _primary(name: str, size: int) -> Message:
    return Message(name, "floor.{id}.do.primary.{session}", "coordinator", size, live_to=("primary",))


def _consult(name: str, size: int) -> Message:
    return Message(name, "floor.{id}.do.consult", "coordinator", size, live_to=("briefing",))


MESSAGES: tuple[Message, ...] = (
    Message("request", "floor.{id}.request", "client", 946, pulled_by="coordinator"),
    Message("claim", "floor.{session}.claim", "coordinator", 41),
    _log("log.request", 4001),
    _phase("phase.0", 148),
    _primary("hold_caller", 165),
    _work("find_caller_call", "gateway", 142),
    _work("create_room", "gateway", 127),
    _phase("phase.1", 129),
    _work("summarize", "summarizer", 162),
    _timer("timer.0"),
    _event("caller_held", "primary", 105),
    _log("log.caller_held", 2206),
    _phase("phase.2", 125),
    _event("caller_call_found", "gateway", 136),
    _log("log.caller_call_found", 2066),
    _event("room_created", "gateway", 91),
    _log("log.room_created", 3123),
    _phase("phase.3", 187),
    _work("join_consultation", "briefing", 362),
    _work("dial_supervisor", "gateway", 371),
    _timer("timer.1"),
    Message("intent.dial", "floor.{id}.intent.dial-1", "gateway", 101),
    _event("supervisor_dialed", "gateway", 533),
    _log("log.supervisor_dialed", 3192),
    _phase("phase.4", 642),
    _event("consultation_joined", "briefing", 111),
    _log("log.consultation_joined", 2073),
    _event("supervisor_joined", "briefing", 105),
    _event("summary_ready", "summarizer", 315),
    _log("log.summary_ready", 2800),
    _phase("phase.5", 368),
    _event("supervisor_audio", "briefing", 122),
    _log("log.supervisor_audio", 3274),
    _phase("phase.6", 199),
    _phase("phase.7", 139),
    _consult("brief_supervisor", 597),
    _event("supervisor_ready", "briefing", 27),
    _log("log.supervisor_ready", 2668),
    _phase("phase.8", 160),
    _work("switch_caller", "gateway", 279),
    Message("intent.switch", "floor.{id}.intent.switch", "gateway", 101),
    _event("caller_switched", "gateway", 491),
    _log("log.caller_switched", 3331),
    _phase("phase.9", 706),
    _event("caller_left_primary", "primary", 110),
    _event("caller_joined", "briefing", 103),
    _log("log.caller_joined", 2423),
    _consult("leave_consultation", 112),
    _event("caller_audio", "briefing", 120),
    _event("consultation_left", "briefing", 69),
    _log("log.consultation_left", 3447),
    _phase("phase.10", 369),
    Message("result", "floor.{id}.result", "coordinator", 748),
    _primary("leave_call", 106),
    _event("call_left", "primary", 63),
)

LAST_PHASE = "phase.10"
CANCELS_TIMER = "log.consultation_left"
"""This record carries the two headers that cancel the timer."""

HISTORY_REQUEST_BYTES, HISTORY_REPLY_BYTES = 2, 740
"""The summarizer asks the primary session for the transcript; nothing of it is stored."""
TOKEN_REQUEST_BYTES, TOKEN_REPLY_BYTES = 75, 378
"""The briefing agent asks the gateway for a room token; nothing of it is stored."""


RECORDS: dict[str, str] = {
    "request": "log.request",
    "caller_held": "log.caller_held",
    "caller_call_found": "log.caller_call_found",
    "room_created": "log.room_created",
    "supervisor_dialed": "log.supervisor_dialed",
    "consultation_joined": "log.consultation_joined",
    "summary_ready": "log.summary_ready",
    "supervisor_audio": "log.supervisor_audio",
    "supervisor_ready": "log.supervisor_ready",
    "caller_switched": "log.caller_switched",
    "caller_joined": "log.caller_joined",
    "consultation_left": "log.consultation_left",
}
"""Trigger -> the record that the coordinator appends. Any other trigger costs a read of the leader."""


class Outbox(NamedTuple):
    """Messages that the coordinator publishes together, with the last trigger of `after` that arrives."""

    after: frozenset[str]
    messages: tuple[str, ...]


OUTBOXES: tuple[Outbox, ...] = (
    Outbox(
        frozenset({"request"}),
        ("phase.0", "hold_caller", "find_caller_call", "create_room", "phase.1", "summarize", "timer.0"),
    ),
    Outbox(frozenset({"caller_held"}), ("phase.2",)),
    Outbox(
        frozenset({"caller_held", "caller_call_found", "room_created"}),
        ("phase.3", "join_consultation", "dial_supervisor", "timer.1"),
    ),
    Outbox(frozenset({"supervisor_dialed"}), ("phase.4",)),
    Outbox(frozenset({"summary_ready"}), ("phase.5",)),
    Outbox(
        frozenset({"supervisor_dialed", "consultation_joined", "summary_ready", "supervisor_audio"}),
        ("phase.6", "phase.7", "brief_supervisor"),
    ),
    Outbox(frozenset({"supervisor_ready"}), ("phase.8", "switch_caller")),
    Outbox(frozenset({"caller_switched"}), ("phase.9",)),
    Outbox(frozenset({"caller_switched", "caller_joined"}), ("leave_consultation",)),
    Outbox(frozenset({"consultation_left"}), ("phase.10", "result", "leave_call")),
)
