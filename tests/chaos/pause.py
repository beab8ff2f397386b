"""Processes that stand still for a while: SIGSTOP, and SIGCONT whatever happens meanwhile."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from warmxfer.cli.local_stack.managed_process import ManagedProcess


@contextmanager
def stopped(children: Sequence[ManagedProcess]) -> Iterator[None]:
    """They stand still inside; one that was killed there is left alone."""
    try:
        _signal(children, signal.SIGSTOP)
        yield
    finally:
        _signal(children, signal.SIGCONT)


def _signal(children: Sequence[ManagedProcess], number: signal.Signals) -> None:
    for child in children:
        if child.running:
            os.kill(child.pid, number)
