"""The drop-in for `session.warm_transfer(config)` of VideoSDK's WarmTransferRunner, called upstream here.

    session = AgentSession(agent=agent, pipeline=pipeline)
    install(session)

An agent that was written for upstream then runs unchanged: the same call, the same
`@session.on_warm_transfer(...)` handlers and `WARM_TRANSFER` events, the same result and exceptions.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal

from warmxfer.actors.primary import Attachment
from warmxfer.actors.primary.hold_lease import DEFAULT_LEASE_S
from warmxfer.adapters.rooms.videosdk.framework import WarmTransferConfig, WarmTransferResult
from warmxfer.adapters.rooms.videosdk.framework_version import check_version
from warmxfer.bus import Bus
from warmxfer.schemas import Rescue

from .bus_registration import BusRegistration
from .per_session import has_per_session, per_session
from .session_transfers import SessionTransfers


def install(
    session: Any,
    nats_url: str | None = None,
    *,
    pacing: Literal["overlap", "sequential"] = "overlap",
    on_briefing_timeout: Literal["cancel", "proceed"] = "cancel",
    command_timeout_s: float = 10.0,
    summary_timeout_s: float = 15.0,
    caller_arrival_timeout_s: float = 15.0,
    brief_by: Literal["briefing", "session"] = "briefing",
    accept_by: Literal["voice", "either", "key"] = "voice",
    lines: Mapping[str, Any] | str | None = None,
    bridge_guard_s: float | None = None,
    rescue: Rescue | Mapping[str, Any] | None = None,
) -> None:
    """Replace `session.warm_transfer` by warmxfer's. Connects to nothing before its first call.

    - `nats_url`: address of the bus; None: `NATS_URL` from the environment.
    - `pacing`: "sequential" keeps upstream's order of phases.
    - `on_briefing_timeout`: "proceed" does what upstream does: the caller is moved to a supervisor who never
      said yes.
    - `command_timeout_s`: how long an actor may take for one command.
    - `summary_timeout_s`: how long the model may take for the summary. The summary is written while the phone
      rings; with `pacing` "sequential", before the hold line.
    - `caller_arrival_timeout_s`: how long the caller may take to arrive in the supervisor's room.
    - `brief_by`: "session" does what upstream does: this process briefs the supervisor, with a pipeline made
      anew from the classes of the session's. A `config.briefing_pipeline_factory` is always called here.
    - `accept_by`: "voice" does what upstream does. "either" and "key" let the supervisor press 1, 2 or 3.
    - `lines`: spoken sentences by their names in `SpokenLines`, or the code of a language that ships, such as
      "de". Others are English.
    - `bridge_guard_s`: how long this AI stays after completion, muted, for a caller who is then left alone.
      None: 5 s. 0: it leaves at completion, as upstream does.
    - `rescue`: what is done for a caller whose agent process died, as `config.rescue` of a request. None: the
      caller may be alone.

    A second call on the same session sets these for the transfers that follow; `nats_url` None then keeps the
    address. Raises `InvalidRequest` if the session is registered on the bus at another `nats_url`, or if the
    installed `videosdk-agents` is older than 1.0.27.
    """
    check_version()
    settings = {
        "pacing": pacing,
        "on_briefing_timeout": on_briefing_timeout,
        "command_timeout_s": command_timeout_s,
        "accept_by": accept_by,
        "lines": lines if isinstance(lines, str) else dict(lines or {}),
        "summary_timeout_s": summary_timeout_s,
        "caller_arrival_timeout_s": caller_arrival_timeout_s,
        "rescue": rescue,
        "bridge_guard_s": bridge_guard_s,
    }
    transfers = per_session(session, SessionTransfers)
    transfers.configure(nats_url, settings, brief_here=brief_by == "session")
    session.warm_transfer = transfers.warm_transfer


async def warm_transfer(session: Any, config: WarmTransferConfig) -> WarmTransferResult:
    """Transfer the session's caller to `config.destination`. Calls `install` if it was not called yet.

    Raises upstream's `WarmTransferError` if a transfer is running, the session has no room, or the transfer
    fails.
    """
    if not has_per_session(session, SessionTransfers):
        install(session)
    return await per_session(session, SessionTransfers).warm_transfer(config)


@asynccontextmanager
async def attach_agent_session(
    bus: Bus, session: Any, name: str | None = None, *, lease_s: float = DEFAULT_LEASE_S
) -> AsyncIterator[Attachment]:
    """Register an `AgentSession` on the bus as `name` (default: the room's id), and relay its room's events.

        async with attach_agent_session(bus, session) as attachment:
            await attachment.detached()

    A session that is registered already, by hand or by `install`, keeps its registration, and its attachment
    is shared. Raises `InvalidRequest` if the job has no room yet, or if the session is registered under
    another name or on another bus.

    Thread/loop: call it on the session's loop and in its context, after `ctx.connect()`. All tasks for the
    session start here.
    """
    async with per_session(session, BusRegistration).register(bus, name, lease_s=lease_s) as attachment:
        yield attachment
