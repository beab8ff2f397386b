"""Makes the wall clock of a process wrong. Python imports this module at start if it is on the path.

`CHAOS_CLOCK` names a file that holds the error in seconds. It is read at each reading of the clock, so
a clock can jump while its process works. Monotonic clocks stay right, as with a real jump.
"""

from __future__ import annotations

import datetime
import os
import time
from pathlib import Path

_file = Path(os.environ["CHAOS_CLOCK"])
_real_time, _real_time_ns = time.time, time.time_ns


def _error_s() -> float:
    return float(_file.read_text() or 0)


class _WrongDatetime(datetime.datetime):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:
        return cls.fromtimestamp(time.time(), tz)

    @classmethod
    def utcnow(cls) -> datetime.datetime:
        return cls.now(datetime.UTC).replace(tzinfo=None)


time.time = lambda: _real_time() + _error_s()
time.time_ns = lambda: _real_time_ns() + int(_error_s() * 1_000_000_000)
datetime.datetime = _WrongDatetime
