"""`warmxfer demo`: whole warm transfers with real parts on this machine, judged by the cloud's ledger."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from warmxfer.actors.runtime.exit_codes import UNSUCCESSFUL

from .options import MAX_PACE, Json, Keep, within
from .output import console, print_json, run_command

if TYPE_CHECKING:
    from .scenarios import Scenario

PACE = 0.2
PACE_OF_ALL = 0.1
FULL_CONVERSATION_TURNS = 9
SHORT_CONVERSATION_TURNS = 3


def demo(
    scenario: Annotated[
        str, typer.Option("--scenario", "-s", metavar="NAME", help="One of those that --list shows.")
    ] = "ready",
    all: Annotated[bool, typer.Option("--all", help="Play every scenario, and print a table.")] = False,
    show: Annotated[bool, typer.Option("--list", help="List the scenarios.")] = False,
    pace: Annotated[
        float | None,
        typer.Option(
            "--pace", help="1 is life's pace, 0.1 ten times that.", callback=within("--pace", 0, MAX_PACE)
        ),
    ] = None,
    keep: Keep = None,
    json: Json = False,
) -> None:
    """Run a whole warm transfer: a real nats-server, a sandbox cloud, every actor a process."""
    from warmxfer.schemas import InvalidRequest

    from .scenarios import BY_NAME, SCENARIOS

    if show:
        for each in SCENARIOS:
            print_json(each) if json else console().print(f"{each.name:<29} {each.shows}")
        return
    if not all and scenario not in BY_NAME:
        raise InvalidRequest(f"--scenario is {scenario[:40]!r}; use one of {', '.join(BY_NAME)}")
    if all:
        faster = PACE_OF_ALL if pace is None else pace
        good = run_command(lambda: _play_all(list(SCENARIOS), faster, keep, json))
    else:
        good = run_command(lambda: _play_one(BY_NAME[scenario], PACE if pace is None else pace, keep, json))
    if not good:
        raise typer.Exit(UNSUCCESSFUL)


async def _play_one(scenario: Scenario, pace: float, keep: Path | None, json: bool) -> bool:
    from rich.text import Text

    from .demo_view import as_json, print_end, print_talk
    from .local_stack.stack import LocalStack
    from .progress_view import ProgressView
    from .scenario_runner import place_calls, play

    out = console(quiet=json)
    out.print(Text.assemble((scenario.name, "bold"), f": {scenario.shows}\n"))
    async with AsyncExitStack() as stack:
        with out.status("starting nats-server, a sandbox cloud and the actors"):
            house = await stack.enter_async_context(LocalStack(time_scale=pace, directory=keep))
            client = await stack.enter_async_context(house.client())
        out.print(f"nats-server {house.nats_url}   cloud {house.sandbox_url}\n", style="dim")
        with out.status("the caller talks with the AI"):
            (caller,) = await place_calls(house, [scenario], FULL_CONVERSATION_TURNS)
        await print_talk(out, house, caller.room_id)
        with ProgressView(out, "to the supervisor") as checklist:
            played = await play(house, client, scenario, caller, checklist.add)
            checklist.end(played.result)
        out.print()
        await print_talk(out, house, played.result.consultation_room_id)
        print_end(out, played)
    if json:
        print_json(as_json(played))
    if keep:
        out.print(f"kept in {keep}", style="dim")
    return not played.problems


async def _play_all(scenarios: list[Scenario], pace: float, keep: Path | None, json: bool) -> bool:
    from .demo_view import as_json, print_table
    from .local_stack.stack import LocalStack
    from .scenario_runner import place_calls, play

    out = console(quiet=json)
    with out.status(f"playing {len(scenarios)} scenarios at once"):
        async with LocalStack(time_scale=pace, directory=keep) as house, house.client() as client:
            callers = await place_calls(house, scenarios, SHORT_CONVERSATION_TURNS)
            together = zip(scenarios, callers, strict=True)
            played = await asyncio.gather(*(play(house, client, *each) for each in together))
    print_table(out, played)
    if json:
        for each in played:
            print_json(as_json(each))
    return not any(each.problems for each in played)
