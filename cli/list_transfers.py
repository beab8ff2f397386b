"""`warmxfer list`: the transfers with the most recent phases."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Json, Limit, Url
from .output import console, print_json, print_uncut, run_command

if TYPE_CHECKING:
    from warmxfer.client import TransferSummary


def list_transfers(
    limit: Limit = 20,
    running: Annotated[
        bool, typer.Option("--running", help="Show only transfers that have not ended.")
    ] = False,
    url: Url = None,
    json: Json = False,
) -> None:
    """List transfers, the most recent first."""
    listed = run_command(lambda: _list(limit, running, url))
    if json:
        for each in listed:
            print_json(each)
    elif listed:
        _print_table(listed)
    else:
        console().print("no running transfers" if running else "no transfers")


async def _list(limit: int, running: bool, url: str | None) -> list[TransferSummary]:
    from warmxfer.client import Client

    async with Client.connect(url) as client:
        return await client.list(limit, only="running" if running else "all")


def _print_table(listed: list[TransferSummary]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("id", "phase", "outcome", "last change (UTC)"):
        table.add_column(title, no_wrap=True)
    for each in listed:
        changed_at = datetime.fromtimestamp(each.at, UTC).strftime("%Y-%m-%d %H:%M:%S")
        table.add_row(each.id, each.phase.value, each.outcome or "", changed_at)
    print_uncut(console(), table)
