"""How the gateway answers: one event a command, under an id that makes a repeat of it no second event."""

from __future__ import annotations

from warmxfer.bus import Bus, subjects
from warmxfer.schemas import Answer, Command, CommandFailed, Fact, Fault, WarmTransferError, encode

MAX_DETAIL_CHARS = 500


def failed(command: Command, fault: Fault, detail: str, *, status: int | None = None) -> CommandFailed:
    """`command` was not carried out; `fault` says what may be true in the world now."""
    return CommandFailed(
        command_id=command.command_id, fault=fault, detail=detail[:MAX_DETAIL_CHARS], status=status
    )


def refused(command: Command, error: WarmTransferError) -> CommandFailed:
    """Certainly not done; the error's sentence says why."""
    return failed(command, Fault.REFUSED, str(error), status=getattr(error, "status", None))


def kind_of(event: Fact) -> str:
    """The word under which `event` travels."""
    return str(type(event).__struct_config__.tag)


async def publish_answer(bus: Bus, transfer_id: str, answer: Answer) -> None:
    """Publish the answer; the same kind of answer to the same command is stored once."""
    msg_id = f"{transfer_id}-{answer.command_id}-{kind_of(answer)}"
    await bus.publish(subjects.event(transfer_id), encode(answer), msg_id=msg_id)
