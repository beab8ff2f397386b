"""Python imports this by itself where it is on the path: the wall clock of the process is wrong from then on.

`CHAOS_CLOCK` names a file that says by how many seconds; it is read again at every look at the clock, so that
a clock can jump while its process works. What counts monotonically is left alone, as a real jump leaves it.
"""

from __future__ import annotations

import datetime
import os
import time
from pathlib import Path

_file = Path(os.environ["CHAOS_CLOCK"])
_right, _right_ns = time.time, time.time_ns


def _wrong_s() -> float:
    return float(_file.read_text() or 0)


class _WrongDatetime(datetime.datetime):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:
        return cls.fromtimestamp(time.time(), tz)

    @classmethod
    def utcnow(cls) -> datetime.datetime:
        return cls.now(datetime.UTC).replace(tzinfo=None)


time.time = lambda: _right() + _wrong_s()
time.time_ns = lambda: _right_ns() + int(_wrong_s() * 1_000_000_000)
datetime.datetime = _WrongDatetime
