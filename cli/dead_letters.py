"""`warmxfer dead-letters`: messages that no worker could handle. List them, show one, have one replayed."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .invocation import command_line
from .options import Json, Limit, Url, refuse_beside
from .output import console, plain, print_json, print_uncut, run_command

if TYPE_CHECKING:
    from warmxfer.bus import StoredDeadLetter
    from warmxfer.schemas import ReplayReply

MAX_CAUSE_CHARS = 80
"""Of a cause in the list. `show` prints it whole."""


class Action(StrEnum):
    LIST = "list"
    SHOW = "show"
    REPLAY = "replay"


def dead_letters(
    context: typer.Context,
    action: Annotated[Action, typer.Argument(metavar="[list|show|replay]", help="What to do.")] = Action.LIST,
    number: Annotated[
        int | None, typer.Argument(metavar="[NUMBER]", help="Number of a dead letter, for show and replay.")
    ] = None,
    limit: Limit = 20,
    url: Url = None,
    json: Json = False,
) -> None:
    """List, show or replay dead letters.

    A dead letter names a message that no worker could handle, and the cause. It holds no part of the message.
    It is listed until its transfer is archived, a minute or two after the end. Then `show ID` has it.
    Once the cause is mended, `replay` asks a coordinator to handle the message again. A command that its
    transfer does not await any more is refused, because a late dial or move would do harm.
    """
    from warmxfer.schemas import InvalidRequest

    if action is Action.LIST:
        refuse_beside(context, "list", "number")
        _print_list(run_command(lambda: _list(limit, url)), json)
        return
    refuse_beside(context, action.value, "limit")
    if number is None:
        raise InvalidRequest(
            f"number is missing; give the number of a dead letter, see: {command_line()} dead-letters",
            field="number",
        )
    if action is Action.SHOW:
        _print_one(run_command(lambda: _show(number, url)), json)
    else:
        _print_replay(number, run_command(lambda: _replay(number, url)), json)


async def _list(limit: int, url: str | None) -> list[StoredDeadLetter]:
    from warmxfer.client import Client

    async with Client.connect(url) as client:
        return await client.dead_letters(limit)


async def _show(number: int, url: str | None) -> StoredDeadLetter:
    from warmxfer.client import Client

    async with Client.connect(url) as client:
        return await client.dead_letter(number)


async def _replay(number: int, url: str | None) -> ReplayReply:
    from warmxfer.client import Client

    async with Client.connect(url) as client:
        return await client.replay(number)


def _fields(dead_letter: StoredDeadLetter) -> dict[str, Any]:
    """Return the fields of a dead letter, as `--json` prints them."""
    import msgspec

    return {
        "number": dead_letter.number,
        "at": dead_letter.at,
        "id": dead_letter.transfer_id,
        **msgspec.structs.asdict(dead_letter.body),
    }


def _print_list(dead_letters: list[StoredDeadLetter], json: bool) -> None:
    if json:
        for each in dead_letters:
            print_json(_fields(each))
        return
    if not dead_letters:
        console().print(
            "no dead letters of transfers that are not archived; those of an archived one: "
            f"{command_line()} show ID",
            soft_wrap=True,
        )
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("number", "time (UTC)", "id", "consumer", "cause"):
        table.add_column(title, no_wrap=True)
    for each in dead_letters:
        cause = plain(each.body.cause)
        cut = cause if len(cause) <= MAX_CAUSE_CHARS else cause[: MAX_CAUSE_CHARS - 1] + "…"
        table.add_row(str(each.number), _time(each.at), each.transfer_id, plain(each.body.consumer), cut)
    print_uncut(console(), table)


def _print_one(dead_letter: StoredDeadLetter, json: bool) -> None:
    fields = _fields(dead_letter)
    if json:
        print_json(fields)
        return
    out = console()
    for name, value in (fields | {"at": f"{_time(dead_letter.at)} UTC"}).items():
        out.print(f"{name:<10} {plain(str(value))}", soft_wrap=True)


def _print_replay(number: int, reply: ReplayReply, json: bool) -> None:
    if json:
        print_json({"number": number, "replayed": True, "subject": reply.subject, "seq": reply.seq})
        return
    from warmxfer.bus import subjects

    id = subjects.parse(reply.subject).id
    line = f"message {reply.seq} on {plain(reply.subject)} is handled again"
    console().print(f"{line}; see: {command_line()} show {id}", soft_wrap=True)


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
