"""`warmxfer demo`: whole warm transfers on this machine, checked by the sandbox's ledger."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from warmxfer.actors.runtime.exit_codes import UNSUCCESSFUL

from .options import PACE_HELP, Json, Keep, pace_option, refuse_beside
from .output import console, print_json, run_command

if TYPE_CHECKING:
    from .scenarios import Scenario

PACE = 0.2
PACE_OF_ALL = 0.1
FULL_CONVERSATION_TURNS = 9
SHORT_CONVERSATION_TURNS = 3


def scenario_names(incomplete: str) -> list[tuple[str, str]]:
    """Return the scenarios whose name begins with `incomplete`, with what each shows: for a shell."""
    from .scenarios import SCENARIOS

    return [(each.name, each.shows) for each in SCENARIOS if each.name.startswith(incomplete)]


def demo(
    context: typer.Context,
    scenario: Annotated[
        str,
        typer.Option(
            "--scenario",
            "-s",
            metavar="NAME",
            help="Name of the scenario (see --list).",
            autocompletion=scenario_names,
        ),
    ] = "ready",
    all: Annotated[bool, typer.Option("--all", help="Run every scenario and print a table.")] = False,
    show: Annotated[bool, typer.Option("--list", help="List the scenarios and exit.")] = False,
    pace: Annotated[
        float | None,
        pace_option(f"{PACE_HELP}  [default: {PACE}; with --all: {PACE_OF_ALL}]"),
    ] = None,
    keep: Keep = None,
    json: Json = False,
) -> None:
    """Run a whole warm transfer on this machine.

    The demo starts a real nats-server, the sandbox (a simulated telephony cloud) and every actor as a
    process.
    """
    from warmxfer.schemas import InvalidRequest

    from .scenarios import BY_NAME, SCENARIOS

    if show:
        refuse_beside(context, "--list", "scenario", "all", "pace", "keep")
    if all:
        refuse_beside(context, "--all", "scenario")
    if show:
        for each in SCENARIOS:
            print_json(each) if json else console().print(f"{each.name:<29} {each.shows}")
        return
    if not all and scenario not in BY_NAME:
        raise InvalidRequest(f"--scenario is {scenario[:40]!r}; use one of {', '.join(BY_NAME)}")
    if all:
        faster = PACE_OF_ALL if pace is None else pace
        passed = run_command(lambda: _play_all(list(SCENARIOS), faster, keep, json))
    else:
        passed = run_command(lambda: _play_one(BY_NAME[scenario], PACE if pace is None else pace, keep, json))
    if not passed:
        raise typer.Exit(UNSUCCESSFUL)


async def _play_one(scenario: Scenario, pace: float, keep: Path | None, json: bool) -> bool:
    from rich.text import Text

    from .demo_view import as_json, print_conversation, print_end, print_log
    from .local_stack.stack import LocalStack
    from .progress_view import ProgressView
    from .scenario_runner import place_calls, play

    out = console(quiet=json)
    out.print(Text.assemble((scenario.name, "bold"), f": {scenario.shows}\n"))
    async with AsyncExitStack() as exit_stack:
        with out.status("starting nats-server, the sandbox and the actors"):
            stack = await exit_stack.enter_async_context(LocalStack(time_scale=pace, directory=keep))
            client = await exit_stack.enter_async_context(stack.client())
        out.print(f"nats-server {stack.nats_url}   sandbox {stack.sandbox_url}\n", style="dim")
        with out.status("the caller is talking with the AI"):
            (caller,) = await place_calls(stack, [scenario], FULL_CONVERSATION_TURNS)
        await print_conversation(out, stack, caller.room_id)
        with ProgressView(out, "to the supervisor") as checklist:
            played = await play(stack, client, scenario, caller, checklist.add)
            checklist.end(played.result)
        out.print()
        await print_conversation(out, stack, played.result.consultation_room_id)
        await print_log(out, stack, played.id)
        print_end(out, played)
    if json:
        print_json(as_json(played))
    if keep:
        out.print(f"stream and logs are in {keep}", style="dim")
    return not played.problems


async def _play_all(scenarios: list[Scenario], pace: float, keep: Path | None, json: bool) -> bool:
    from .demo_view import as_json, print_table
    from .local_stack.stack import LocalStack
    from .scenario_runner import place_calls, play

    out = console(quiet=json)
    with out.status(f"running {len(scenarios)} scenarios at the same time"):
        async with LocalStack(time_scale=pace, directory=keep) as stack, stack.client() as client:
            callers = await place_calls(stack, scenarios, SHORT_CONVERSATION_TURNS)
            pairs = zip(scenarios, callers, strict=True)
            played = await asyncio.gather(*(play(stack, client, *pair) for pair in pairs))
    print_table(out, played)
    if json:
        for each in played:
            print_json(as_json(each))
    return not any(each.problems for each in played)
