"""Output of the demo: the conversations, the timeline, the outcome, and what the sandbox's ledger says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from warmxfer.bus.subject_table import OPERATOR
from warmxfer.client import Client
from warmxfer.schemas import participant_ids
from warmxfer.schemas.participant_ids import Role

from .local_stack.stack import LocalStack
from .output import plain, print_uncut
from .scenario_runner import ScenarioResult
from .show import print_timeline

SPEAKERS: Mapping[Role, str] = {
    "supervisor": "Supervisor",
    "agent": "AI",
    "caller": "Caller",
    "rescuer": "Rescuer",
}
PRIMARY_AGENT = "agent-"
"""The participant id of the primary agent begins with this."""

STYLES = {"Supervisor": "magenta", "AI": "cyan", "Caller": "yellow", "Rescuer": "green"}


async def print_conversation(out: Console, stack: LocalStack, room_id: str | None) -> None:
    """Print every utterance in a room, in order."""
    if room_id is None:
        return
    for entry in await stack.ledger(room=room_id, kind="speech"):
        speaker = speaker_name(entry["participantId"])
        out.print(Text.assemble((f"{speaker:>10}  ", STYLES[speaker]), plain(entry["text"])))
    out.print()


async def print_log(out: Console, stack: LocalStack, id: str) -> None:
    """Print the timeline of transfer `id`, as `warmxfer show` does. Only the user `operator` may read it."""
    async with Client.connect(env=stack.bus_env(OPERATOR)) as client:
        stored = await client.log(id)
    print_timeline(out, id, stored)
    out.print()


def print_end(out: Console, played: ScenarioResult) -> None:
    """Print the summary, the final connections, and what the sandbox executed."""
    result, report = played.result, played.report
    if result.summary:
        out.print(Text.assemble(("summary for supervisor   ", "bold"), plain(result.summary)))
    pairs = {frozenset(map(speaker_name, pair)) for pair in report["talking"]}
    for pair in pairs:
        out.print(Text.assemble(("now talking              ", "bold"), " and ".join(sorted(pair))))
    out.print(Text.assemble(("the caller is            ", "bold"), played.caller_where))
    moves = report["switches"]
    executed = (
        f"dials {sum(report['dials'].values())}, moves {moves['forward']}, moves back {moves['back']}, "
        f"supervisor legs still up {report['supervisorLegsUp']}"
    )
    out.print(Text.assemble(("the sandbox executed     ", "bold"), executed))
    print_problems(out, [played])
    if not played.problems:
        out.print(Text("all checks passed", style="bold green"))


def print_table(out: Console, played: Sequence[ScenarioResult]) -> None:
    """Print one line per scenario, then the problems."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("scenario", "expected", "outcome"):
        table.add_column(title, no_wrap=True)
    for title in ("dials", "moves", "back", "legs up"):
        table.add_column(title, justify="right")
    table.add_column("the caller is", no_wrap=True)
    table.add_column("seconds", justify="right")
    table.add_column("")
    for each in played:
        report, outcome = each.report, each.result.outcome
        table.add_row(
            each.scenario.name,
            "\nor ".join(each.scenario.expected),
            Text(outcome.value, style="bold red" if each.problems else "bold green"),
            str(sum(report["dials"].values())),
            str(report["switches"]["forward"]),
            str(report["switches"]["back"]),
            str(report["supervisorLegsUp"]),
            each.caller_where,
            f"{each.took_s:.1f}",
            Text("✘", style="bold red") if each.problems else Text("✔", style="green"),
        )
    print_uncut(out, table)
    print_problems(out, played)


def print_problems(out: Console, played: Sequence[ScenarioResult]) -> None:
    """Print one line per problem."""
    for each in played:
        for problem in each.problems:
            out.print(Text.assemble((f"{each.scenario.name}: ", "bold red"), problem))


def as_json(played: ScenarioResult) -> dict[str, Any]:
    """Return what `--json` prints."""
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


def speaker_name(participant_id: str) -> str:
    """Return the speaker's role. Ids that warmxfer did not assign belong to the caller and the primary."""
    if assigned := participant_ids.parse(participant_id):
        return SPEAKERS[assigned.role]
    return "AI" if participant_id.startswith(PRIMARY_AGENT) else "Caller"
