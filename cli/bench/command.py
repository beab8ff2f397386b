"""`warmxfer bench`: measures transfers on this machine, beside the same messages in raw nats-py."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from warmxfer.actors.runtime.exit_codes import UNSUCCESSFUL

from ..options import Json
from ..output import console, print_json, run_command

if TYPE_CHECKING:
    from .plan import Plan
    from .rows import Row

SCENARIOS = (
    "bus",
    "one_at_a_time",
    "saturation",
    "coordinators",
    "cluster",
    "burst",
    "waiting",
    "history",
    "recovery",
    "start_up",
    "beside",
)


def bench(
    quick: Annotated[
        bool, typer.Option("--quick", help="Small sizes, one run of each: shows that all works.")
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="NAME", help=f"One of {', '.join(SCENARIOS)}; may be repeated."),
    ] = None,
    write: Annotated[
        Path | None,
        typer.Option(
            "--write",
            metavar="PAGE",
            help="Put the table into this page, and a plot beside it, after each scenario.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Measure transfers on this machine.

    Runs a real nats-server and real actors beside a cloud at 0 ms, checks every transfer by what that cloud
    executed, and puts the messages alone (raw nats-py) beside it. Takes about an hour; with --quick less than
    two minutes. Exits with 1 if a row misses its target.
    """
    from warmxfer.schemas import InvalidRequest

    from .machine import check_machine
    from .plan import FULL, QUICK
    from .report import check_page
    from .report import write as write_page

    check_machine()
    for name in only or ():
        if name not in SCENARIOS:
            raise InvalidRequest(
                f"--only is {name[:40]!r}; use one of {', '.join(SCENARIOS)}", field="--only"
            )
    if write is not None:
        check_page(write)
    chosen = [name for name in SCENARIOS if not only or name in only]
    options = [*(["--quick"] if quick else []), *(f"--only {name}" for name in only or ())]
    words = " ".join(["warmxfer bench", *options])

    def keep(rows: Sequence[Row], missing: Sequence[str]) -> None:
        if write is not None:
            write_page(write, rows, words, missing)

    rows = run_command(lambda: _measure(chosen, QUICK if quick else FULL, json, keep))
    if not all(row.ok for row in rows):
        raise typer.Exit(UNSUCCESSFUL)


async def _measure(
    names: list[str], plan: Plan, json: bool, keep: Callable[[Sequence[Row], Sequence[str]], None]
) -> list[Row]:
    """Run the scenarios and print each row once it is measured.

    After each scenario `keep` gets all rows so far and the scenarios that are not measured yet.
    """
    from importlib import import_module

    from rich.console import Console

    from .report import HEAD, line
    from .run import measure
    from .stack_pool import StackPool

    out = console(quiet=json)
    shown = Console(stderr=True) if json else out
    rows: list[Row] = []
    out.print(HEAD)
    with shown.status("starting") as status:

        def progress(text: str) -> None:
            status.update(text)
            if not shown.is_terminal:
                print(f"warmxfer bench: {text}", file=sys.stderr, flush=True)

        async with StackPool(plan.shared_stack) as stacks:
            for number, name in enumerate(names, 1):
                scenario = import_module(f"{__package__}.scenarios.{name}").run
                tell = partial(_at, progress, f"{name} ({number} of {len(names)})")
                async with aclosing(measure(name, scenario, plan, stacks, tell)) as measured:
                    async for row in measured:
                        rows.append(row)
                        print_json(row.as_json()) if json else out.print(line(row), soft_wrap=True)
                keep(rows, names[number:])
    return rows


def _at(progress: Callable[[str], None], place: str, text: str) -> None:
    progress(f"{place}: {text}")
