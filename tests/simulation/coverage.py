"""Coverage of a run of many seeds: which fault struck in which phase.

A cell is a fault class and the newest phase of the transfer that the fault struck. A cell that can be hit and
was not is a failure of the run: that case was not tested.
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
"""A command has been sent."""
EFFECTIVE = COMMANDED - {"started", "supervisor_joined"}
"""The provider is executing something. When the supervisor joins, only the summary is under way."""
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
    "supervisor_hangs_up": TALKING | {"transfer_complete"},
    "caller_hangs_up": LIVE | {"transfer_complete"},
}
"""Phases in which a fault class can strike. A class without an entry can strike in each live phase."""

SEEDS_FOR_EVERY_CELL = 10_000


def can_be_hit(fault: str, phase: str) -> bool:
    """Return whether `fault` can strike a transfer in `phase`."""
    return phase in CAN_STRIKE.get(fault, LIVE)


def empty_cells(struck: Struck) -> list[str]:
    """Return the cells that can be hit and were not."""
    return [
        f"{fault} in {phase}"
        for fault in CLASSES
        for phase in PHASES
        if can_be_hit(fault, phase) and not struck[fault, phase]
    ]


def table(struck: Struck) -> str:
    """Return the table as text: a row per fault, a column per phase, the initials explained below."""
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
