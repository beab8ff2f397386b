"""What a demo shows: who said what, how it ended, and what the cloud's ledger says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from warmxfer.schemas import participant_ids
from warmxfer.schemas.participant_ids import Role

from .local_stack.stack import LocalStack
from .output import plain
from .scenario_runner import ScenarioResult

SPEAKERS: Mapping[Role, str] = {"supervisor": "Supervisor", "agent": "AI", "caller": "Caller"}
PRIMARY_AGENT = "agent-"
"""The participant id of the primary agent begins with this."""

STYLES = {"Supervisor": "magenta", "AI": "cyan", "Caller": "yellow"}


async def print_talk(out: Console, house: LocalStack, room_id: str | None) -> None:
    """Everything that was said in a room, in order."""
    if room_id is None:
        return
    for entry in await house.ledger(room=room_id, kind="speech"):
        who = speaker(entry["participantId"])
        out.print(Text.assemble((f"{who:>10}  ", STYLES[who]), plain(entry["text"])))
    out.print()


def print_end(out: Console, played: ScenarioResult) -> None:
    """The summary, who talks to whom, and the ledger's verdict."""
    result, verdict = played.result, played.report
    if result.summary:
        out.print(Text.assemble(("the supervisor was told  ", "bold"), plain(result.summary)))
    pairs = {frozenset(map(speaker, pair)) for pair in verdict["talking"]}
    for pair in pairs:
        out.print(Text.assemble(("now talking              ", "bold"), " and ".join(sorted(pair))))
    out.print(Text.assemble(("the caller is            ", "bold"), played.caller_where))
    moves = verdict["switches"]
    ledger = (
        f"dials {sum(verdict['dials'].values())}, moves {moves['forward']}, moves back {moves['back']}, "
        f"supervisor's legs still up {verdict['supervisorLegsUp']}"
    )
    out.print(Text.assemble(("the cloud executed       ", "bold"), ledger))
    print_faults(out, [played])
    if not played.problems:
        out.print(Text("all is as it must be", style="bold green"))


def print_table(out: Console, played: Sequence[ScenarioResult]) -> None:
    """One line a scenario."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("scenario", "expected", "outcome"):
        table.add_column(title, no_wrap=True)
    for title in ("dials", "moves", "back", "legs up"):
        table.add_column(title, justify="right")
    table.add_column("the caller is", no_wrap=True)
    table.add_column("s", justify="right")
    table.add_column("")
    for each in played:
        verdict, outcome = each.report, each.result.outcome
        table.add_row(
            each.scenario.name,
            "\nor ".join(each.scenario.expected),
            Text(outcome.value, style="bold red" if each.problems else "bold green"),
            str(sum(verdict["dials"].values())),
            str(verdict["switches"]["forward"]),
            str(verdict["switches"]["back"]),
            str(verdict["supervisorLegsUp"]),
            each.caller_where,
            f"{each.took_s:.1f}",
            Text("✘", style="bold red") if each.problems else Text("✔", style="green"),
        )
    out.print(table)
    print_faults(out, played)


def print_faults(out: Console, played: Sequence[ScenarioResult]) -> None:
    """Every sentence about what is not as it must be."""
    for each in played:
        for fault in each.problems:
            out.print(Text.assemble((f"{each.scenario.name}: ", "bold red"), fault))


def as_json(played: ScenarioResult) -> dict[str, Any]:
    """What scripts get."""
    return {
        "scenario": played.scenario.name,
        "id": played.id,
        "expected": played.scenario.expected,
        "outcome": played.result.outcome,
        "caller": played.caller_where,
        "took_s": round(played.took_s, 3),
        "faults": played.problems,
        "phases": played.phases,
        "result": played.result,
        "verdict": played.report,
    }


def speaker(participant_id: str) -> str:
    """Return who speaks. An id that warmxfer did not assign is the caller's or the primary agent's."""
    if assigned := participant_ids.parse(participant_id):
        return SPEAKERS[assigned.role]
    return "AI" if participant_id.startswith(PRIMARY_AGENT) else "Caller"
