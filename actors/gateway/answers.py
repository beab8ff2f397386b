"""How the gateway answers: one event a command, under an id that makes a repeat of it no second event."""

from __future__ import annotations

from warmxfer.schemas import Command, CommandFailed, FailureKind, WarmxferError

MAX_DETAIL_CHARS = 500


def command_failed(
    command: Command, fault: FailureKind, detail: str, *, status: int | None = None
) -> CommandFailed:
    """`command` was not carried out; `fault` says what may be true in the world now."""
    return CommandFailed(
        command_id=command.command_id, failure=fault, detail=detail[:MAX_DETAIL_CHARS], status=status
    )


def command_rejected(command: Command, error: WarmxferError) -> CommandFailed:
    """Certainly not done; the error's sentence says why."""
    return command_failed(command, FailureKind.REFUSED, str(error), status=getattr(error, "status", None))
