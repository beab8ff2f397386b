"""`warmxfer show <id>`: the timeline of one transfer, one line per record.

The timeline names messages and never quotes them. The line below it gives the reason for the outcome. That
line may contain the supervisor's words or the user's reason for a cancel.

The log is read as plain JSON, so that records of every version are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from .options import Json, TransferId, Url
from .output import console, plain, print_json, run_command

if TYPE_CHECKING:
    from rich.console import Console

    from warmxfer.bus import DeadLetterBody, Stored
    from warmxfer.schemas.timeline import TimelineEntry

UNREADABLE = "(unreadable record)"


def show(id: TransferId, url: Url = None, json: Json = False) -> None:
    """Show the timeline of a transfer.

    One line per record of the coordinator's log: the event, the stage it led to, the phases and the commands.
    Then the dead letters of an archived transfer.
    """
    stored, dead_letters = run_command(lambda: _stored(id, url))
    if json:
        for line in timeline(stored):
            print_json(line)
        for each in dead_letters:
            print_json({"dead_letter": each})
    else:
        print_timeline(console(), id, stored)
        for each in dead_letters:
            number = f"message {each.seq} on {plain(each.subject)}"
            console().print(f"dead letter: {number}  {plain(each.cause)}", soft_wrap=True)


async def _stored(id: str, url: str | None) -> tuple[Sequence[Stored], Sequence[DeadLetterBody]]:
    """Return the log of a transfer, and the dead letters that the archive has of it."""
    from warmxfer.client import Client

    async with Client.connect(url) as client:
        return await client.started_log(id), await client.archived_dead_letters(id)


def timeline(stored: Sequence[Stored]) -> list[dict[str, Any]]:
    """Return the timeline of a log that has a record, one line for each transition."""
    from warmxfer.actors.coordinator.report import entries_of_log

    entries = entries_of_log([(each.at, each.data) for each in stored])
    return [timeline_line(entry, number, entries[0].at) for number, entry in enumerate(entries, 1)]


def timeline_line(entry: TimelineEntry, number: int, first_at: float) -> dict[str, Any]:
    """Return one line of the timeline: transition `number`, for which the first one was at `first_at`."""
    return {
        "n": number,
        "ms": round((entry.at - first_at) * 1_000),
        "event": entry.event or UNREADABLE,
        "stage": entry.stage,
        "phases": entry.phases,
        "commands": entry.commands,
        "timer": entry.timer,
    }


def _object(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return plain(value) if isinstance(value, str) else ""


def print_timeline(out: Console, id: str, stored: Sequence[Stored]) -> None:
    """Print the timeline of transfer `id`, and the outcome."""
    from rich.table import Table
    from rich.text import Text

    from warmxfer.actors.coordinator.state_machine import plain_record

    last = next(filter(None, (plain_record(each.data) for each in reversed(stored))), dict[str, Any]())
    state = _object(last.get("state"))
    room = _text(_object(state.get("request")).get("room_id")) or "?"
    rooms = f"  room {room}  consultation room {_text(state.get('room_id')) or '-'}"
    out.print(Text.assemble((f"transfer {id}", "bold"), rooms), soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("ms", justify="right")
    for title in ("event", "stage", "phases", "commands"):
        table.add_column(title)
    for line in timeline(stored):
        table.add_row(
            f"{line['ms']:,}",
            line["event"],
            line["stage"],
            "\n".join(line["phases"]),
            "\n".join(line["commands"]),
        )
    out.print(table)
    decision = _object(state.get("verdict"))
    if decision:
        evidence = "  ".join(f"{name}={value}" for name, value in _object(decision.get("evidence")).items())
        outcome, detail = _text(decision.get("outcome")), _text(decision.get("detail"))
        out.print(Text.assemble("outcome: ", (outcome, "bold"), f"  {detail}  ", (plain(evidence), "dim")))
    else:
        out.print(f"still running, in stage {_text(state.get('stage')) or '?'}")
