"""`warmxfer show <id>`: the timeline of one transfer, one line per record.

The timeline names messages and never quotes them. The line below it gives the reason for the outcome. That
line may contain the supervisor's words or the user's reason for a cancel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .options import Json, TransferId, Url
from .output import console, plain, print_json, run_command

if TYPE_CHECKING:
    from warmxfer.actors.coordinator.state_machine import Record


def show(id: TransferId, url: Url = None, json: Json = False) -> None:
    """Show the timeline of a transfer.

    One line per record of the coordinator's log: the event, the stage it led to, the phases and the commands.
    """
    records = run_command(lambda: _records(id, url))
    lines = [timeline_line(record, records[0]) for record in records]
    if json:
        for line in lines:
            print_json(line)
    else:
        _print(records[-1], lines)


async def _records(id: str, url: str | None) -> list[Record]:
    from warmxfer.actors.coordinator.state_machine import decode_record
    from warmxfer.client import Client, NoSuchTransfer, NotStarted

    async with Client.connect(url) as client:
        stored = await client.log(id)
        if not stored:
            raise NotStarted(id) if await client.transfer(id).exists() else NoSuchTransfer(id)
    return [decode_record(each.data) for each in stored]


def timeline_line(record: Record, first: Record) -> dict[str, Any]:
    """Return one line of the timeline; `ms` counts from the first record."""
    from msgspec.inspect import StructType, type_info

    from warmxfer.actors.coordinator.state_machine import SetTimer
    from warmxfer.schemas import Command, PhaseChanged

    def tag(message: Any) -> str:
        info = type_info(type(message))
        return str(info.tag) if isinstance(info, StructType) else type(message).__name__

    return {
        "n": record.state.seq,
        "ms": round((record.at - first.at) * 1_000),
        "event": tag(record.event),
        "stage": record.state.stage.value,
        "phases": [each.phase.value for each in record.outbox if isinstance(each, PhaseChanged)],
        "commands": [tag(each) for each in record.outbox if isinstance(each, Command)],
        "timer": any(isinstance(each, SetTimer) for each in record.outbox),
    }


def _print(last: Record, lines: list[dict[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    state, out = last.state, console()
    room = state.request.room_id if state.request else "?"
    rooms = f"  room {room}  consultation room {state.room_id or '-'}"
    out.print(Text.assemble((f"transfer {state.id}", "bold"), rooms))
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("ms", justify="right")
    for title in ("event", "stage", "phases", "commands"):
        table.add_column(title)
    for line in lines:
        table.add_row(
            f"{line['ms']:,}",
            line["event"],
            line["stage"],
            "\n".join(line["phases"]),
            "\n".join(line["commands"]),
        )
    out.print(table)
    if state.decision:
        evidence = "  ".join(f"{name}={value}" for name, value in state.decision.evidence.items())
        reason = f"  {plain(state.decision.detail or '')}  "
        out.print(
            Text.assemble(
                "outcome: ", (state.decision.outcome.value, "bold"), reason, (plain(evidence), "dim")
            )
        )
    else:
        out.print(f"still running, in stage {state.stage.value}")
