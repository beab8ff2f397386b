"""How a message says what it is: `"type"` holds the snake_case of the struct's name."""

from __future__ import annotations

import re

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def snake_case(name: str) -> str:
    """`DialSupervisor` -> `dial_supervisor`."""
    return _HUMP.sub("_", name).lower()
