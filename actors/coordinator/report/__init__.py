"""The report of one transfer, a pure function of its log: when, by whom, and what is unconfirmed.

report.py       `report(records)`; the data is `schemas/report.py`
stored_log.py   `report_of_log(bodies)`: the same from stored records, also of other versions
attempts.py     one dial of the supervisor: what became of it, and what decided it
commands.py     each command with its reply and its duration
"""

from __future__ import annotations

from warmxfer.schemas.report import Attempt, CommandTime, Durations, EndedBy, Moments, TransferReport

from .report import report
from .stored_log import report_of_log

__all__ = [
    "Attempt",
    "CommandTime",
    "Durations",
    "EndedBy",
    "Moments",
    "TransferReport",
    "report",
    "report_of_log",
]
