"""Handles a dead-lettered message again, because an operator asked for it on `warmxfer.ask.replay`.

A trigger of a coordinator (request, cancel, event, timer) is handled here, like a redelivery. A command is
published again for its actor.

- Invariant: a command is published again only if the newest record still awaits its reply, or if it only
  cleans up. No replay dials, moves or holds a caller for a transfer that goes on without it.
- Invariant: a request begins its transfer, or the replay is refused: its transfer may have begun otherwise.
- Invariant: a request, a cancel or an event acts at the time of the replay. At the time of the old message,
  the deadlines of its commands could be past, and the request too old. A timer is handled as one that fired
  late.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from warmxfer.bus import (
    Bus,
    Delivery,
    InvalidRequest,
    LiveMessage,
    RetryableError,
    Stored,
    StoredDeadLetter,
    TransferLog,
    find_dead_letter,
    subjects,
)
from warmxfer.schemas import (
    AnyCommand,
    CloseRoom,
    DecodeError,
    EndCall,
    ReplayQuery,
    ReplayReply,
    decode_as,
    decode_command,
    encode,
)

from .settings import MAX_MAX_WAIT_S
from .state_machine import UnreadableRecord, decode_record

CLEAN_UP = (EndCall, CloseRoom)
"""Commands that the gateway carries out however late they arrive, and that end only what a transfer left."""
TRIGGERS = ("request", "cancel", "event", "timeout")
ACT_NOW = ("request", "cancel", "event")
"""Triggers that act at the time of the replay."""
UNDER_ANOTHER_ID = "request a new transfer under another id"
REDELIVERED = 2
"""The delivery count of a replay: a first delivery may be handled by cached state."""

REPLAY_DEADLINE_S = MAX_MAX_WAIT_S + 10.0
"""A request may wait for a free place as long as the settings allow."""

log = structlog.get_logger(__name__)


class DeadLetterReplay:
    """Answers `ReplayQuery`. `handle` handles a trigger."""

    def __init__(self, bus: Bus, handle: Callable[[Delivery], Awaitable[None]]) -> None:
        self._bus = bus
        self._handle = handle
        self._log = TransferLog(bus)

    async def answer(self, query: LiveMessage) -> bytes:
        """Handle the message of a dead letter again. Raises `InvalidRequest` if that could do harm."""
        try:
            number = decode_as(ReplayQuery, query.data).dead_letter
        except DecodeError as error:
            raise InvalidRequest(
                "The query is not a ReplayQuery; send the number of a dead letter"
            ) from error
        letter = await find_dead_letter(self._bus, number)
        message = await self._message(letter)
        address = subjects.parse(message.subject)
        if address.kind == "request":
            await self._begin(await self._delivery(address, letter, message), number)
        elif address.kind in TRIGGERS:
            await self._handle(await self._delivery(address, letter, message))
        elif address.kind == "do":
            await self._publish_again(letter, message)
        else:
            raise InvalidRequest(f"Dead letter {number} is about no message that a worker handles")
        log.info(
            "dead_letter_replayed",
            transfer_id=address.id,
            dead_letter=number,
            kind=address.kind,
            seq=message.seq,
        )
        return encode(ReplayReply(message.subject, message.seq))

    async def _begin(self, request: Delivery, number: int) -> None:
        """Have a request begin its transfer. Raises `InvalidRequest` if it has begun, or does not begin."""
        id = request.transfer_id
        if await self._has_begun(id):
            raise InvalidRequest(
                f"Dead letter {number} is about the request of transfer {id}, which has begun; "
                f"{UNDER_ANOTHER_ID}"
            )
        await self._handle(request)
        if not await self._has_begun(id):
            raise InvalidRequest(
                f"Transfer {id} of dead letter {number} did not begin, because its id was used before; "
                f"{UNDER_ANOTHER_ID}"
            )

    async def _delivery(
        self, address: subjects.Address, letter: StoredDeadLetter, message: Stored
    ) -> Delivery:
        """Return the delivery of a trigger for the replay."""
        acts_now = address.kind in ACT_NOW
        return Delivery(
            *address,
            message.subject,
            message.data,
            message.seq,
            max(message.at, await self._bus.broker_time()) if acts_now else message.at,
            REDELIVERED,
            message.headers,
            letter.body.consumer,
            replayed=acts_now,
        )

    async def _message(self, letter: StoredDeadLetter) -> Stored:
        body = letter.body
        if body.count > 1:
            raise InvalidRequest(
                f"Dead letter {letter.number} stands for {body.count} messages; none is handled again"
            )
        try:
            address = subjects.parse(body.subject)
        except InvalidRequest as error:
            raise InvalidRequest(
                f"Dead letter {letter.number} is about a message whose subject has no valid id; "
                "send the message again under a valid one"
            ) from error
        if address.id != letter.transfer_id:
            raise InvalidRequest(f"Dead letter {letter.number} is about a message of another transfer")
        stored = None
        if body.stream in subjects.STREAMS and body.seq > 0:
            stored = await self._bus.get_by_number(body.stream, body.seq)
        if stored is None or stored.subject != body.subject:
            raise InvalidRequest(f"The message of dead letter {letter.number} is not stored any more")
        return stored

    async def _publish_again(self, letter: StoredDeadLetter, message: Stored) -> None:
        """Publish a command again, under an id of its own. Raises `InvalidRequest` if that could do harm."""
        command, id = _command_in(letter, message), letter.transfer_id
        if not isinstance(command, CLEAN_UP) and not await self._is_awaited(id, command):
            raise InvalidRequest(
                f"Dead letter {letter.number} is about the command {type(command).__struct_config__.tag}, "
                f"which transfer {id} does not await any more; request a new transfer instead"
            )
        msg_id = f"{id}:replay:{letter.number}"
        await self._bus.publish(message.subject, message.data, msg_id=msg_id)

    async def _has_begun(self, id: str) -> bool:
        return await self._log.get_last_from_leader(id) is not None

    async def _is_awaited(self, id: str, command: AnyCommand) -> bool:
        newest = await self._log.get_last_from_leader(id)
        if newest is None:
            return False
        try:
            state = decode_record(newest.data).state
        except UnreadableRecord as error:
            raise RetryableError(f"The newest record of transfer {id} cannot be read: {error}") from error
        return command.command_id in state.pending


def _command_in(letter: StoredDeadLetter, message: Stored) -> AnyCommand:
    try:
        return decode_command(message.data)
    except DecodeError as error:
        raise InvalidRequest(
            f"The message of dead letter {letter.number} cannot be read by this version: {error}"
        ) from error
