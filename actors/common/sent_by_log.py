"""Whether the log of a transfer has sent a command, and still wants it. Pure.

A command is carried out only if its log has sent it. Otherwise each client that may publish on a command's
subject could dial, move, end or record calls. The newest log record decides:

- A command in its outbox was sent by this record.
- A command that it still waits for was sent by an earlier one. What the command says must be what the state
  says: the transfer's own legs, rooms and lines.
- Another command of an earlier record may arrive late, after an outage or a redelivery. An effect is not
  wanted any more. Clean-up is, as long as the state says that something may be left to clean up.
- An archived transfer wants no effect. Its last record does not say what is left to clean up.

Invariants (`tests/actors/common/test_sent_by_log.py`):

- No command reaches a leg, a room or a line that is not the transfer's own.
- A log that is older than the command decides nothing: the command's number is higher than its last one.
- A command that ends or releases something is refused only if the log shows that it was not sent.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from enum import Enum, auto
from typing import Any, NamedTuple, cast

import msgspec

from warmxfer.schemas import DecodeError, LeaveConsultation, SpokenLines, decode_command, participant_ids
from warmxfer.schemas.outcomes import APOLOGIES, PROBLEM

from .log_record import LogRecord, LogState

MAX_AHEAD_S = 7_200.0
"""The deadline of a command is at most this much after the record that sent it."""
DEADLINE_SLACK_S = 0.001

DEFAULT_LINES = (*msgspec.structs.asdict(SpokenLines()).values(), PROBLEM, *APOLOGIES.values())
"""What is spoken if the request gives no line of its own."""

Command = Mapping[str, Any]
"""A command as JSON, with the fields that this version does not know."""
_ADDED_ON_SENDING = ("first_event", "transfer_id")
"""Fields that the coordinator adds to a command of an outbox when it publishes it."""

_UNWINDING = frozenset({"unwinding", "cancelled", "failed"})
_LEAVING = frozenset({"handing_over", "returning", "guarding", "completed"}) | _UNWINDING
_CONSULTING = frozenset({"preparing", "ringing", "briefing", "switching", "arriving", "handing_over"})
KNOWN_STAGES = _LEAVING | _CONSULTING
"""A record in another stage is of a newer version."""
_CLEAN_UP = frozenset(
    {"end_call", "close_room", "return_caller", "release_caller", "leave_consultation", "leave_call"}
)
_BRIEFING_LINES = ("greeting", "question", "connecting", "understood", "confirm", "keys")


class FoundInLog(Enum):
    """What the log says about a command."""

    SENT = auto()
    """The log has sent it, and wants it carried out."""
    OUTDATED = auto()
    """The log may have sent it, and does not want it any more."""
    NOT_SENT = auto()
    """The log has not sent it."""
    UNKNOWN = auto()
    """There is no record, or the record is older than the command, or archived. A later read may decide."""


class Rule(NamedTuple):
    """What a command must say, and when the log wants it although it does not wait for its reply."""

    allowed: Callable[[LogState], Mapping[str, Collection[Any]]]
    """The values that each field may have."""
    wanted_late: Callable[[LogState], bool]


def find_in_log(record: LogRecord | None, command: Command, session: str | None = None) -> FoundInLog:
    """Return what the newest record says about `command`.

    `session`: the session on whose subject the command came; None if the subject names the transfer.
    """
    if record is None:
        return FoundInLog.UNKNOWN
    state = record.state
    if state.archived:
        return _find_in_archived(state, command)
    if session is not None and (state.request is None or state.request.session_name != session):
        return FoundInLog.NOT_SENT
    if _is_in_outbox(record, command):
        return FoundInLog.SENT
    number = command_number(state.id, command.get("command_id"))
    if number is None or command.get("fence", number) != number:
        return FoundInLog.NOT_SENT
    if number > state.commands:
        return FoundInLog.UNKNOWN
    if not _is_plausible(record, command):
        return FoundInLog.NOT_SENT
    kind, pending = command.get("type"), state.pending.get(str(command["command_id"]))
    awaited = pending is not None and pending.kind == kind
    if pending is not None and command["deadline_at"] > pending.due_at + DEADLINE_SLACK_S:
        return FoundInLog.NOT_SENT
    rule = RULES.get(str(kind))
    if rule is None:
        # A command of a newer version: its number and kind are all that can be compared.
        return FoundInLog.SENT if awaited else FoundInLog.OUTDATED
    if not _says(command, rule.allowed(state)):
        return FoundInLog.NOT_SENT
    return FoundInLog.SENT if awaited or rule.wanted_late(state) else FoundInLog.OUTDATED


def _find_in_archived(state: LogState, command: Command) -> FoundInLog:
    """Return what the last record of an archived transfer says. It has no request, no leg and no room.

    So it cannot say whether clean-up is done. Another command of the transfer is not wanted any more.
    """
    number = command_number(state.id, command.get("command_id"))
    if number is None or number > state.commands or command.get("type") in _CLEAN_UP:
        return FoundInLog.UNKNOWN
    return FoundInLog.OUTDATED


def leave_in_log(record: LogRecord) -> LeaveConsultation | None:
    """Return the newest command to leave the consultation that `record` has sent, or still awaits."""
    found: list[LeaveConsultation] = []
    for raw in record.outbox:
        if b"leave_consultation" not in bytes(raw):
            continue
        try:
            sent = decode_command(bytes(raw))
        except DecodeError:
            continue  # of a newer version, or another output that only mentions the word
        if isinstance(sent, LeaveConsultation):
            found.append(sent)
    for id, pending in record.state.pending.items():
        number = command_number(record.state.id, id)
        if pending.kind == "leave_consultation" and number is not None:
            found.append(LeaveConsultation(command_id=id, deadline_at=pending.due_at, fence=number))
    return max(found, key=lambda each: each.fence, default=None)


def command_number(transfer_id: str, command_id: object) -> int | None:
    """Return the number at the end of a command id of `transfer_id`, or None."""
    if not isinstance(command_id, str):
        return None
    prefix, _, number = command_id.rpartition("-")
    if prefix != transfer_id or not 1 <= len(number) <= 9 or not number.isascii() or not number.isdigit():
        return None
    return int(number) or None


def _is_in_outbox(record: LogRecord, command: Command) -> bool:
    """Return whether the outbox has `command` itself, apart from what is added on sending."""
    command_id = command.get("command_id")
    if not isinstance(command_id, str):
        return False
    wanted = command_id.encode()
    for raw in record.outbox:
        if wanted in bytes(raw):
            sent = msgspec.json.decode(raw)
            if isinstance(sent, dict) and _core(sent) == _core(command):
                return True
    return False


def _core(command: Command) -> dict[str, Any]:
    return {name: value for name, value in command.items() if name not in _ADDED_ON_SENDING}


def _is_plausible(record: LogRecord, command: Command) -> bool:
    """Return whether the deadline is one that a coordinator may have set."""
    deadline_at = command.get("deadline_at")
    return isinstance(deadline_at, int | float) and deadline_at <= record.at + MAX_AHEAD_S


def _says(command: Command, allowed: Mapping[str, Collection[Any]]) -> bool:
    """Return whether each field has one of its allowed values. A field that is left out is None."""
    return all(
        any(_is_part_of(command.get(name), each) for each in values) for name, values in allowed.items()
    )


def _is_part_of(value: Any, whole: Any) -> bool:
    """Return whether `value` is `whole`. An object may lack fields: a newer version may have more of them."""
    if isinstance(value, dict) and isinstance(whole, dict):
        given, known = cast("dict[str, Any]", value), cast("dict[str, Any]", whole)
        return all(name in known and _is_part_of(each, known[name]) for name, each in given.items())
    return type(value) is type(whole) and value == whole


def _never(_: LogState) -> bool:
    return False


def _lines(state: LogState) -> list[Any]:
    """Return every line that the transfer may speak: those of its request, and the defaults."""
    given = _texts(state.request.config.lines) if state.request else []
    return [None, *given, *DEFAULT_LINES]


def _texts(value: Any) -> list[str]:
    """Return every text in a JSON value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = list(cast("dict[str, Any]", value).values())
    items = cast("list[Any]", value) if isinstance(value, list) else []
    return [text for each in items for text in _texts(each)]


