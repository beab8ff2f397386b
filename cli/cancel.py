"""`warmxfer cancel <id>`: cancel a transfer."""

from __future__ import annotations

from typing import Annotated

import typer

from .invocation import command_line
from .options import Json, TransferId, Url
from .output import console, print_json, run_command


def cancel(
    id: TransferId,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Reason, kept in the result.")
    ] = "cancelled by request",
    url: Url = None,
    json: Json = False,
) -> None:
    """Cancel a transfer: the caller returns to the AI."""
    run_command(lambda: _cancel(id, reason, url))
    if json:
        print_json({"id": id, "cancelled": True})
    else:
        follow = f"follow it with: {command_line()} watch {id}"
        console().print(f"cancel requested for transfer {id}; {follow}", soft_wrap=True)


async def _cancel(id: str, reason: str, url: str | None) -> None:
    from warmxfer.client import Client

    async with Client.connect(url) as client:
        await client.cancel(id, reason)
