"""Which fault struck in which phase: the table that shows whether a run of many seeds has tried everything.

A cell is where a transfer stood, by its newest phase, when a fault struck it. A cell that can be hit and was
not is a failure of the simulation: what was never tried was not shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from warmxfer.schemas import WarmTransferPhase

from .faults import CLASSES

Struck = Counter[tuple[str, str]]

PHASES = ("requested", *(phase.value for phase in WarmTransferPhase))
ENDED = frozenset(phase.value for phase in WarmTransferPhase if phase.final)
LIVE = frozenset(PHASES) - ENDED

COMMANDED = LIVE - {"requested"}
"""A command is there to be struck."""
EFFECTIVE = COMMANDED - {"started", "supervisor_joined"}
"""An effect at the provider is there. When the supervisor joins, nothing is under way but the summary."""
DIALLING = frozenset({"summary_ready", "caller_on_hold", "consultation_room_created"})
RINGING = frozenset({"summary_ready", "consultation_room_created", "supervisor_dialed", "briefing_started"})
MOVING = frozenset({"briefing_complete", "call_switched"})
CONSULTING = RINGING | MOVING
TALKING = frozenset({"supervisor_dialed", "briefing_started", *MOVING})
THINKING = frozenset({"summary_generating", "summary_ready", "caller_on_hold", "consultation_room_created"})

CAN_STRIKE: Mapping[str, frozenset[str]] = {
    "publish_lost": LIVE | ENDED,
    "ack_lost": LIVE | ENDED,
    "settle_lost": COMMANDED | ENDED,
    "delivered_twice": COMMANDED | ENDED,
    "received_twice": COMMANDED,
    "read_stale": COMMANDED - {"started"} | ENDED - {"transfer_complete"},
    "timer_late": COMMANDED - {"supervisor_joined"},
    "cloud_slow": COMMANDED - {"supervisor_joined"},
    "cloud_refuses": EFFECTIVE,
    "cloud_limits": EFFECTIVE,
    "cloud_unknown_undone": EFFECTIVE,
    "cloud_unknown_done": EFFECTIVE,
    "cloud_unknown_late": EFFECTIVE,
    "cloud_twice": DIALLING,
    "lookup_unanswered": COMMANDED - {"supervisor_joined"},
    "lookup_stale": COMMANDED,
    "lookup_misses_call": COMMANDED - {"started"},
    "move_fails": MOVING,
    "webhook_lost": CONSULTING,
    "webhook_twice": CONSULTING,
    "webhook_late": CONSULTING,
    "join_fails": RINGING,
    "model_hangs": THINKING | {"briefing_started"},
    "model_endless": THINKING | {"briefing_started"},
    "model_refuses": THINKING | {"briefing_started"},
    "model_fails": THINKING | {"briefing_started"},
    "room_client_lost": CONSULTING,
    "supervisor_hangs_up": TALKING,
}
"""Where a fault has something to strike; whatever is not named here can strike whoever has not ended."""

SEEDS_FOR_EVERY_CELL = 10_000


def can_be_hit(fault: str, phase: str) -> bool:
    """Whether `fault` finds something to strike in a transfer that stands in `phase`."""
    return phase in CAN_STRIKE.get(fault, LIVE)


def empty_cells(struck: Struck) -> list[str]:
    """The cells that can be hit and were not."""
    return [
        f"{fault} in {phase}"
        for fault in CLASSES
        for phase in PHASES
        if can_be_hit(fault, phase) and not struck[fault, phase]
    ]


def table(struck: Struck) -> str:
    """For people: faults down, phases across, with their initials explained below."""
    heads = [_initials(phase) for phase in PHASES]
    width = max(len(fault) for fault in CLASSES)
    rows = ["  ".join([" " * width, *(f"{head:>6}" for head in heads)])]
    for fault in CLASSES:
        cells = (_cell(struck, fault, phase) for phase in PHASES)
        rows.append("  ".join([f"{fault:<{width}}", *(f"{cell:>6}" for cell in cells)]))
    rows.append("".join(f"\n{head:>8}  {phase}" for head, phase in zip(heads, PHASES, strict=True)))
    return "\n".join(rows)


def _cell(struck: Struck, fault: str, phase: str) -> str:
    count = struck[fault, phase]
    return str(count) if count or can_be_hit(fault, phase) else "-"


def _initials(phase: str) -> str:
    return "".join(word[:2] for word in phase.split("_"))
