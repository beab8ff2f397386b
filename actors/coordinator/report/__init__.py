"""The report of one transfer, a pure function of its log: when, by whom, and what is unconfirmed.

report.py       the report as data, and `report(records)`
attempts.py     one dial of the supervisor: what became of it, and what decided it
commands.py     each command with its reply and its duration
"""

from __future__ import annotations

from .attempts import Attempt
from .commands import CommandTime
from .report import Durations, EndedBy, Moments, TransferReport, report

__all__ = ["Attempt", "CommandTime", "Durations", "EndedBy", "Moments", "TransferReport", "report"]
