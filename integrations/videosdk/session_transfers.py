"""The transfers of one session: its registration on the bus, and one transfer at a time.

Invariants:

- The session is registered with its first transfer and stays registered until it ends. After a transfer the
  coordinator still speaks to a returned caller, or still takes the AI out of the call.
- A transfer runs in a task of its own. Cancelling a waiter does not cancel it; cancelling that task cancels
  the transfer.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

import structlog

from warmxfer.actors.briefing import brief_here
from warmxfer.adapters.rooms import PipelineFactory, RoomSettings
from warmxfer.adapters.rooms.videosdk.framework import (
    WarmTransferConfig,
    WarmTransferResult,
    context_of,
    is_recorded,
    is_transferring,
    model_of,
    room_of,
    set_transfer_task,
)
from warmxfer.bus import Bus
from warmxfer.client import Client, new_id
from warmxfer.schemas import InvalidRequest, RetryableError, WarmTransferRequest, WarmxferError
from warmxfer.schemas import WarmTransferResult as OurResult

from .briefing_pipeline import pipeline_for
from .bus_registration import BusRegistration
from .per_session import per_session
from .phase_relay import cancel, emit_failure, end_early, relay_phases
from .request_mapping import to_request
from .result_mapping import WarmTransferError, to_result
from .session_adapter import AgentSessionAdapter
from .shared_bus import settings_for, shared_bus

ONE_AT_A_TIME = "A warm transfer is already in progress for this session."
NO_ROOM = "Primary session has no active room; cannot perform warm transfer."
MARGIN_S = 180.0
"""What a transfer may take in addition to ringing and briefing. After that it is cancelled."""

CLOSE_TIMEOUT_S = 12.0
"""Limits how long a closing session waits until the transfer's end was emitted."""

log = structlog.get_logger(__name__)


