"""Output of a command: results on stdout, as JSON lines or as text."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from warmxfer.actors.runtime.exit_codes import BrokenPipe
from warmxfer.actors.runtime.visible_text import escaped as escaped
from warmxfer.actors.runtime.visible_text import plain as plain

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

MAX_TABLE_WIDTH = 1_000
WIDTH_WITHOUT_TERMINAL = 200
"""Columns of output into a file or a pipe, which has no edge to wrap at."""

T = TypeVar("T")


def wants_json() -> bool:
    """Return whether `--json` is among the options of this command; those after `--` are none."""
    options = itertools.takewhile("--".__ne__, sys.argv[1:])
    return "--json" in options


def print_json(value: Any) -> None:
    """Print one value on one line; structs as they are on the wire. Raises `BrokenPipe`.

    A character that a terminal would act on, or that is not seen, is escaped.
    """
    import msgspec

    line = escaped(msgspec.json.encode(value).decode())
    try:
        sys.stdout.buffer.write(line.encode() + b"\n")
        sys.stdout.flush()
    except BrokenPipeError as error:
        raise BrokenPipe from error


def console(*, quiet: bool = False) -> Console:
    """Return a console for stdout: coloured on a terminal, unless `NO_COLOR` is set. `quiet` prints nothing.

    Square brackets in a text are printed as they are: transcripts and reasons may contain them.
    Printing raises `BrokenPipe` if the reader of stdout has closed it.
    """
    from rich.console import Console

    class Printer(Console):
        def on_broken_pipe(self) -> NoReturn:
            raise BrokenPipe

    width = None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL
    return Printer(highlight=False, markup=False, quiet=quiet, width=width)


def print_uncut(out: Console, table: Table) -> None:
    """Print a table as wide as it is, also on a narrower terminal, which then wraps its lines.

    rich would cut ids to the width of the terminal.
    """
    from rich.measure import Measurement

    widest = out.options.update(max_width=MAX_TABLE_WIDTH)
    out.width = max(out.width, Measurement.get(out, widest, table).maximum)
    out.print(table, crop=False)


def run_command(work: Callable[[], Coroutine[Any, Any, T]], *, log_level: str = "error") -> T:
    """Run one asynchronous command and return its result. Only errors are logged.

    SIGTERM and SIGHUP (the terminal is closed) act as Ctrl-C: the command stops its processes and removes its
    temporary files. A shell's background job ignores SIGINT and must end by the others.
    """
    from warmxfer.actors.runtime.fast_imports import without_unused_libraries

    with without_unused_libraries():
        from warmxfer.actors.runtime.log_setup import configure_logs
        from warmxfer.actors.runtime.runner import on_first_signal, run_async, unless_ignored

    signalled = asyncio.Event()

    async def stoppable() -> T:
        running = asyncio.current_task()
        assert running is not None
        numbers = signal.SIGTERM, *unless_ignored(signal.SIGINT, signal.SIGHUP)
        on_first_signal(numbers, lambda: (signalled.set(), running.cancel()))
        return await work()

    env = os.environ | ({"WARMXFER_LOG": "json"} if wants_json() else {})
    configure_logs(env, level=log_level)
    try:
        return run_async(stoppable())
    except asyncio.CancelledError:
        if signalled.is_set():
            raise KeyboardInterrupt from None
        raise


def run_until_stopped(work: Callable[[], Coroutine[Any, Any, None]], *, log_level: str = "error") -> None:
    """Run a command that ends only by a signal: that is its normal end."""
    try:
        run_command(work, log_level=log_level)
    except KeyboardInterrupt:
        return
