"""What one session needs to be transferred: a place on the bus, and one transfer at a time.

The law of this file: the session goes on the bus with its first transfer and stays there until it ends, for
a caller who was given back is still being spoken to, and one who was handed over still has an AI to take
out of the call. A transfer runs in a task of its own; whoever waits for it may be cancelled. Cancelling that
task calls the transfer off.
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
    model_of,
    room_of,
)
from warmxfer.bus import Bus
from warmxfer.client import Client, new_id
from warmxfer.schemas import InvalidRequest, WarmTransferRequest
from warmxfer.schemas import WarmTransferResult as OurResult
from warmxfer.schemas import WarmxferError as OurError

from .briefing_pipeline import pipeline_for
from .bus_registration import BusRegistration
from .per_session import per_session
from .phase_relay import end_early, relay_phases, tell_failure
from .request_mapping import to_request
from .result_mapping import WarmTransferError, to_result
from .session_adapter import AgentSessionAdapter
from .shared_bus import settings_for, shared_bus

ONE_AT_A_TIME = "A warm transfer is already in progress for this session."
NO_ROOM = "Primary session has no active room; cannot perform warm transfer."
MARGIN_S = 180.0
"""What a transfer may take beside ringing and briefing before nobody waits for it any more."""

CLOSE_TIMEOUT_S = 12.0

log = structlog.get_logger(__name__)


class SessionTransfers:
    """Where one session's transfers are asked for: `own(session, Desk)`, never made otherwise."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._place = per_session(session, BusRegistration)
        self._nats_url: str | None = None
        self._ours: dict[str, Any] = {}
        self._brief_here = False
        self._serving: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None

    def configure(self, nats_url: str | None, ours: dict[str, Any], *, brief_here: bool) -> None:
        """From the next transfer on, go by these.

        `ours` are the fields of our own configuration that the original has no word for. `brief_here`:
        without a function that makes its pipeline, a briefing is held here all the same. `nats_url` None
        changes nothing; raises `Refused` for another one than the session is on already.
        """
        if nats_url is not None:
            if self._place.attachment is not None:
                self._place.check_same(settings_for(nats_url))
            self._nats_url = nats_url
        self._ours = ours
        self._brief_here = brief_here

    async def warm_transfer(self, config: WarmTransferConfig) -> WarmTransferResult:
        """As `AgentSession.warm_transfer`: shielded, one at a time, the original's result and errors."""
        session = self._session
        if session._warm_transfer_in_progress:
            raise WarmTransferError(ONE_AT_A_TIME)
        session._warm_transfer_in_progress = True
        session._warm_transfer_task = task = asyncio.create_task(self._transfer(config), name="warm-transfer")
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Leave the bus once the transfer's end was told, or after `CLOSE_TIMEOUT_S`."""
        serving, self._serving = self._serving, None
        if serving is not None and not serving.done():
            await asyncio.wait([serving], timeout=CLOSE_TIMEOUT_S)
            serving.cancel()

    def _done(self, task: asyncio.Task[WarmTransferResult]) -> None:
        if self._ending is not None and not self._ending.done():
            # One at a time means until the caller is back.
            self._ending.add_done_callback(lambda _: self._done(task))
            return
        self._session._warm_transfer_in_progress = False
        self._session._warm_transfer_task = None
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
                _briefing(bus, adapter, pipeline),
            ):
                result = await self._to_request(Client(bus), request, adapter)
        except OurError as error:
            tell_failure(adapter, str(error))
            raise WarmTransferError(str(error)) from error
        return to_result(result)

    async def _to_request(
        self, client: Client, request: WarmTransferRequest, adapter: AgentSessionAdapter
    ) -> OurResult:
        """Ask, and follow to the end. Cancelled, it calls the transfer off, whatever has come of it."""
        transfer = client.transfer(new_id())
        try:
            await client.request(request, transfer.id)
            return await relay_phases(transfer, adapter, _limit_s(request))
        except asyncio.CancelledError:
            # In a task of its own: who cancels twice does not cancel that.
            self._ending = asyncio.create_task(end_early(transfer, adapter), name="warmxfer-ending")
            await asyncio.shield(self._ending)
            raise

    def _request(self, adapter: AgentSessionAdapter, config: WarmTransferConfig) -> WarmTransferRequest:
        """What is asked for; raises `Refused` for what nobody could do."""
        return to_request(
            config,
            room_id=adapter.room_id,
            caller=adapter.caller_participant_id,
            has_model=model_of(self._session) is not None,
            brief_here=self._brief_here,
            record=is_recorded(self._session),
            **self._ours,
        )

    # ── the session's place on the bus ───────────────────────────────────────────────────────────

    async def _ensure_attached(self) -> AgentSessionAdapter:
        """The adapter of a session that is on the bus."""
        adapter = per_session(self._session, AgentSessionAdapter)
        adapter.last_phase = None
        try:
            if room_of(self._session) is None:
                raise InvalidRequest(NO_ROOM)
            if self._place.attachment is None:
                await self._take_place(adapter)
            elif self._nats_url is not None:
                self._place.check_same(settings_for(self._nats_url))
        except OurError as error:
            tell_failure(adapter, str(error))
            raise WarmTransferError(str(error)) from error
        return adapter

    async def _take_place(self, adapter: AgentSessionAdapter) -> None:
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._serving = asyncio.create_task(self._serve(adapter, ready), name="warmxfer-session")
        self._serving.add_done_callback(_note_end)
        await asyncio.wait([self._serving, ready], return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            await self._serving
        context_of(self._session).add_shutdown_callback(self.close)

    async def _serve(self, adapter: AgentSessionAdapter, ready: asyncio.Future[None]) -> None:
        async with shared_bus(self._nats_url) as bus, self._place.register(bus) as attachment:
            ready.set_result(None)
            await attachment.detached()
            await adapter.wait_phases_emitted()

    def _bus(self) -> AbstractAsyncContextManager[Bus]:
        """The connection to ask on: that of whoever put the session on the bus."""
        if self._place.bus is not None and (self._serving is None or self._serving.done()):
            return nullcontext(self._place.bus)
        return shared_bus(self._nats_url)


def _briefing(
    bus: Bus, adapter: AgentSessionAdapter, pipeline: PipelineFactory | None
) -> AbstractAsyncContextManager[None]:
    """The briefing of this session's transfer, where it is held here; else a worker's affair."""
    return brief_here(bus, adapter.room_id, RoomSettings(pipeline)) if pipeline else nullcontext()


def _note_end(serving: asyncio.Task[None]) -> None:
    if not serving.cancelled() and (error := serving.exception()):
        log.error("session_off_the_bus", error=type(error).__name__)


def _limit_s(request: WarmTransferRequest) -> float:
    return request.config.supervisor_join_timeout_s + request.config.briefing_timeout_s + MARGIN_S
