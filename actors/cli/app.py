"""The table of commands, and the one place where an error becomes a sentence and an exit code."""

from __future__ import annotations

import os
import sys

import typer

from . import cancel, demo, doctor, listing, request, run, sandbox, show, up, watch
from .exits import BROKEN, REFUSED, UNAVAILABLE

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
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read us (`| head`) has gone; python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        from warmxfer.schemas import Refused, Retry, WarmTransferError

        if not isinstance(error, WarmTransferError):
            raise
        print(f"warmxfer: {error}", file=sys.stderr)
        codes = {Refused: REFUSED, Retry: UNAVAILABLE}
        sys.exit(next((code for kind, code in codes.items() if isinstance(error, kind)), BROKEN))