def _primary_room(state: LogState) -> str | None:
    return state.request.room_id if state.request else None


def _config(state: LogState, name: str) -> Any:
    return getattr(state.request.config, name) if state.request else None


def _wants_return(state: LogState) -> bool:
    """Return whether a caller who is in the consultation room belongs back with the AI."""
    if state.stage in ("returning", *_UNWINDING):
        return True
    return state.stage in ("guarding", "completed") and not state.caller_with_supervisor


def _wants_release(state: LogState) -> bool:
    if state.stage in _UNWINDING:
        return True
    return state.stage == "completed" and not state.caller_with_supervisor


def _wants_leave(state: LogState) -> bool:
    """Return whether the AI session is to leave the call: the caller is with the supervisor, or is gone."""
    return state.stage == "completed" and (state.caller_with_supervisor or state.caller_gone)


def _wants_agent(state: LogState) -> bool:
    """Return whether an agent may join: a worker that takes over answers the command to leave as well."""
    return state.stage in _CONSULTING or state.awaits("leave_consultation")


def _supervisor(state: LogState) -> str:
    return participant_ids.supervisor(state.id, state.attempt)


def _caller(state: LogState) -> str:
    return participant_ids.caller_consult(state.id)


RULES: Mapping[str, Rule] = {
    # ── to the gateway ───────────────────────────────────────────────────────────────────────────
    "create_room": Rule(lambda state: {"key": (state.id,)}, _never),
    "dial_supervisor": Rule(
        lambda state: {
            "attempt": (state.attempt,),
            "room_id": (state.room_id,),
            "participant_id": (_supervisor(state),),
            "destination": (_config(state, "destination"),),
            "caller_room_id": (None, _primary_room(state)),
        },
        _never,
    ),
    "switch_caller": Rule(
        lambda state: {
            "room_id": (state.room_id,),
            "caller_call_id": (state.caller_call_id,),
            "supervisor_call_id": (state.supervisor_call_id,),
            "participant_id": (_caller(state),),
        },
        _never,
    ),
    "return_caller": Rule(
        lambda state: {
            "room_id": (_primary_room(state),),
            "caller_call_id": (state.caller_call_id,),
            "participant_id": (participant_ids.caller_return(state.id),),
            "from_room_id": (state.room_id,),
        },
        _wants_return,
    ),
    "rescue_caller": Rule(
        lambda state: {
            "room_id": (_primary_room(state),),
            "caller_call_id": (state.caller_call_id,),
            "supervisor_call_id": (None, state.supervisor_call_id),
            "consultation_room_id": (None, state.room_id),
            "participant_id": (participant_ids.rescuer(state.id),),
            "rescue": (_config(state, "rescue"),),
        },
        lambda state: state.session_lost and not state.caller_gone,
    ),
    "end_call": Rule(
        lambda state: {
            "attempt": (state.attempt,),
            "room_id": (state.room_id,),
            "participant_id": (_supervisor(state),),
            "call_id": (None, state.supervisor_call_id),
        },
        lambda state: state.leg_doubtful,
    ),
    "record_participant": Rule(
        lambda state: {
            "room_id": (state.room_id,),
            "participant_id": (_supervisor(state), _caller(state)) if _config(state, "record") else (),
        },
        lambda state: not state.ended,
    ),
    "close_room": Rule(
        lambda state: {
            "room_id": (None, state.room_id),
            "key": (None, state.id),
            "caller_call_id": (None, state.caller_call_id),
        },
        lambda state: state.room_closing or state.closing_doubtful,
    ),
    # ── to the primary session ───────────────────────────────────────────────────────────────────
    # The session of a process that was started again holds its caller again.
    "hold_caller": Rule(lambda state: {"line": _lines(state)}, lambda state: not state.ended),
    "release_caller": Rule(lambda state: {"line": _lines(state)}, _wants_release),
    "leave_call": Rule(lambda _: {}, _wants_leave),
    # ── to the briefing agent ────────────────────────────────────────────────────────────────────
    "join_consultation": Rule(
        lambda state: {
            "room_id": (state.room_id,),
            "participant_id": (participant_ids.agent(state.id),),
            "supervisor_participant_id": (_supervisor(state),),
            "caller_participant_id": (_caller(state),),
            "language": (None, _config(state, "lines").get("language")) if state.request else (),
            **{each: _lines(state) for each in ("one_moment", "identify", "identify_key", "screening")},
        },
        _wants_agent,
    ),
    "brief_supervisor": Rule(
        lambda state: {
            "summary": (state.summary,),
            "accept_by": (_config(state, "accept_by"),),
            **{each: _lines(state) for each in _BRIEFING_LINES},
        },
        lambda state: state.stage == "briefing",
    ),
    "leave_consultation": Rule(
        lambda state: {"notice": _lines(state)}, lambda state: state.stage in _LEAVING
    ),
    # ── to the summarizer ────────────────────────────────────────────────────────────────────────
    "summarize": Rule(
        lambda state: {
            "session": (state.request.session_name if state.request else None,),
            "summarize_by": (_config(state, "summarize_by"),),
            "prompt": (_config(state, "summary_prompt"),),
        },
        _never,
    ),
}
"""The commands that a log must hold, by their type."""
