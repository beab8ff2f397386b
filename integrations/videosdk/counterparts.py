"""The public classes of `videosdk.agents.warm_transfer` (upstream), each under its own name.

One changed import is enough for a script: a `WarmTransferConfig` of this module is carried out by warmxfer,
whether the script calls `session.warm_transfer(config)` or `WarmTransferRunner(session, config).run()`. A
configuration of upstream's own class is carried out by upstream, unless `install` was called for the session.

`SIPDestination`, `WarmTransferPhase` and `WarmTransferResult` are upstream's classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import structlog

from warmxfer.adapters.rooms.videosdk import framework
from warmxfer.adapters.rooms.videosdk.framework import ChatRole, WarmTransferResult, summary_of_agent
from warmxfer.adapters.rooms.videosdk.framework_patches import divert_transfers
from warmxfer.schemas import SpokenLines

from .install import install
from .per_session import has_per_session, per_session
from .session_transfers import SessionTransfers

log = structlog.get_logger(__name__)


@dataclass
class WarmTransferConfig(framework.WarmTransferConfig):
    """Upstream's configuration, of a transfer that warmxfer carries out."""


class WarmTransferRunner:
    """Runs one transfer of a session, as upstream's runner. Calls `install` if it was not called yet."""

    def __init__(self, session: Any, config: framework.WarmTransferConfig) -> None:
        self._session = session
        self._config = config

    async def run(self) -> WarmTransferResult:
        """Transfer the caller. Cancelling this cancels the transfer. Raises `WarmTransferError`."""
        return await _run(self._session, self._config)


class WarmTransferAgent(framework.UpstreamAgent):
    """An agent that briefs a supervisor in a session of the user's own, with upstream's events and tools.

    It waits for `supervisor_ready_event`. Then it says greeting, summary and question, each word for word;
    upstream lets the model narrate. If the supervisor interrupts, the model replies; the rest is not said.
    The model calls `done_briefing`, `decline_transfer` or `voicemail_detected`.
    """

    async def on_enter(self) -> None:
        """Brief the supervisor once their audio is live."""
        summary = summary_of_agent(self)
        context: Any = self.chat_context
        session: Any = self.session
        context.add_message(role=ChatRole.SYSTEM, content=f"CALL SUMMARY TO BRIEF SUPERVISOR:\n{summary}")
        await self.supervisor_ready_event.wait()
        lines = SpokenLines()
        for line in (lines.greeting, summary, lines.question):
            if self.briefing_failed_event.is_set():
                return  # also set when the session closes
            try:
                said = await session.say(line)
            except Exception as error:  # a vendor's component may raise anything
                log.error("briefing_line_failed", error=type(error).__name__)
                return
            if said.interrupted:
                return


def _is_ours(session: Any, config: Any) -> bool:
    return isinstance(config, WarmTransferConfig) or has_per_session(session, SessionTransfers)


def _transfers(session: Any) -> SessionTransfers:
    if not has_per_session(session, SessionTransfers):
        install(session)
    return per_session(session, SessionTransfers)


async def _transfer(session: Any, config: Any) -> WarmTransferResult:
    return await _transfers(session).warm_transfer(config)


async def _run(session: Any, config: Any) -> WarmTransferResult:
    return await _transfers(session).run(config)


divert_transfers(_is_ours, _transfer, _run)
