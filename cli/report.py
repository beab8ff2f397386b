"""`warmxfer report <id>`: when each step of one transfer happened, who ended it, and what is unconfirmed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from .options import Json, TransferId, Url
from .output import console, plain, print_json, run_command

if TYPE_CHECKING:
    from rich.console import Console

    from warmxfer.schemas.report import Attempt, CommandTime, TransferReport

MOMENTS = {
    "asked_at": "asked",
    "held_at": "caller on hold",
    "first_ring_at": "supervisor's phone rang",
    "heard_at": "supervisor heard",
    "accepted_at": "supervisor accepted",
    "together_at": "caller with supervisor",
    "over_at": "over",
    "released_at": "caller back with the AI",
    "talk_ended_at": "one of the two left",
}
DURATIONS = {
    "to_human_s": "time to human",
    "hold_s": "hold",
    "ring_s": "ringing",
    "briefing_s": "briefing",
    "talk_s": "talk",
    "total_s": "total",
}


def report(id: TransferId, url: Url = None, json: Json = False) -> None:
    """Report on a transfer: moments, durations, attempts, commands, and what is unconfirmed."""
    made = run_command(lambda: _report(id, url))
    if json:
        print_json(made)
    else:
        _print(console(), made)


async def _report(id: str, url: str | None) -> TransferReport:
    from warmxfer.actors.coordinator.report import report_of_log
    from warmxfer.client import Client

    async with Client.connect(url) as client:
        stored = await client.started_log(id)
    return report_of_log(id, [each.data for each in stored])


def _print(out: Console, made: TransferReport) -> None:
    from rich.text import Text

    ended_by = f"  ended by {made.ended_by}" if made.ended_by else ""
    out.print(
        Text.assemble(
            (f"transfer {made.transfer_id}", "bold"),
            f"  {made.outcome or f'still running, in stage {made.stage}'}{ended_by}  {plain(made.detail)}",
        )
    )
    _print_rows(out, ("moment", "UTC", "after s"), _moment_rows(made))
    _print_rows(
        out,
        ("duration", "s"),
        [
            (name, f"{value:,.3f}")
            for field, name in DURATIONS.items()
            if (value := getattr(made.durations, field)) is not None
        ],
    )
    _print_rows(
        out,
        ("attempt", "outcome", "decided by", "timer", "cause", "SIP"),
        [_attempt_row(each) for each in made.attempts],
    )
    _print_rows(
        out, ("command", "s", "reply", "failure", "HTTP"), [_command_row(each) for each in made.commands]
    )
    for name in made.recordings:
        out.print(f"recorded: {plain(name)}")
    for sentence in made.unconfirmed:
        out.print(f"unconfirmed: {plain(sentence)}")
    if made.evidence:
        out.print("evidence: " + "  ".join(f"{name}={plain(str(v))}" for name, v in made.evidence.items()))


def _moment_rows(made: TransferReport) -> list[tuple[str, ...]]:
    """Return the moments that happened, in the order of their time."""
    known = [
        (at, name) for field, name in MOMENTS.items() if (at := getattr(made.moments, field)) is not None
    ]
    return [
        (
            name,
            datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S.%f")[:-3],
            f"{at - made.moments.asked_at:,.3f}",
        )
        for at, name in sorted(known)
    ]


def _attempt_row(each: Attempt) -> tuple[str, ...]:
    sip_code = "" if each.sip_code is None else str(each.sip_code)
    return (str(each.number), each.outcome, each.decided_by, each.timer, plain(each.cause), sip_code)


def _command_row(each: CommandTime) -> tuple[str, ...]:
    took = "-" if each.took_s is None else f"{each.took_s:,.3f}"
    status = "" if each.status is None else str(each.status)
    return (f"{each.kind} (again)" if each.again else each.kind, took, each.reply, each.failure, status)


def _print_rows(out: Console, titles: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print a table, or nothing if it has no rows. A column of numbers is aligned to the right."""
    from rich.table import Table

    if not rows:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(title, no_wrap=True, justify="right" if title in ("s", "after s") else "left")
    for row in rows:
        table.add_row(*row)
    out.print(table)
    out.print()
