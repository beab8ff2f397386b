"""Exit codes, for scripts."""

from __future__ import annotations

DONE = 0
UNSUCCESSFUL = 1
"""The transfer ended cancelled or failed, or a scenario did not end as expected."""

BROKEN = 1
REFUSED = 2
"""Wrong usage, or refused: the sentence on stderr says what to write instead."""

UNAVAILABLE = 3
"""Nothing answered: no broker, no coordinator, or not in time."""
