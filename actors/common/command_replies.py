"""How an actor takes the one kind of command that is its own, and answers: one event, under a name that
makes a repeat harmless.

Names (`Msg-Id`) count across the whole stream, and users name their requests by transfer ids; so every name
of ours has a colon in it, which no id can.
"""

from __future__ import annotations

from typing import TypeVar

from warmxfer.bus import Bus, DeadLetter, Delivery, Stored, subjects
from warmxfer.schemas import (
    Command,
    CommandFailed,
    CommandReply,
    DecodeError,
    Event,
    FailureKind,
    WarmxferError,
    decode_command,
    encode,
)

PUBLISH_DEADLINE_S = 5.0
MAX_DETAIL_CHARS = 500

C = TypeVar("C", bound=Command)


def wire_name(event: Event) -> str:
    """The word under which `fact` travels."""
    return str(type(event).__struct_config__.tag)


def reply_msg_id(reply: CommandReply) -> str:
    """The same kind of answer to the same command has the same name."""
    return f"{reply.command_id}:{wire_name(reply)}"


async def publish_reply(
    bus: Bus, transfer_id: str, reply: CommandReply, *, deadline_s: float = PUBLISH_DEADLINE_S
) -> None:
    """Answer a command; a repeat within two minutes is stored once."""
    await publish_event(bus, transfer_id, reply, reply_msg_id(reply), deadline_s=deadline_s)


async def publish_event(
    bus: Bus, transfer_id: str, event: Event, msg_id: str, *, deadline_s: float = PUBLISH_DEADLINE_S
) -> None:
    """Tell what happened; under the same name within two minutes it is stored once."""
    await bus.publish(subjects.event(transfer_id), encode(event), msg_id=msg_id, deadline_s=deadline_s)


def read_command(message: Delivery | Stored, command_type: type[C], actor: str) -> C:
    """The command in `message`; raises `Park` for what is none, or none for `actor`."""
    try:
        command = decode_command(message.data)
    except DecodeError as error:
        raise DeadLetter(f"The message is not a command: {error}") from error
    if not isinstance(command, command_type):
        raise DeadLetter(f"{type(command).__name__} is not a command for the {actor}")
    return command


def command_failed(
    command: Command, failure: FailureKind, detail: str, *, status: int | None = None
) -> CommandFailed:
    """`command` was not carried out; `fault` says what may be true in the world now."""
    return CommandFailed(
        command_id=command.command_id, failure=failure, detail=detail[:MAX_DETAIL_CHARS], status=status
    )


def command_rejected(command: Command, error: WarmxferError) -> CommandFailed:
    """Certainly not done; the error's sentence says why."""
    return command_failed(command, FailureKind.REFUSED, str(error), status=getattr(error, "status", None))


async def reply_to_dead_letter(bus: Bus, delivery: Delivery, command_type: type[Command], cause: str) -> None:
    """A command became a dead letter: tell whoever waits for its answer. Of what is none, nobody waits."""
    try:
        command = read_command(delivery, command_type, "")
    except DeadLetter:
        return
    failed = CommandFailed(command_id=command.command_id, failure=FailureKind.BROKEN, detail=cause)
    await publish_reply(bus, delivery.transfer_id, failed)
