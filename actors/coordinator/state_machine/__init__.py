"""State machine of a transfer: pure, table-driven, without a clock.

    state.py                state of a transfer: stage, tasks, places of caller, leg and room, decision
    transitions.py          which event is handled how in which stage: the behaviour, as data
    command_policy.py       one row per command: who replies, how long, what a failure or time-out means
    step.py                 step(state, event, now): the only way a transfer changes
    preparation.py          the tasks before the supervisor can be asked, for both pacings, as data
    consultation.py         from the first ring to the supervisor's answer
    bridge.py               moves the caller to the supervisor, and back if the bridge fails
    guard.py                after completion: the AI stays for a caller whom the supervisor leaves alone
    archiving.py            when a transfer that is over is archived
    cleanup.py              releases the caller, then ends leg, agent and room
    late_events.py          events that come after the decision
    participant_events.py   participants who are seen or leave, callers who hang up, cancels
    failures.py             commands that fail, deadlines that pass
    leg_checks.py           leg checks: when they are due, and the command that asks the provider
    timeouts.py             fixed durations
    step_context.py         working copy of one transition
    record.py               one transition or several, as the log stores them, in this version or another
    expand.py               the transitions of a record, told apart
    kept_fields.py          fields of a newer version in a stored state
    plain_record.py         what can be read of a log that this version cannot continue
    diagram.py              the transition table as a Mermaid diagram

Invariant: this folder imports only schemas, never awaits, and uses only the time that it is given
(tests/test_layout.py, test_step_properties.py).
"""

from __future__ import annotations

from .archiving import last_record
from .expand import expand, expand_log, join_outboxes
from .kept_fields import UnknownFields
from .plain_record import (
    is_of_another,
    plain_first_event,
    plain_record,
    plain_stage,
    plain_state,
    plain_timer_due_at,
    plain_waits_for_archive,
    salvage,
)
from .record import (
    ALSO_MAX,
    MACHINE_VERSION,
    OUTBOX_MAX,
    ArchiveTransfer,
    FurtherEvent,
    Output,
    Record,
    RecordedEvent,
    RecordedOutput,
    SetTimer,
    UnknownMessage,
    UnreadableRecord,
    decode_record,
    encode_record,
    obstacle,
    unknown_fields,
)
from .state import (
    ENDED,
    LAST_STAGES,
    CallerPlace,
    Decision,
    PendingCommand,
    PreparationTask,
    RoomStatus,
    Stage,
    SupervisorLeg,
    Transfer,
)
from .step import Applied, Ignored, close_log, give_up, step

__all__ = [
    "ALSO_MAX",
    "ENDED",
    "LAST_STAGES",
    "MACHINE_VERSION",
    "OUTBOX_MAX",
    "Applied",
    "ArchiveTransfer",
    "CallerPlace",
    "Decision",
    "FurtherEvent",
    "Ignored",
    "Output",
    "PendingCommand",
    "PreparationTask",
    "Record",
    "RecordedEvent",
    "RecordedOutput",
    "RoomStatus",
    "SetTimer",
    "Stage",
    "SupervisorLeg",
    "Transfer",
    "UnknownFields",
    "UnknownMessage",
    "UnreadableRecord",
    "close_log",
    "decode_record",
    "encode_record",
    "expand",
    "expand_log",
    "give_up",
    "is_of_another",
    "join_outboxes",
    "last_record",
    "obstacle",
    "plain_first_event",
    "plain_record",
    "plain_stage",
    "plain_state",
    "plain_timer_due_at",
    "plain_waits_for_archive",
    "salvage",
    "step",
    "unknown_fields",
]
