"""`warmxfer try …`: what the product makes of an input, without a call. One file per command."""

from __future__ import annotations

import typer

from . import try_reply, try_summary

try_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="See what the product makes of an input, without a call.",
)
try_app.command("summary")(try_summary.try_summary)
try_app.command("reply")(try_reply.try_reply)
