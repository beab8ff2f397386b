"""The primary actor: holds, releases or ends the live AI session of a caller.

It runs in the voice agent's own process. `attach` subscribes a `Session` to its commands.

Invariant: no failure of warmxfer leaves a caller muted (tests/actors/primary/test_attach.py).
"""

from __future__ import annotations

from .attach import Attachment, attach
from .own_lines import OwnLines
from .sandbox_agent.actor import run
from .sandbox_agent.settings import PrimarySettings
from .session import Session

__all__ = ["Attachment", "OwnLines", "PrimarySettings", "Session", "attach", "run"]
