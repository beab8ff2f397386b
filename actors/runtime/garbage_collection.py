"""The garbage collector of an actor's process: it runs rarely, and skips what the start left behind.

Reference counts free nearly everything here at once. Only cycles wait for a collection, such as an error that
its own traceback holds: about 60 objects a transfer in the briefing agent, none in the coordinator. Python's
defaults begin a collection at each 700 new objects, which is every second transfer, and each one looks at the
messages and tasks in flight. A full one also looks at all modules and classes.

Test: `tests/actors/runtime/test_garbage_collection.py`.
"""

from __future__ import annotations

import gc
from typing import Final

NEW_OBJECTS: Final = 20_000
"""More new objects than freed ones before a collection of the youngest."""
YOUNG_PER_MIDDLE, MIDDLE_PER_FULL = 5, 5
"""So a full collection comes after half a million objects, where Python's defaults say 70 000."""


def collect_rarely() -> None:
    """Exempt everything that exists now from collections, and make them rare. Call it after the imports."""
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, YOUNG_PER_MIDDLE, MIDDLE_PER_FULL)
