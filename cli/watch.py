"""`warmxfer watch [<id>]`: one transfer as a live checklist, or all transfers line by line."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import typer

from warmxfer.actors.runtime.exit_codes import UNSUCCESSFUL

from .invocation import told_how_to_cancel
from .options import Json, OptionalTransferId, Url
from .output import console, plain, print_json, run_command, run_until_stopped

if TYPE_CHECKING:
    from rich.console import Console

    from warmxfer.client import Client


def watch(
    id: OptionalTransferId = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """Follow one transfer to its end, or all transfers.

    With an id, the command ends with the transfer: exit code 0 on success, otherwise 1. Without an id, it
    prints the phases and notices of all transfers until Ctrl-C.
    """
    if id is None:
        run_until_stopped(lambda: _watch_all(url, json))
        return
    with told_how_to_cancel(id, json):
        success = run_command(lambda: _watch_one(id, url, json))
    if not success:
        raise typer.Exit(UNSUCCESSFUL)


async def _watch_one(id: str, url: str | None, json: bool) -> bool:
    from warmxfer.client import Client

    from .progress_view import follow_one

    async with Client.connect(url) as client:
        return await follow_one(client.transfer(id), json)


async def _watch_all(url: str | None, json: bool) -> None:
    from warmxfer.client import Client

    out = console()
    if not json:
        out.print("waiting for phases of any transfer; stop with Ctrl-C", style="dim")
    async with Client.connect(url) as client:
        await asyncio.gather(_print_phases(client, out, json), _print_notices(client, out, json))


async def _print_phases(client: Client, out: Console, json: bool) -> None:
    async for id, phase in client.all_phases():
        if json:
            print_json({"id": id, "phase": phase})
        else:
            out.print(f"{id}  {phase.seq:>2}  {phase.phase.value}", soft_wrap=True)


async def _print_notices(client: Client, out: Console, json: bool) -> None:
    async for id, notice in client.all_notices():
        if json:
            print_json({"id": id, "notice": notice})
        else:
            out.print(f"{id}   !  {notice.notice.value}  {plain(notice.detail)}", soft_wrap=True)
