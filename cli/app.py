"""The table of commands. `main` turns an error into one sentence and an exit code.

A command is imported only if it is called, or if all are listed.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from warmxfer.actors.runtime.exit_codes import INTERRUPTED, INVALID, OK, exit_codes
from warmxfer.actors.runtime.exit_codes import report as report_error
from warmxfer.actors.runtime.unknown_variables import unknown_variables

from .output import escaped, plain, wants_json

COMMANDS: Mapping[str, str] = {
    "demo": "demo:demo",
    "up": "up:up",
    "run": "run:run",
    "request": "request:request",
    "watch": "watch:watch",
    "show": "show:show",
    "report": "report:report",
    "board": "board.command:board",
    "list": "list_transfers:list_transfers",
    "cancel": "cancel:cancel",
    "erase": "erase:erase",
    "dead-letters": "dead_letters:dead_letters",
    "sandbox": "sandbox:sandbox",
    "doctor": "doctor:doctor",
    "config": "config:config",
    "deploy": "deploy:deploy",
    "permissions": "permissions:permissions",
    "bench": "bench.command:bench",
    "asyncapi": "asyncapi.command:asyncapi",
}
"""Module and function of each command, in the order of the help."""
GROUPS: Mapping[str, str] = {"try": "try_commands:try_app"}
"""Module and variable of each group of commands."""

_WrongUsage: Any = next(each for each in typer.BadParameter.__mro__ if each.__name__ == "ClickException")
"""The base of typer's errors. Some versions of typer have it from click, some have their own."""


def _print_version(requested: bool) -> None:
    if requested:
        from importlib.metadata import version

        typer.echo(f"warmxfer {version('warmxfer')}")
        raise typer.Exit


def warmxfer(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Warm transfers for voice AI over NATS JetStream."""


def build_app(first: str = "") -> typer.Typer:
    """Return the command line. If `first` is a command, it has only this one.

    To import and to build all commands takes longer than most of them run.
    """
    app = typer.Typer(
        name="warmxfer",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(warmxfer)
    is_known = first in COMMANDS or first in GROUPS
    for name, place in COMMANDS.items():
        if name == first or not is_known:
            app.command(name)(_load(place))
    for name, place in GROUPS.items():
        if name == first or not is_known:
            app.add_typer(_load(place), name=name)
    return app


def _load(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(f".{module}", __package__), name)


def main() -> None:
    """Run the command in `sys.argv` and exit."""
    arguments = sys.argv[1:]
    as_json = wants_json()
    with exit_codes(as_json=as_json):
        if arguments[:1] != ["run"]:  # its actor logs them
            _warn(unknown_variables(os.environ), as_json=as_json)
        try:
            code = build_app(next(iter(arguments), ""))(standalone_mode=False)
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
