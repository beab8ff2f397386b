"""The primary-session proxy: holds, releases or leaves the live AI call for a transfer.

It lives in the voice agent's own process: `attach` a `Session` and the bus reaches it. The law of this
room: no failure of ours leaves a caller muted.
"""

from __future__ import annotations

from .actor import run
from .port import Session
from .proxy import Attachment, attach
from .settings import PrimarySettings

__all__ = ["Attachment", "PrimarySettings", "Session", "attach", "run"]
