"""A live `AgentSession` of the VideoSDK framework on the bus, and a drop-in for `session.warm_transfer`.

    from warmxfer.integrations.videosdk import install
    install(session)                                # session.warm_transfer(config) runs warmxfer from here on

Or, with the classes of `videosdk.agents.warm_transfer` under their own names:

    from warmxfer.integrations.videosdk import SIPDestination, WarmTransferConfig

Importing this package needs the extra `videosdk`. Nothing else in warmxfer imports it.

Invariant: these files reach the framework through `warmxfer.adapters.rooms.videosdk.framework*` only. A live
session may close between any two lines. `tests/videosdk/test_framework_access.py` holds it.
"""

from __future__ import annotations

from warmxfer.adapters.rooms.videosdk.framework import SIPDestination, WarmTransferPhase, WarmTransferResult

from .counterparts import WarmTransferAgent, WarmTransferConfig, WarmTransferRunner
from .install import attach_agent_session, install, warm_transfer
from .result_mapping import WarmTransferError
from .session_adapter import AgentSessionAdapter

__all__ = [
    "AgentSessionAdapter",
    "SIPDestination",
    "WarmTransferAgent",
    "WarmTransferConfig",
    "WarmTransferError",
    "WarmTransferPhase",
    "WarmTransferResult",
    "WarmTransferRunner",
    "attach_agent_session",
    "install",
    "warm_transfer",
]
