"""The transfer state machine, and nothing else: pure, table-driven, without a clock.

    state.py      what a transfer remembers
    table.py      which event does what in which stage: the behaviour, as data
    step.py       the one function: step(state, event, now)
    plan.py       what waits for what before the supervisor can be asked (both pacings, as data)
    policy.py     fixed numbers and who is missing when nobody answers
    preparing.py  consulting.py  bridging.py  unwinding.py   the handlers, by chapter of a transfer
    people.py     mishaps.py                                 the handlers of what cuts across chapters
    turn.py       one turn's working copy
    record.py     one transition as it is kept
    diagram.py    the table drawn

The law: this folder imports schemas only, awaits nothing, and knows no time but the one it is given.
"""

from __future__ import annotations

from .record import Output, Record, SetTimer, record_decoder
from .state import ENDED, Decision, PendingCommand, PreparationTask, Stage, Transfer
from .step import Applied, Ignored, step

__all__ = [
    "ENDED",
    "Applied",
    "Decision",
    "Ignored",
    "Output",
    "PendingCommand",
    "PreparationTask",
    "Record",
    "SetTimer",
    "Stage",
    "Transfer",
    "record_decoder",
    "step",
]
