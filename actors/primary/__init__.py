"""The primary-session proxy: holds, releases or leaves the live AI call for a transfer.

It lives in the voice agent's own process: `attach` a `Session` and the bus reaches it. The law of this
room: no failure of ours leaves a caller muted.
"""

from __future__ import annotations

from .attach import Attachment, attach
from .sandbox_agent.actor import run
from .sandbox_agent.settings import PrimarySettings
from .session import Session

__all__ = ["Attachment", "PrimarySettings", "Session", "attach", "run"]
