"""The VideoSDK framework's own side of a transfer: a live `AgentSession` on the bus, and its drop-in API.

    from warmxfer.integrations.videosdk import install
    install(session)                                # session.warm_transfer(config) is ours from here on

The law of this room: it is imported only by those who ask for it, and needs the extra `videosdk`.
Of these files only `framework.py` imports the framework. A live session may close between any two lines, so
every access to one goes through that file. `actors/voices/videosdk*.py` import the framework too, for the
briefing agent's room.
"""

from __future__ import annotations

from .install import attach_agent_session, install, warm_transfer
from .result_mapping import WarmTransferError
from .session_adapter import AgentSessionAdapter

__all__ = [
    "AgentSessionAdapter",
    "WarmTransferError",
    "attach_agent_session",
    "install",
    "warm_transfer",
]
