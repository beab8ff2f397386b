"""`attach`: subscribes a live session to its commands, for as long as the context is open.

    async with attach(bus, session) as attachment:
        framework.on("participant_left", attachment.participant_left)
        await framework.run_the_call()

Commands arrive by one core subscription. It receives nothing while the connection or the process is down.
So the last stored command is read too: a few times on start and after every reconnect, and once when the
liveness of a transfer that holds the caller shows a new stage. A command found that way may be old. The
session applies it only if a coordinator says that its transfer is live.

Each command is applied only if the log of its transfer holds it (`received_commands.py`).

All tasks start inside `attach`. They inherit the context (contextvars) of its caller.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import structlog

from warmxfer import tracing
from warmxfer.bus import Bus, InvalidRequest, LiveMessage, RetryableError, Subscription, subjects
from warmxfer.bus.polling import Rereads
from warmxfer.schemas import (
    AnyCommand,
    DecodeError,
    HistoryQuery,
    HoldCaller,
    LeaveCall,
    NewerMessage,
    ReleaseCaller,
    SummaryQuery,
    ToPrimary,
    WarmxferError,
    decode_command,
    format_traceback,
    undecoded_transfer_id,
)

from ..common.command_replies import reply_msg_id
from ..common.liveness import is_live
from ..common.log_check import LogCheck
from ..common.unknown_commands import UnknownCommands
from .event_queue import EventQueue
from .hold_lease import CHECKS_PER_LEASE, DEFAULT_LEASE_S
from .named_tasks import NamedTasks
from .query_handlers import SUMMARY_REPLY_S, check_query, decode_query, history_reply, summary_reply
from .received_commands import ReceivedCommands
from .session import Session
from .session_controller import SessionController

CATCH_UP_TIMEOUT_S = 2.0
DRAIN_TIMEOUT_S = 3.0

log = structlog.get_logger(__name__)


class Attachment:
    """The framework's handle: it reports here what happens in the room. No method blocks."""

    def __init__(self, name: str, controller: SessionController) -> None:
        self.name = name
        self._controller = controller

    def participant_left(self, participant_id: str, reason: str = "") -> None:
        """Report that a participant left the room of this session."""
        self._controller.participant_left(participant_id, reason)

    def audio_enabled(self, participant_id: str) -> None:
        """Report that the audio of a participant has started in the room of this session."""
        self._controller.audio_enabled(participant_id)

    def closed(self) -> None:
        """Report that the session has ended. A transfer that holds the caller is notified."""
        self._controller.ended.set()

    @property
    def holding(self) -> bool:
        """Whether a transfer holds the caller now."""
        return self._controller.holding_transfer is not None

    async def detached(self) -> None:
        """Block until the session is closed or has left the call."""
        await self._controller.ended.wait()


@asynccontextmanager
async def attach(
    bus: Bus, session: Session, name: str | None = None, *, lease_s: float = DEFAULT_LEASE_S
) -> AsyncIterator[Attachment]:
    """Serve `session` on the bus under `name` (default: its room id) while the context is open.

    Enters the context when missed commands are read, or after `CATCH_UP_TIMEOUT_S`. On exit it waits for the
    command that is being applied, and releases a held caller. `lease_s`: how long a caller stays on hold
    while no coordinator replies.
    Raises `InvalidRequest` if `name` is not a valid subject token.
    """
    name = subjects.check_token(name or session.room_id, "session")
    tasks, events = NamedTasks(), EventQueue(bus)
    controller = SessionController(bus, session, events, tasks, lease_s)
    attachment = Attachment(name, controller)

    check = LogCheck(bus)
    received = ReceivedCommands(check, name, controller, tasks)

    async def reply_history(query: LiveMessage) -> bytes:
        await check_query(check, decode_query(HistoryQuery, query.data).transfer_id, name)
        return await history_reply(session, controller.own_lines)

    async def reply_summary(query: LiveMessage) -> bytes:
        asked = decode_query(SummaryQuery, query.data)
        await check_query(check, asked.transfer_id, name, by_session=True)
        return await summary_reply(session, asked.prompt)

    read = _CommandReader(events, received)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(bus.serve(subjects.ask_history(name), reply_history))
        await stack.enter_async_context(
            bus.serve(subjects.ask_summary(name), reply_summary, deadline_s=SUMMARY_REPLY_S)
        )
        commands = await stack.enter_async_context(bus.subscribe(subjects.session_commands(name)))
        caught_up = asyncio.Event()
        rereads = Rereads(
            bus,
            lambda: _catch_up_safely(bus, controller, name, lease_s, caught_up, read, received),
            f"catch-up-{name}",
        )
        controller.on_new_stage = rereads.read_once
        received.on_dropped = rereads.restart
        stack.push_async_callback(_detach, controller, rereads, events, tasks)
        tasks.start("events", events.run())
        tasks.start("commands", _handle_commands(received, commands, read))
        rereads.start()
        tasks.start("end", _close_when_ended(controller))
        await _wait_for_catch_up(caught_up, CATCH_UP_TIMEOUT_S)
        yield attachment


