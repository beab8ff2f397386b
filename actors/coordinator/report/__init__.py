"""The report of one transfer, a pure function of its log: when, by whom, and what is unconfirmed.

report.py       `report(records)`; the data is `schemas/report.py`
stored_log.py   `report_of_log(bodies)`: the same from stored records, also of other versions
attempts.py     one dial of the supervisor: what became of it, and what decided it
commands.py     each command with its reply and its duration
timeline.py     `timeline_of_log(bodies)`: every transition as one entry, and to whom the transfer goes
"""

from __future__ import annotations

from warmxfer.schemas.report import Attempt, CommandTime, Durations, EndedBy, Moments, TransferReport

from .report import report
from .stored_log import report_of_log
from .timeline import entries_of_log, outline_of_log, outline_of_record, timeline_entry, timeline_of_log

__all__ = [
    "Attempt",
    "CommandTime",
    "Durations",
    "EndedBy",
    "Moments",
    "TransferReport",
    "entries_of_log",
    "outline_of_log",
    "outline_of_record",
    "report",
    "report_of_log",
    "timeline_entry",
    "timeline_of_log",
]