class SessionTransfers:
    """The transfers of one session. Get it by `per_session(session, SessionTransfers)` only."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._registration = per_session(session, BusRegistration)
        self._nats_url: str | None = None
        self._settings: dict[str, Any] = {}
        self._brief_here = False
        self._serving: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None

    def configure(self, nats_url: str | None, settings: dict[str, Any], *, brief_here: bool) -> None:
        """Set these for the transfers that follow.

        `settings` are fields of our configuration that upstream does not have. With `brief_here` this process
        briefs also without a function that makes the pipeline. `nats_url` None keeps the address. Raises
        `InvalidRequest` if the session is registered at another address.
        """
        if nats_url is not None:
            if self._registration.attachment is not None:
                self._registration.check_same(settings_for(nats_url))
            self._nats_url = nats_url
        self._settings = settings
        self._brief_here = brief_here

    async def warm_transfer(self, config: WarmTransferConfig) -> WarmTransferResult:
        """Transfer as `AgentSession.warm_transfer` does: shielded, one at a time, same result and errors."""
        return await asyncio.shield(self._begin(config))

    async def run(self, config: WarmTransferConfig) -> WarmTransferResult:
        """Transfer as `WarmTransferRunner.run` does: cancelling this cancels the transfer."""
        return await self._begin(config)

    async def close(self) -> None:
        """Leave the bus once the transfer's end was emitted, or after `CLOSE_TIMEOUT_S`."""
        serving, self._serving = self._serving, None
        if serving is not None and not serving.done():
            await asyncio.wait([serving], timeout=CLOSE_TIMEOUT_S)
            serving.cancel()

    def _begin(self, config: WarmTransferConfig) -> asyncio.Task[WarmTransferResult]:
        session = self._session
        if is_transferring(session):
            raise WarmTransferError(ONE_AT_A_TIME)
        task = asyncio.create_task(self._transfer(config), name="warm-transfer")
        set_transfer_task(session, task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[WarmTransferResult]) -> None:
        if self._ending is not None and not self._ending.done():
            # A transfer counts as running until its caller is back.
            self._ending.add_done_callback(lambda _: self._done(task))
            return
        set_transfer_task(self._session, None)
        if not task.cancelled() and (error := task.exception()):
            log.warning("warm_transfer_failed", error=type(error).__name__)

    # ── one transfer ─────────────────────────────────────────────────────────────────────────────

    async def _transfer(self, config: WarmTransferConfig) -> WarmTransferResult:
        adapter = await self._ensure_attached()
        try:
            request = self._request(adapter, config)
            adapter.summary_model = config.summary_llm
            async with (
                pipeline_for(self._session, config, brief_here=self._brief_here) as pipeline,
                self._bus() as bus,
                _briefing(bus, request.session_name, pipeline),
            ):
                result = await self._run(Client(bus), request, adapter)
        except WarmxferError as error:
            emit_failure(adapter, str(error))
            raise WarmTransferError(str(error)) from error
        return to_result(result)

    async def _run(
        self, client: Client, request: WarmTransferRequest, adapter: AgentSessionAdapter
    ) -> OurResult:
        """Request the transfer and follow it to its end. Cancelling this cancels the transfer."""
        transfer = client.transfer(new_id())
        try:
            try:
                await client.request(request, transfer.id)
            except RetryableError:
                # The request may be stored, although its acknowledgement did not arrive.
                await cancel(transfer, "The voice agent could not request it.")
                raise
            return await relay_phases(transfer, adapter, _limit_s(request))
        except asyncio.CancelledError:
            # In a task of its own, so that a second cancellation does not stop it.
            self._ending = asyncio.create_task(end_early(transfer, adapter), name="warmxfer-ending")
            await asyncio.shield(self._ending)
            raise

    def _request(self, adapter: AgentSessionAdapter, config: WarmTransferConfig) -> WarmTransferRequest:
        """Return the request for `config`, to the name that the session has. Raises `InvalidRequest`."""
        attachment = self._registration.attachment
        return to_request(
            config,
            room_id=adapter.room_id,
            session=adapter.room_id if attachment is None else attachment.name,
            caller=adapter.caller_participant_id,
            has_model=model_of(self._session) is not None,
            brief_here=self._brief_here,
            record=is_recorded(self._session),
            **self._settings,
        )

    # ── registration on the bus ──────────────────────────────────────────────────────────────────

    async def _ensure_attached(self) -> AgentSessionAdapter:
        """Register the session if it is not registered; return its adapter."""
        adapter = per_session(self._session, AgentSessionAdapter)
        adapter.last_phase = None
        try:
            if room_of(self._session) is None:
                raise InvalidRequest(NO_ROOM)
            if self._registration.attachment is None:
                await self._start_serving(adapter)
            elif self._nats_url is not None:
                self._registration.check_same(settings_for(self._nats_url))
        except WarmxferError as error:
            emit_failure(adapter, str(error))
            raise WarmTransferError(str(error)) from error
        return adapter

    async def _start_serving(self, adapter: AgentSessionAdapter) -> None:
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._serving = asyncio.create_task(self._serve(adapter, ready), name="warmxfer-session")
        self._serving.add_done_callback(_log_failure)
        await asyncio.wait([self._serving, ready], return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            await self._serving
        context_of(self._session).add_shutdown_callback(self.close)

    async def _serve(self, adapter: AgentSessionAdapter, ready: asyncio.Future[None]) -> None:
        async with shared_bus(self._nats_url) as bus, self._registration.register(bus) as attachment:
            ready.set_result(None)
            await attachment.detached()
            await adapter.wait_phases_emitted()

    def _bus(self) -> AbstractAsyncContextManager[Bus]:
        """Return the connection for the request: the one that the session is registered on."""
        if self._registration.bus is not None and (self._serving is None or self._serving.done()):
            return nullcontext(self._registration.bus)
        return shared_bus(self._nats_url)


def _briefing(bus: Bus, session: str, pipeline: PipelineFactory | None) -> AbstractAsyncContextManager[None]:
    """Brief in this process if there is a pipeline for it; otherwise a briefing worker does."""
    return brief_here(bus, session, RoomSettings(pipeline)) if pipeline else nullcontext()


def _log_failure(serving: asyncio.Task[None]) -> None:
    if not serving.cancelled() and (error := serving.exception()):
        log.error("session_registration_failed", error=type(error).__name__)


def _limit_s(request: WarmTransferRequest) -> float:
    return request.config.supervisor_join_timeout_s + request.config.briefing_timeout_s + MARGIN_S
