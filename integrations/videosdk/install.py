"""The drop-in: `session.warm_transfer(config)` by warmxfer, with the original's own classes.

    session = AgentSession(agent=agent, pipeline=pipeline)
    install(session)

After that an agent written for the original runs unchanged: the same call, the same
`@session.on_warm_transfer(...)` handlers and `WARM_TRANSFER` events, the same result and exceptions.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal

from warmxfer.actors.primary import Attachment
from warmxfer.actors.primary.hold_lease import DEFAULT_LEASE_S
from warmxfer.adapters.rooms.videosdk.framework import WarmTransferConfig, WarmTransferResult
from warmxfer.bus import Bus

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
    lines: Mapping[str, Any] | None = None,
) -> None:
    """Put `warmxfer` in the place of `session.warm_transfer`; nothing is connected before its first call.

    `nats_url` None: `NATS_URL` from the environment. `pacing` "sequential" keeps the original's order of
    phases. `on_briefing_timeout` "proceed" is the original's way: the caller is moved to a supervisor who
    never said yes. `command_timeout_s` is how long an actor may take over one thing it is told to do;
    `summary_timeout_s`, the model over the summary, which is written while the phone rings, but before the
    hold line where `pacing` is "sequential"; `caller_arrival_timeout_s`, the caller to the supervisor's room.
    `brief_by` "session" is the original's way too: the supervisor is briefed in this process, by a pipeline
    made anew from the classes of the session's. A `config.briefing_pipeline_factory` is called here in any
    case. `lines` are the sentences that people hear, by the names in `SpokenLines`, for example in another
    language; what is not named there is said in English.

    Again on the same session, it sets these anew for the transfers to come; `nats_url` None then leaves it
    where it is. Raises `Refused` for another `nats_url` than the session is on the bus at already.
    """
    ours = {
        "pacing": pacing,
        "on_briefing_timeout": on_briefing_timeout,
        "command_timeout_s": command_timeout_s,
        "lines": dict(lines or {}),
        "summary_timeout_s": summary_timeout_s,
        "caller_arrival_timeout_s": caller_arrival_timeout_s,
    }
    desk = per_session(session, SessionTransfers)
    desk.configure(nats_url, ours, brief_here=brief_by == "session")
    session.warm_transfer = desk.warm_transfer


async def warm_transfer(session: Any, config: WarmTransferConfig) -> WarmTransferResult:
    """Transfer the session's caller to `config.destination`; `install` is done when it was not yet.

    Raises the original's `WarmTransferError`: one is running already, not connected to a room, or failed.
    """
    if not has_per_session(session, SessionTransfers):
        install(session)
    return await per_session(session, SessionTransfers).warm_transfer(config)


@asynccontextmanager
async def attach_agent_session(
    bus: Bus, session: Any, name: str | None = None, *, lease_s: float = DEFAULT_LEASE_S
) -> AsyncIterator[Attachment]:
    """`primary.attach` for an `AgentSession`; `name` is the room's id when left out.

        async with attach_agent_session(bus, session) as attachment:
            await attachment.detached()

    To be called on the session's loop and in the session's context, after `ctx.connect()`: everything the
    proxy does runs in tasks that begin here. A session that is on the bus already, by hand or by the drop-in,
    stays where it is, and its attachment is shared. Raises `Refused` when the job is not connected to a room
    yet, or the session is on the bus under another name, or on another bus.
    """
    async with per_session(session, BusRegistration).register(bus, name, lease_s=lease_s) as attachment:
        yield attachment
