"""`warmxfer request`: request a transfer, by options or by a JSON file."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from warmxfer.actors.runtime.exit_codes import UNSUCCESSFUL

from .invocation import command_line, told_how_to_cancel
from .options import Json, NewTransferId, Url, read_json_file
from .output import console, print_json, run_command


def request(
    file: Annotated[
        str | None,
        typer.Argument(metavar="FILE", help="JSON file with a request; - is stdin. Options override it."),
    ] = None,
    room: Annotated[
        str | None, typer.Option("--room", metavar="ROOM", help="Room of the caller and the AI.")
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="NUMBER", help="Supervisor to call: +14155550123 or sip:dana@example.com."
        ),
    ] = None,
    sender: Annotated[
        str | None, typer.Option("--from", metavar="NUMBER", help="Caller ID that the supervisor sees.")
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="Supervisor to call, by name, instead of the numbers."),
    ] = None,
    rule: Annotated[
        str | None, typer.Option("--rule", metavar="ID", help="Id of the provider's routing rule.")
    ] = None,
    record: Annotated[bool, typer.Option("--record", help="Record the supervisor and the caller.")] = False,
    id: NewTransferId = None,
    wait: Annotated[
        bool, typer.Option("--wait", "-w", help="Follow it to its end; exit code 1 without success.")
    ] = False,
    url: Url = None,
    json: Json = False,
) -> None:
    """Request a warm transfer."""
    from warmxfer.client import new_id
    from warmxfer.schemas import check_request

    raw = {} if file is None else read_json_file("FILE", file, "one JSON object")
    _put(raw, ("room_id",), room)
    _put(raw, ("config", "destination", "sip_call_to"), to)
    _put(raw, ("config", "destination", "sip_call_from"), sender)
    _put(raw, ("config", "destination", "name"), name)
    _put(raw, ("config", "destination", "routing_rule_id"), rule)
    _put(raw, ("config", "record"), record or None)
    check_request(raw)  # before anything is connected
    id = new_id() if id is None else id
    requested = asyncio.Event()
    with told_how_to_cancel(id, json, if_=requested.is_set):
        success = run_command(lambda: _request(raw, id, requested, wait, url, json))
    if not success:
        raise typer.Exit(UNSUCCESSFUL)


async def _request(
    raw: Any, id: str, requested: asyncio.Event, wait: bool, url: str | None, json: bool
) -> bool:
    from warmxfer.client import Client

    from .progress_view import follow_one

    async with Client.connect(url) as client:
        transfer = await client.request(raw, id)
        requested.set()
        if wait:
            return await follow_one(transfer, json)
        if json:
            print_json({"id": transfer.id})
        else:
            follow = f"follow it with: {command_line()} watch {transfer.id}"
            console().print(f"{transfer.id}\n{follow}", soft_wrap=True)
        return True


def _put(raw: Any, path: tuple[str, ...], value: str | bool | None) -> None:
    """Set one field. A request of the wrong shape stays as it is: validation then names the fault."""
    if value is None:
        return
    for step in path[:-1]:
        if not isinstance(raw, dict):
            return
        raw = raw.setdefault(step, {})
    if isinstance(raw, dict):
        raw[path[-1]] = value
