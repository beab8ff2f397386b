"""Freezes processes with SIGSTOP, and always continues them with SIGCONT."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from warmxfer.cli.local_stack.managed_process import ManagedProcess


@contextmanager
def frozen(children: Sequence[ManagedProcess]) -> Iterator[None]:
    """Freeze the processes while the context is open. A process killed meanwhile is skipped."""
    try:
        _signal(children, signal.SIGSTOP)
        yield
    finally:
        _signal(children, signal.SIGCONT)


def _signal(children: Sequence[ManagedProcess], number: signal.Signals) -> None:
    for child in children:
        if child.running:
            os.kill(child.pid, number)
