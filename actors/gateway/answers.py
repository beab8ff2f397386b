"""How the gateway answers: one event a command, under an id that makes a repeat of it no second event."""

from __future__ import annotations

from warmxfer.schemas import Command, CommandFailed, Fault, WarmTransferError

MAX_DETAIL_CHARS = 500


def failed(command: Command, fault: Fault, detail: str, *, status: int | None = None) -> CommandFailed:
    """`command` was not carried out; `fault` says what may be true in the world now."""
    return CommandFailed(
        command_id=command.command_id, fault=fault, detail=detail[:MAX_DETAIL_CHARS], status=status
    )


def refused(command: Command, error: WarmTransferError) -> CommandFailed:
    """Certainly not done; the error's sentence says why."""
    return failed(command, Fault.REFUSED, str(error), status=getattr(error, "status", None))
