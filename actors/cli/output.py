"""Where a command's words go: results to stdout, as JSON lines or as text for people."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from warmxfer.actors.exits import ReaderGone

if TYPE_CHECKING:
    from rich.console import Console

WIDTH_OF_A_FILE = 200
"""Columns where nobody looks on: what reads a file or a pipe has no edge to wrap at."""

T = TypeVar("T")


def print_json(value: Any) -> None:
    """One value, one line; structs as the wire has them. Raises `ReaderGone`."""
    import msgspec

    try:
        sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
        sys.stdout.flush()
    except BrokenPipeError as error:
        raise ReaderGone from error


def console(*, quiet: bool = False) -> Console:
    """For text with colours where somebody looks on; `NO_COLOR` is honoured. `quiet` says nothing.

    No brackets in a text are taken for a style: people's words are printed with it.
    What is printed raises `ReaderGone` when nobody reads it any more.
    """
    from rich.console import Console

    class Printer(Console):
        def on_broken_pipe(self) -> NoReturn:
            raise ReaderGone

    width = None if sys.stdout.isatty() else WIDTH_OF_A_FILE
    return Printer(highlight=False, markup=False, quiet=quiet, width=width)


def plain(words: str) -> str:
    """People's words, on one line and without what a terminal would obey."""
    return "".join(each if each.isprintable() else " " for each in words)


def run_command(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run one asynchronous command, quietly: what went wrong is its sentence, not log lines.

    SIGTERM is Ctrl-C: what the command has started is taken down, and what it wrote for a while removed.
    """
    from warmxfer.actors.logs import configure_logs
    from warmxfer.actors.process import run_async

    configure_logs(os.environ, level="error")
    before = signal.signal(signal.SIGTERM, lambda _number, _frame: signal.raise_signal(signal.SIGINT))
    try:
        return run_async(work())
    finally:
        signal.signal(signal.SIGTERM, before)
