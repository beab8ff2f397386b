"""The table of commands, and the one place where an error becomes a sentence and an exit code."""

from __future__ import annotations

import typer

from warmxfer.actors.exits import exit_codes

from . import cancel, demo, doctor, listing, request, run, sandbox, show, up, watch

app = typer.Typer(
    name="warmxfer",
    help="Warm transfers for voice AI over NATS JetStream: the caller is never stranded.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("demo")(demo.demo)
app.command("up")(up.up)
app.command("run")(run.run)
app.command("request")(request.request)
app.command("watch")(watch.watch)
app.command("show")(show.show)
app.command("list")(listing.listing)
app.command("cancel")(cancel.cancel)
app.command("sandbox")(sandbox.sandbox)
app.command("doctor")(doctor.doctor)


def main() -> None:
    """Run the command in `sys.argv` and exit."""
    with exit_codes():
        app()
