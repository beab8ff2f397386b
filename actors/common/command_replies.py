"""Reads an actor's commands and publishes each reply once, under a message id that makes a repeat harmless.

Message ids are unique in the whole stream, and users name their requests by transfer ids. So every message id
of ours contains a colon, which no transfer id can contain.
"""

from __future__ import annotations

from typing import TypeVar

from warmxfer.bus import Bus, DeadLetter, Delivery, NewerVersionNeeded, Stored, subjects
from warmxfer.schemas import (
    Command,
    CommandFailed,
    CommandReply,
    DecodeError,
    Event,
    FailureKind,
    NewerMessage,
    WarmxferError,
    decode_command,
    encode,
)

PUBLISH_DEADLINE_S = 5.0
MAX_DETAIL_CHARS = 500

C = TypeVar("C", bound=Command)


def wire_name(event: Event) -> str:
    """Return the event's tag on the wire."""
    return str(type(event).__struct_config__.tag)


def reply_msg_id(reply: CommandReply) -> str:
    """Return the message id of a reply: the same kind of reply to the same command has the same id."""
    return f"{reply.command_id}:{wire_name(reply)}"


async def publish_reply(
    bus: Bus, transfer_id: str, reply: CommandReply, *, role: str, deadline_s: float = PUBLISH_DEADLINE_S
) -> None:
    """Publish the reply of `role` to a command. Idempotent for two minutes."""
    await publish_event(bus, transfer_id, reply, reply_msg_id(reply), role=role, deadline_s=deadline_s)


async def publish_event(
    bus: Bus,
    transfer_id: str,
    event: Event,
    msg_id: str,
    *,
    role: str,
    deadline_s: float = PUBLISH_DEADLINE_S,
) -> None:
    """Publish an event of `role`. Under the same `msg_id` within two minutes it is stored once."""
    await bus.publish(subjects.event(transfer_id, role), encode(event), msg_id=msg_id, deadline_s=deadline_s)


def read_command(message: Delivery | Stored, command_type: type[C] | tuple[type[C], ...], actor: str) -> C:
    """Return the command in `message`.

    Raises `DeadLetter` if it is none, or none for `actor`. Raises `NewerVersionNeeded` if a newer version may
    have written it.
    """
    try:
        command = decode_command(message.data)
    except NewerMessage as error:
        raise NewerVersionNeeded(f"This {actor} does not know the command: {error}") from error
    except DecodeError as error:
        raise DeadLetter(f"The message is not a command: {error}") from error
    if not isinstance(command, command_type):
        raise DeadLetter(f"{type(command).__name__} is not a command for the {actor}")
    return command


def why_unreadable(
    message: Delivery, command_types: tuple[type[Command], ...], actor: str
) -> DeadLetter | NewerVersionNeeded | None:
    """Return why `message` is no command for `actor`, or None if it is one."""
    try:
        read_command(message, command_types, actor)
    except (DeadLetter, NewerVersionNeeded) as error:
        return error
    return None


def command_failed(
    command: Command,
    failure: FailureKind,
    detail: str,
    *,
    status: int | None = None,
    not_begun: bool = False,
    room_missing: bool = False,
) -> CommandFailed:
    """Return the reply that `command` failed; `failure` says what may have happened at the provider."""
    return CommandFailed(
        command_id=command.command_id,
        failure=failure,
        detail=detail[:MAX_DETAIL_CHARS],
        status=status,
        not_begun=not_begun,
        room_missing=room_missing,
    )


def command_rejected(command: Command, error: WarmxferError, *, not_begun: bool = False) -> CommandFailed:
    """Return the reply that `command` certainly had no effect; the error's text says why."""
    status = getattr(error, "status", None)
    return command_failed(command, FailureKind.REFUSED, str(error), status=status, not_begun=not_begun)
