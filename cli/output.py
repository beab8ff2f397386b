"""Where a command's words go: results to stdout, as JSON lines or as text for people."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from warmxfer.actors.runtime.exit_codes import BrokenPipe

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
        raise BrokenPipe from error


def console(*, quiet: bool = False) -> Console:
    """For text with colours where somebody looks on; `NO_COLOR` is honoured. `quiet` says nothing.

    No brackets in a text are taken for a style: people's words are printed with it.
    What is printed raises `ReaderGone` when nobody reads it any more.
    """
    from rich.console import Console

    class Printer(Console):
        def on_broken_pipe(self) -> NoReturn:
            raise BrokenPipe

    width = None if sys.stdout.isatty() else WIDTH_OF_A_FILE
    return Printer(highlight=False, markup=False, quiet=quiet, width=width)


def plain(words: str) -> str:
    """People's words, on one line and without what a terminal would obey."""
    return "".join(each if each.isprintable() else " " for each in words)


def run_command(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run one asynchronous command, quietly: what went wrong is its sentence, not log lines.

    SIGTERM is Ctrl-C: what the command has started is taken down, and what it wrote for a while removed. So
    it is in a shell's background job too, which is deaf to Ctrl-C itself.
    """
    from warmxfer.actors.runtime.log_setup import configure_logs
    from warmxfer.actors.runtime.runner import on_first_signal, run_async

    told = asyncio.Event()

    async def stoppable() -> T:
        running = asyncio.current_task()
        assert running is not None
        deaf = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        numbers = (signal.SIGTERM,) if deaf else (signal.SIGTERM, signal.SIGINT)
        on_first_signal(numbers, lambda: (told.set(), running.cancel()))
        return await work()

    configure_logs(os.environ, level="error")
    try:
        return run_async(stoppable())
    except asyncio.CancelledError:
        if told.is_set():
            raise KeyboardInterrupt from None
        raise
