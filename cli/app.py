"""The table of commands, and the one place where an error becomes a sentence and an exit code."""

from __future__ import annotations

from typing import Annotated

import typer

from warmxfer.actors.runtime.exit_codes import exit_codes

from . import cancel, demo, doctor, list_transfers, request, run, sandbox, show, up, watch

app = typer.Typer(
    name="warmxfer",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"warmxfer {version('warmxfer')}")
        raise typer.Exit


@app.callback()
def warmxfer(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell it, and exit.")
    ] = False,
) -> None:
    """Warm transfers for voice AI over NATS JetStream: the caller is never stranded."""


app.command("demo")(demo.demo)
app.command("up")(up.up)
app.command("run")(run.run)
app.command("request")(request.request)
app.command("watch")(watch.watch)
app.command("show")(show.show)
app.command("list")(list_transfers.listing)
app.command("cancel")(cancel.cancel)
app.command("sandbox")(sandbox.sandbox)
app.command("doctor")(doctor.doctor)


def main() -> None:
    """Run the command in `sys.argv` and exit."""
    with exit_codes():
        app()
