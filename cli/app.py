"""The table of commands. `main` turns an error into one sentence and an exit code."""

from __future__ import annotations

from typing import Annotated

import typer

from warmxfer.actors.runtime.exit_codes import exit_codes

from . import (
    cancel,
    demo,
    deploy,
    doctor,
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
from .bench import command as bench
from .try_commands import try_app

app = typer.Typer(
    name="warmxfer",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


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
app.command("list")(list_transfers.list_transfers)
app.command("cancel")(cancel.cancel)
app.command("sandbox")(sandbox.sandbox)
app.command("doctor")(doctor.doctor)
app.command("deploy")(deploy.deploy)
app.command("permissions")(permissions.permissions)
app.add_typer(try_app, name="try")
app.command("bench")(bench.bench)


def main() -> None:
    """Run the command in `sys.argv` and exit."""
    with exit_codes():
        app()