async def _handle_commands(received: ReceivedCommands, commands: Subscription, read: _CommandReader) -> None:
    async for message in commands:
        try:
            if decoded := await read.decode(message.data):
                with _span(message.headers):
                    await received.apply(*decoded, message.data)
        except Exception as error:
            # The session must still receive the release that follows.
            log.error("session_command_failed", exception=format_traceback(error))


def _span(headers: Mapping[str, str]) -> tracing.SpanContext:
    """Return the span in which a command with these headers is applied."""
    return tracing.handle("process primary", tracing.received(headers))


async def _catch_up_safely(
    bus: Bus,
    controller: SessionController,
    name: str,
    lease_s: float,
    caught_up: asyncio.Event,
    read: _CommandReader,
    received: ReceivedCommands,
) -> bool:
    """Apply the last command of this session if it was missed. Returns False if that must be tried again."""
    try:
        decided = await _catch_up(bus, controller, name, lease_s, read, received)
    except RetryableError as error:
        log.info("catch_up_postponed", session=name, error=str(error))
        return False
    except WarmxferError as error:
        log.error("catch_up_refused", session=name, error=str(error))
        decided = True
    caught_up.set()
    return decided


async def _catch_up(
    bus: Bus,
    controller: SessionController,
    name: str,
    lease_s: float,
    read: _CommandReader,
    received: ReceivedCommands,
) -> bool:
    """Apply the last command of this session if the session missed it and its transfer is live.

    Returns False if that could not be decided, because no coordinator replied, or its log does not say.
    """
    stored = await bus.get_last(subjects.session_commands(name))
    decoded = await read.decode(stored.data) if stored else None
    if stored is None or decoded is None or not controller.is_new(*decoded):
        return True
    transfer_id, command = decoded
    current = transfer_id in (controller.holding_transfer, controller.returning_transfer)
    if isinstance(command, ReleaseCaller | LeaveCall) and current:
        with _span(stored.headers):
            return await _apply_if_held(controller, received, transfer_id, command, stored.data)
    for _ in range(CHECKS_PER_LEASE):
        asked_at = asyncio.get_running_loop().time()
        live = await is_live(bus, transfer_id, lease_s / CHECKS_PER_LEASE)
        if live is not None:
            log.info("command_recovered", transfer_id=transfer_id, command_id=command.command_id, live=live)
            if live:
                with _span(stored.headers):
                    return await _apply_if_held(controller, received, transfer_id, command, stored.data)
            await controller.skip(transfer_id, command)
            return True
        await asyncio.sleep(asked_at + lease_s / CHECKS_PER_LEASE - asyncio.get_running_loop().time())
    log.warning("command_postponed", transfer_id=transfer_id, command_id=command.command_id)
    return False


async def _apply_if_held(
    controller: SessionController,
    received: ReceivedCommands,
    transfer_id: str,
    command: ToPrimary,
    data: bytes,
) -> bool:
    """Apply a stored command if its log holds it. Returns False if the log does not say."""
    held = await received.is_held(transfer_id, command, data)
    if held:
        await controller.apply(transfer_id, command)
    return held is not None


async def _wait_for_catch_up(event: asyncio.Event, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        log.warning("catch_up_delayed", timeout_s=timeout_s)


async def _close_when_ended(controller: SessionController) -> None:
    await controller.ended.wait()
    await controller.close()


async def _detach(
    controller: SessionController, rereads: Rereads, events: EventQueue, tasks: NamedTasks
) -> None:
    """End the attachment. A command that is being applied ends first: it may be what ended the session."""
    controller.ended.set()
    try:
        await controller.close()
        tasks.cancel("commands")
        rereads.stop()
        await events.drain(DRAIN_TIMEOUT_S)
    finally:
        rereads.stop()
        await tasks.stop_all()


class _CommandReader:
    """Decodes the commands of one session. It replies to a command that this version does not know."""

    def __init__(self, events: EventQueue, received: ReceivedCommands) -> None:
        self._events = events
        self._received = received
        self._unknown = UnknownCommands("primary session")

    async def decode(self, data: bytes) -> tuple[str, ToPrimary] | None:
        """Return the transfer id and the command. Returns None, and logs it, if the message is no command.

        Never raises: a message that cannot be read must not stop the ones after it.
        """
        try:
            transfer_id = subjects.check_token(undecoded_transfer_id(data) or "", "transfer_id")
            command = await self._decode(transfer_id, data)
        except (DecodeError, InvalidRequest) as error:
            log.error("command_not_decoded", error=str(error))
            return None
        if command is None:
            return None
        if isinstance(command, HoldCaller | ReleaseCaller | LeaveCall):
            return transfer_id, command
        log.error("command_misdirected", transfer_id=transfer_id, command=type(command).__name__)
        return None

    async def _decode(self, transfer_id: str, data: bytes) -> AnyCommand | None:
        """Return the command; None for one of a newer version, which is replied to if its log has sent it."""
        try:
            return decode_command(data)
        except NewerMessage:
            if not await self._received.is_sent(transfer_id, data):
                return None
            if reply := self._unknown.reply_once(transfer_id, data):
                self._events.enqueue(transfer_id, reply, reply_msg_id(reply))
            return None
