"""`warmxfer demo`: whole warm transfers on this machine, checked by the sandbox's ledger."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from warmxfer.actors.runtime.exit_codes import UNSUCCESSFUL

from .options import PACE_HELP, Json, Keep, pace_option, refuse_beside
from .output import console, print_json, run_command
from .trace_file import empty_trace_file, trace_env

if TYPE_CHECKING:
    from rich.console import Console

    from .local_stack.stack import LocalStack
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
    trace: Annotated[
        Path | None,
        typer.Option(
            "--trace", metavar="FILE", help="Write the trace of each transfer to FILE, as JSON lines of OTLP."
        ),
    ] = None,
    open_browser: Annotated[
        bool,
        typer.Option("--open", help="Open the board in your browser, and keep it until Ctrl-C."),
    ] = False,
    json: Json = False,
) -> None:
    """Run a whole warm transfer on this machine.

    The demo starts a real nats-server, the sandbox (a simulated telephony cloud) and every actor as a
    process, and a board, whose address it prints. With --json there is a board only with --open.
    """
    from warmxfer.schemas import InvalidRequest

    from .scenarios import BY_NAME, SCENARIOS

    if show:
        refuse_beside(context, "--list", "scenario", "all", "pace", "keep", "trace", "open_browser")
    if all:
        refuse_beside(context, "--all", "scenario")
    if show:
        for each in SCENARIOS:
            print_json(each) if json else console().print(f"{each.name:<29} {each.shows}")
        return
    if not all and scenario not in BY_NAME:
        raise InvalidRequest(f"--scenario is {scenario[:40]!r}; use one of {', '.join(BY_NAME)}")
    if trace is not None:
        trace = empty_trace_file(trace)
    output = _Output(keep, trace, open_browser, json)
    if all:
        faster = PACE_OF_ALL if pace is None else pace
        passed = run_command(lambda: _play_all(list(SCENARIOS), faster, output))
    else:
        slower = PACE if pace is None else pace
        passed = run_command(lambda: _play_one(BY_NAME[scenario], slower, output))
    if not passed:
        raise typer.Exit(UNSUCCESSFUL)


class _Output(NamedTuple):
    """Where the demo is seen: files that are kept, the trace, the browser, the form on stdout."""

    keep: Path | None
    trace: Path | None
    open_browser: bool
    json: bool


async def _play_one(scenario: Scenario, pace: float, output: _Output) -> bool:
    from rich.text import Text

    from .demo_view import as_json, print_conversation, print_end, print_log
    from .local_stack.stack import LocalStack, run_all
    from .progress_view import ProgressView
    from .scenario_runner import place_calls, play

    out = console(quiet=output.json)
    out.print(Text.assemble((scenario.name, "bold"), f": {scenario.shows}\n"))
    async with AsyncExitStack() as exit_stack:
        with out.status("starting nats-server, the sandbox and the actors"):
            local = LocalStack(time_scale=pace, directory=output.keep, env=trace_env(output.trace))
            stack = await exit_stack.enter_async_context(local)
            client = await exit_stack.enter_async_context(stack.client())
        out.print(f"nats-server {stack.nats_url}   sandbox {stack.sandbox_url}", style="dim")
        with out.status("the caller is talking with the AI"):
            placing = place_calls(stack, [scenario], FULL_CONVERSATION_TURNS)
            (caller,), board = await run_all(placing, _board(stack, exit_stack, output))
        await _show_board(out, board, output)
        await print_conversation(out, stack, caller.room_id)
        with ProgressView(out, "to the supervisor") as checklist:
            played = await play(stack, client, scenario, caller, checklist.add)
            checklist.end(played.result)
        out.print()
        await print_conversation(out, stack, played.result.consultation_room_id)
        await print_log(out, stack, played.id)
        print_end(out, played)
        if output.json:
            print_json(as_json(played))
        await _keep_board(out, output)
    if output.keep:
        out.print(f"stream and logs are in {output.keep}", style="dim")
    if output.trace:
        out.print(f"the trace is in {output.trace}", style="dim")
    return not played.problems


async def _play_all(scenarios: list[Scenario], pace: float, output: _Output) -> bool:
    from .demo_view import as_json, print_table
    from .local_stack.stack import LocalStack, run_all
    from .scenario_runner import place_calls, play

    out = console(quiet=output.json)
    async with AsyncExitStack() as exit_stack:
        with out.status(f"running {len(scenarios)} scenarios at the same time"):
            local = LocalStack(time_scale=pace, directory=output.keep, env=trace_env(output.trace))
            stack = await exit_stack.enter_async_context(local)
            client = await exit_stack.enter_async_context(stack.client())
            placing = place_calls(stack, scenarios, SHORT_CONVERSATION_TURNS)
            callers, board = await run_all(placing, _board(stack, exit_stack, output))
            await _show_board(out, board, output)
            pairs = zip(scenarios, callers, strict=True)
            played = await asyncio.gather(*(play(stack, client, *pair) for pair in pairs))
        print_table(out, played)
        if output.json:
            for each in played:
                print_json(as_json(each))
        await _keep_board(out, output)
    return not any(each.problems for each in played)


async def _board(stack: LocalStack, exit_stack: AsyncExitStack, output: _Output) -> str | None:
    """Serve a board beside `stack` until `exit_stack` is closed, and return its address with its token.

    Returns None with `--json` alone, which prints results only. It is imported here, while the simulated
    people talk: the demo waits for them anyway.
    """
    if output.json and not output.open_browser:
        return None
    from warmxfer.bus.subject_table import BOARD

    from .board.access import new_token
    from .board.serve import BoardOptions, running_board

    # Everything here is simulated, so the board may cancel and replay.
    options = BoardOptions(token=new_token(), actions=True)
    board = await exit_stack.enter_async_context(running_board(stack.settings(BOARD), options))
    return board.link


async def _show_board(out: Console, board: str | None, output: _Output) -> None:
    """Print where the board is, and open it if the user wants it."""
    if board is None:
        return
    out.print(f"board {board}\n", style="dim", soft_wrap=True)
    if output.json:
        print_json({"board": board})
    if output.open_browser:
        import webbrowser

        if not await asyncio.to_thread(webbrowser.open, board):
            out.print("no browser could be opened; open the address of the board in one\n", style="yellow")


async def _keep_board(out: Console, output: _Output) -> None:
    """With `--open`, return at Ctrl-C: until then the transfers that have ended can be looked at."""
    if not output.open_browser:
        return
    from warmxfer.actors.runtime.runner import on_stop

    stop = asyncio.Event()
    on_stop(stop)
    out.print("\nthe board stays until Ctrl-C", style="bold")
    await stop.wait()
