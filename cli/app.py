"""The table of commands. `main` turns an error into one sentence and an exit code."""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated, Any

import typer

from warmxfer.actors.runtime.exit_codes import INTERRUPTED, INVALID, OK, exit_codes
from warmxfer.actors.runtime.exit_codes import report as report_error
from warmxfer.actors.runtime.unknown_variables import unknown_variables

from . import (
    cancel,
    config,
    dead_letters,
    demo,
    deploy,
    doctor,
    erase,
    list_transfers,
    permissions,
    report,
    request,
    run,
    sandbox,
    show,
    up,
    watch,
)
from .asyncapi import command as asyncapi
from .bench import command as bench
from .board import command as board
from .output import escaped, plain, wants_json
from .try_commands import try_app

app = typer.Typer(
    name="warmxfer",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_WrongUsage: Any = next(each for each in typer.BadParameter.__mro__ if each.__name__ == "ClickException")
"""The base of typer's errors. Some versions of typer have it from click, some have their own."""


def _print_version(requested: bool) -> None:
    if requested:
        from importlib.metadata import version

        typer.echo(f"warmxfer {version('warmxfer')}")
        raise typer.Exit


@app.callback()
def warmxfer(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Warm transfers for voice AI over NATS JetStream."""


app.command("demo")(demo.demo)
app.command("up")(up.up)
app.command("run")(run.run)
app.command("request")(request.request)
app.command("watch")(watch.watch)
app.command("show")(show.show)
app.command("report")(report.report)
app.command("board")(board.board)
app.command("list")(list_transfers.list_transfers)
app.command("cancel")(cancel.cancel)
app.command("erase")(erase.erase)
app.command("dead-letters")(dead_letters.dead_letters)
app.command("sandbox")(sandbox.sandbox)
app.command("doctor")(doctor.doctor)
app.command("config")(config.config)
app.command("deploy")(deploy.deploy)
app.command("permissions")(permissions.permissions)
app.add_typer(try_app, name="try")
app.command("bench")(bench.bench)
app.command("asyncapi")(asyncapi.asyncapi)


def main() -> None:
    """Run the command in `sys.argv` and exit."""
    arguments = sys.argv[1:]
    as_json = wants_json()
    with exit_codes(as_json=as_json):
        if arguments[:1] != ["run"]:  # its actor logs them
            _warn(unknown_variables(os.environ), as_json=as_json)
        try:
            code = app(standalone_mode=False)
        except _WrongUsage as error:
            if as_json:
                report_error(_one_line(error.format_message()), INVALID, as_json=True)
            else:
                error.show()
            sys.exit(INVALID)
        except typer.Abort:
            sys.exit(INTERRUPTED)
        sys.exit(code if isinstance(code, int) else OK)


def _warn(sentences: list[str], *, as_json: bool) -> None:
    for sentence in sentences:
        if as_json:
            print(escaped(json.dumps({"warning": sentence}, ensure_ascii=False)), file=sys.stderr)
        else:
            print(f"warmxfer: {plain(sentence)}", file=sys.stderr)


def _one_line(text: str) -> str:
    return " ".join(text.split())
