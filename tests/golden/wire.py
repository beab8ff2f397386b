"""The wire format, read from the code, and the two lists that freeze it.

    wire_public.json      names that users depend on; later versions only add to it
    wire_internal.json    messages between actors and stored data; it changes with the layout number

`python -m tests.golden.wire --write` writes both lists. It refuses every change that `wire_rules.py` forbids.
A new name for a Python class or constant changes an import and one row of the tables below, and neither list.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import msgspec

from warmxfer.actors.common.capacity import RoleCapacity
from warmxfer.actors.coordinator.caller_lock import CallerLock
from warmxfer.actors.coordinator.outbox import GUARD_TIMER, TIMER
from warmxfer.actors.coordinator.partition_sharing import CoordinatorPresence
from warmxfer.actors.coordinator.state_machine.record import (
    ArchiveTransfer,
    SetTimer,
    StoredRecord,
    StoredTransfer,
)
from warmxfer.actors.coordinator.state_machine.state import PreparationTask, Stage, Transfer
from warmxfer.actors.gateway import at_most_once, call_marks, dial_limits, leg_lookup
from warmxfer.actors.gateway.handlers import dial, rescue, return_caller
from warmxfer.actors.runtime import exit_codes
from warmxfer.bus import BusSettings, dead_letters, stream, subjects
from warmxfer.bus.consumer_table import CONSUMERS
from warmxfer.bus.consumers import consumer_definition
from warmxfer.bus.messages import Delivery
from warmxfer.schemas import (
    AnyCommand,
    AnyEvent,
    CallCause,
    FailureKind,
    Outcome,
    api,
    participant_ids,
    queries,
    report,
    timeline,
    transfer,
)

from .wire_environment import product_variables
from .wire_fields import Facts, values
from .wire_rules import Wire, layout_faults, public_faults

HERE = Path(__file__).parent
PUBLIC = HERE / "wire_public.json"
INTERNAL = HERE / "wire_internal.json"

PUBLIC_MESSAGES = {
    transfer.WarmTransferRequest: "request",
    transfer.CancelRequest: "cancel",
    transfer.PhaseChanged: "phase",
    transfer.WarmTransferResult: "result",
    transfer.TransferNotice: "notice",
}
PUBLIC_VALUES = {
    Outcome: "outcome",
    transfer.WarmTransferPhase: "phase",
    transfer.NoticeKind: "notice kind",
    report.EndedBy: "ended by",
}
PUBLIC_PARTS = {
    transfer.RescueByDial: "request.config.rescue.dial",
    transfer.RescueByAgent: "request.config.rescue.agent",
}
"""Parts of public messages. Each has a tag of its own."""
API_MESSAGES = {
    api.ValidateReply: "api.validate.reply",
    api.StartQuery: "api.start",
    api.StartReply: "api.start.reply",
    api.TransferQuery: "api.transfer",
    api.TransferStatus: "api.status.reply",
    api.ListQuery: "api.list",
    api.ListReply: "api.list.reply",
    api.CancelQuery: "api.cancel",
    api.CancelReply: "api.cancel.reply",
    report.TransferReport: "api.report.reply",
    timeline.TransferOutline: "api.outline.reply",
    timeline.TransferTimeline: "api.timeline.reply",
    timeline.DeadLettersQuery: "api.dead_letters",
    timeline.DeadLettersReply: "api.dead_letters.reply",
}
API_PARTS = {
    api.TransferSummary: "api.listed",
    report.Moments: "api.report.moments",
    report.Durations: "api.report.durations",
    report.Attempt: "api.report.attempt",
    report.CommandTime: "api.report.command",
    timeline.TimeLimits: "api.outline.limits",
    timeline.TimelineEntry: "api.timeline.entry",
    timeline.DeadLetter: "api.dead_letters.one",
}
PUBLIC_KINDS = tuple(PUBLIC_MESSAGES.values())

QUERIES = {
    queries.HistoryQuery: "query.history",
    queries.History: "reply.history",
    queries.TranscriptTurn: "reply.history.turn",
    queries.SummaryQuery: "query.summary",
    queries.SessionSummary: "reply.summary",
    queries.RoomTokenQuery: "query.token",
    queries.RoomToken: "reply.token",
    queries.LivenessQuery: "query.pulse",
    queries.Liveness: "reply.pulse.one",
    queries.LivenessReply: "reply.pulse",
    queries.EraseQuery: "query.erase",
    queries.EraseReply: "reply.erase",
    queries.ReplayQuery: "query.replay",
    queries.ReplayReply: "reply.replay",
}
KEPT = {
    StoredRecord: "record",
    StoredTransfer: "transfer",
    CallerLock: "claim",
    CoordinatorPresence: "presence",
    RoleCapacity: "capacity",
    at_most_once.ClaimRecord: "intent",
    at_most_once.EffectEnd: "intent.ended",
    dial_limits.DialCount: "dial count",
    dial_limits.PendingCalls: "dial count of pending",
}
INTERNAL_VALUES = {Stage: "stage", PreparationTask: "task", CallCause: "call_cause", FailureKind: "fault"}
ROLES: dict[type, str] = {
    **PUBLIC_MESSAGES,
    transfer.SIPDestination: "request.config.destination",
    **PUBLIC_PARTS,
    **PUBLIC_VALUES,
    **QUERIES,
    **KEPT,
    **INTERNAL_VALUES,
}

EXIT_CODES = {
    "OK": "done",
    "UNSUCCESSFUL": "unsuccessful",
    "INTERNAL": "broken",
    "INVALID": "refused",
    "UNAVAILABLE": "unavailable",
    "INTERRUPTED": "interrupted",
}
"""The constants of `exit_codes`, and their names in the list."""


def public() -> Wire:
    """Return the names that users depend on, read from the code."""
    return {
        "messages": Facts(PUBLIC_VALUES | PUBLIC_MESSAGES | PUBLIC_PARTS | API_MESSAGES | API_PARTS).add(
            [*PUBLIC_MESSAGES, *PUBLIC_PARTS, *API_MESSAGES, *API_PARTS]
        ),
        "values": values(PUBLIC_VALUES),
        "subjects": _subjects(public=True),
        "environment": dict.fromkeys(product_variables(), "read"),
        "exit codes": {
            EXIT_CODES.get(name, name): code
            for name, code in vars(exit_codes).items()
            if name.isupper() and isinstance(code, int)
        },
    }


def internal() -> Wire:
    """Return the messages between actors and the stored data, read from the code."""
    settings = BusSettings()
    return {
        "commands": Facts(ROLES).add(get_args(AnyCommand)),
        "events": Facts(ROLES).add(get_args(AnyEvent)),
        "queries": Facts(ROLES).add(_structs(queries)),
        "kept": Facts(ROLES).add([*KEPT, SetTimer, ArchiveTransfer]),
        "dead letter": _dead_letter(),
        "values": values(INTERNAL_VALUES),
        "subjects": _subjects(public=False),
        "stream": {
            "layout": stream.LAYOUT,
            **_flat({name: stream.stream_definition(name, settings) for name in subjects.STREAMS}),
        },
        "consumers": _flat({name: consumer_definition(name, settings) for name in CONSUMERS}),
        "names": _names(),
    }


def read(path: Path) -> Wire:
    return json.loads(path.read_text())


def written(wire: Wire) -> str:
    """Return a list in its stored format: one fact per line."""
    return json.dumps(wire, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _structs(module: ModuleType) -> list[type[msgspec.Struct]]:
    """Return the structs that `module` itself defines."""
    classes = (each for each in vars(module).values() if isinstance(each, type))
    return [c for c in classes if issubclass(c, msgspec.Struct) and c.__module__ == module.__name__]


def _subjects(*, public: bool) -> dict[str, str]:
    rows = (row for row in subjects.SUBJECTS if _is_public(row) is public)
    return {row.filter: _storing(row, public=public) for row in rows}


def _is_public(row: subjects.SubjectSpec) -> bool:
    if row.name.startswith("api."):
        return True
    return row.filter.startswith("warmxfer.") and row.filter.split(".", 2)[2] in PUBLIC_KINDS


def _storing(row: subjects.SubjectSpec, *, public: bool) -> str:
    """Return whether a subject is stored, and for the actors in which stream."""
    if not row.captured:
        return "never stored"
    return "stored" if public else f"stored in {row.stream}"


def _dead_letter() -> dict[str, Any]:
    delivery = Delivery(
        "ID",
        "event",
        "",
        subjects.event("ID", "gateway"),
        b"",
        seq=7,
        at=0.0,
        delivery_count=1,
        headers={},
        consumer="gateway",
    )
    message = dead_letters.dead_letter(delivery, "CAUSE")
    fields: dict[str, Any] = json.loads(message.data)
    types = {f"body.{name}": type(value).__name__ for name, value in fields.items()}
    return {"message id": message.msg_id, **types}


def _names() -> dict[str, Any]:
    state = Transfer(id="ID", stage=Stage.NEW, started_at=0.0)
    return {
        "timer": TIMER,
        "timer in the bridge guard": GUARD_TIMER,
        "effect dial": dial._effect(1),
        "effect switch": leg_lookup.SWITCH,
        "effect rescue": rescue.RESCUE_EFFECTS[0],
        **{
            f"effect return, attempt {n}": name
            for n, name in enumerate(return_caller.RETURN_EFFECTS[:10], start=1)
        },
        "effect ended": at_most_once._end_effect("EFFECT"),
        "participant supervisor": state.supervisor_participant_id,
        "participant caller, in the consultation room": state.caller_consult_id,
        "participant caller, looked for there": participant_ids.caller_consult("ID"),
        "participant caller, back in the primary room": state.caller_return_id,
        "participant briefing agent": state.agent_participant_id,
        "participant rescuer": state.rescuer_participant_id,
        **{
            f"rescue metadata {key}": value for key, value in call_marks.rescue_metadata("ID", "NAME").items()
        },
        **{f"call metadata {key}": value for key, value in call_marks.call_metadata("ID", 1, "NAME").items()},
    }


def _flat(tree: dict[str, Any], path: str = "") -> dict[str, Any]:
    """Return `tree` as one fact per leaf, and one per list item."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{path}{key}.")
        elif isinstance(value, list):
            flat |= {f"{path}{key} = {item}": "listed" for item in value}
        else:
            flat[f"{path}{key}"] = value
    return flat


def update(path: Path, found: Wire, faults: Callable[[Wire, Wire], list[str]]) -> None:
    """Write `found` to `path`. Exits without writing if `faults` forbids the change."""
    if path.exists() and (forbidden := faults(read(path), found)):
        raise SystemExit("\n".join([f"{path.name} was not written:", *forbidden]))
    path.write_text(written(found))
    print(f"{path.name}: {sum(len(facts) for facts in found.values())} facts")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.golden.wire", description=__doc__)
    parser.add_argument("--write", action="store_true", required=True, help="write both lists")
    parser.parse_args()
    update(PUBLIC, public(), public_faults)
    update(INTERNAL, internal(), layout_faults)


if __name__ == "__main__":
    main()
